from __future__ import annotations

from pathlib import Path

import pytest

from tests.who_runs_what import LONGEST, rank_of, scope_of

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("nodeid", "scope"),
    [
        ("tests/unit/test_main.py::test_a[google]", "tests/unit/test_main.py"),
        ("tests/contract/test_documents.py::test_a[google-many writes]", "tests/contract on google"),
        ("tests/contract/pubsub/test_topology.py::test_a[body0-google]", "tests/contract on google"),
        ("tests/contract/test_documents.py::test_a[embedded]", "tests/contract/test_documents.py"),
        ("tests/end_to_end/test_estimates.py::test_a[embedded]", "tests/end_to_end on embedded"),
        ("tests/end_to_end/test_make_run.py::test_a[google-x]", "tests/end_to_end/test_make_run.py"),
        ("tests/end_to_end/test_stack.py::test_a_google_b", "tests/end_to_end/test_stack.py"),
    ],
)
def test_tests_that_share_an_emulator_stay_together(nodeid: str, scope: str) -> None:
    assert scope_of(nodeid) == scope


def test_the_longest_come_first_then_what_starts_processes() -> None:
    nodeids = [f"{LONGEST[0]}::test_a", "tests/handlers/test_a.py::test_b", "tests/unit/test_a.py::test_b"]

    assert [rank_of(each) for each in nodeids] == sorted({rank_of(each) for each in nodeids})


def test_every_file_named_here_is_there() -> None:
    assert [each for each in LONGEST if " on " not in each and not (ROOT / each).exists()] == []
