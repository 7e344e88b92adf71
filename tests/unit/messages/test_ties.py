from __future__ import annotations

from typing import Any

import pytest

from poolqueue.messages import JobRequest
from poolqueue.requests.ties import Ties
from poolqueue.scheduling.serial_keys import Serial
from tests.unit.messages.building import accepted, custom_job, paths, refused


def tied(**settings: Any) -> JobRequest:
    return accepted({**settings, "custom_job": custom_job()})


def at_fault(**settings: Any) -> list[str]:
    return paths(refused({**settings, "custom_job": custom_job()}))


def test_without_ties_there_are_none() -> None:
    assert tied().ties == Ties()


def test_one_of_a_serial_key_runs_unless_more_are_asked_for() -> None:
    assert tied(serial_key="models/resnet").ties.serial == Serial(key="models/resnet", limit=1)
    assert tied(serial_key="k", serial_limit=3).ties.serial == Serial(key="k", limit=3)


def test_ties_may_be_attributes() -> None:
    request = accepted(custom_job(), {"serial_key": "k", "serial_limit": "3"})

    assert request.ties.serial == Serial(key="k", limit=3)


@pytest.mark.parametrize("key", ["", " k", "two words", "k" * 129, 7, ["k"], "k\n", "é", "-k", "a;b"])
def test_a_key_is_a_plain_word(key: object) -> None:
    assert at_fault(serial_key=key) == ["serial_key"]


@pytest.mark.parametrize("limit", [0, -1, 1_001, "many", 1.5, True])
def test_a_limit_is_a_number_of_jobs(limit: object) -> None:
    assert at_fault(serial_key="k", serial_limit=limit) == ["serial_limit"]


def test_a_limit_alone_limits_nothing() -> None:
    assert at_fault(serial_limit=2) == ["serial_limit"]


def test_another_key_or_limit_is_other_content() -> None:
    digests = {
        tied(**settings).digest
        for settings in (
            {},
            {"serial_key": "k"},
            {"serial_key": "l"},
            {"serial_key": "k", "serial_limit": 2},
        )
    }

    assert len(digests) == 4
    assert tied(serial_key="k").digest == tied(serial_key="k", serial_limit=1).digest
