"""What every test shares: the `requires` marker, a project id of its own, no process left behind, and its
place in a distributed run.
"""

from __future__ import annotations

import os
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator

import hypothesis
import pytest

from tests import leftover_processes
from tests.requirements_of_tests import REQUIREMENTS, missing
from tests.who_runs_what import ByScope, rank_of

# What they assert is told as what tests assert.
pytest.register_assert_rewrite(
    "tests.support", "tests.end_to_end.stack_support", "tests.end_to_end.stand_in_support"
)

REQUIRE_ALL = os.environ.get("REQUIRE_ALL") == "1"
EXCUSED = os.environ.get("REQUIRE_ALL_BUT", "").split(",")

# How long an example takes says how busy the machine is. Each run draws others; EXAMPLES=1000 draws more.
EXAMPLES = int(os.environ.get("EXAMPLES", "30"))
UNTIMED = [hypothesis.HealthCheck.too_slow]
hypothesis.settings.register_profile(
    "pool-queue", deadline=None, max_examples=EXAMPLES, suppress_health_check=UNTIMED
)
hypothesis.settings.load_profile("pool-queue")


def pytest_configure(config: pytest.Config) -> None:
    names = ", ".join(REQUIREMENTS)
    config.addinivalue_line("markers", f"requires(*names): what the machine must have; names are {names}")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByScope | None:
    return ByScope(config, log) if config.getoption("dist") == "loadscope" else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: rank_of(item.nodeid))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    for requirement in _required_by(item):
        if requirement not in REQUIREMENTS:
            pytest.fail(
                f"unknown requirement {requirement!r}; known are {', '.join(REQUIREMENTS)}", pytrace=False
            )
        reason = missing(requirement)
        if reason and REQUIRE_ALL and requirement not in EXCUSED:
            pytest.fail(f"REQUIRE_ALL=1, and {reason}", pytrace=False)
        if reason:
            item.user_properties.append(("could_not_run", f"{requirement}: {reason}"))
            pytest.skip(reason)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    files_by_reason: dict[str, Counter[str]] = defaultdict(Counter)
    for report in terminalreporter.stats.get("skipped", []):
        for name, reason in report.user_properties:
            if name == "could_not_run":
                files_by_reason[reason][report.nodeid.partition("::")[0]] += 1
    if files_by_reason:
        terminalreporter.section("what this machine could not run")
    for reason, files in sorted(files_by_reason.items()):
        terminalreporter.line(reason)
        for file, count in sorted(files.items()):
            terminalreporter.line(f"    {count:4} of {file}")


@pytest.fixture
def demo_project() -> str:
    """A project id that no other test uses; `demo-` is what keeps it away from Google Cloud."""
    return f"demo-{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="session", autouse=True)
def _no_process_left_behind() -> Iterator[None]:
    mark = leftover_processes.mark_this_session()
    yield
    alive = leftover_processes.leftovers(mark, within_seconds=5)
    leftover_processes.end(alive)
    if alive:
        listing = "\n".join(f"  {process.pid}: {process.args}" for process in alive)
        pytest.fail(f"tests left these processes behind (ended now):\n{listing}", pytrace=False)


def _required_by(item: pytest.Item) -> list[str]:
    return [name for marker in item.iter_markers("requires") for name in marker.args]
