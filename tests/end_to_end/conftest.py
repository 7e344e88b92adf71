"""One stack for all tests of a session that can share it, on each kind of emulator in turn."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from infra.local.checker import FindingKind
from infra.local.emulators import Kind
from infra.local.stack import Plan, Stack, pool, resource, start_stack
from tests.end_to_end.stack_support import CPU, GPU, LARGE, swept_on_schedule
from tests.end_to_end.stand_in_support import wait_for

KINDS = [Kind.EMBEDDED, pytest.param(Kind.GOOGLE, marks=pytest.mark.requires("google_emulators"))]
SINGLE = (
    "full",
    "ordered",
    "twice",
    "namesake",
    "strict",
    "near",
    "far",
    "timely",
    "bounded",
    "early",
    "foretold",
    "commanded",
    "requeued",
    "stopped",
    "paused",
    "drained",
    "drained-beside",
    "never",
)
TEAMS = [
    {"name": "research", "topics": ["job-requests"]},
    {"name": "vision", "topics": ["job-requests.vision"], "command_topics": ["job-commands.vision"]},
    {"name": "speech", "topics": ["job-requests.speech"], "weight": 3},
]
UNTIL_RELEASED = (FindingKind.NO_END, FindingKind.NEVER_RELEASED)
POLICIES = {
    "reordered": {"ordering": "fifo"},
    "lent": {"preemption": "lent", "quotas": {"vision": {"cpu": {"guaranteed": 2}}}},
    "spared": {"preemption": "lent", "quotas": {"vision": {"cpu": {"guaranteed": 1}}}},
}


def _resources() -> list[dict]:
    """One for each test that fills it, so that tests do not wait for each other."""
    two_pools = [pool("cpu", CPU, 2), pool("gpu", GPU, 1)]
    return [
        resource("published", *two_pools),
        resource("distributed", *two_pools),
        resource("swept-over", pool("cpu", CPU, 3)),
        resource("backfilled", pool("cpu", CPU, 3)),
        resource("weighed", pool("cpu", CPU, 8)),
        resource("lent", pool("cpu", CPU, 2)),
        resource("tried", pool("cpu", CPU, 2)),
        *(resource(name, pool("cpu", CPU, 2)) for name in ("tied", "tied-beside", "keyed", "keyed-beside")),
        resource("reordered", pool("cpu", CPU, 2)),
        resource("enlarged", pool("small", CPU, 1), pool("large", LARGE, 1)),
        resource("spared", pool("cpu", CPU, 1)),
        *(resource(name, pool("cpu", CPU, 1)) for name in SINGLE),
    ]


@pytest.fixture(scope="session", params=KINDS, ids=str)
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A system that nothing sweeps unless a test does. An image `demo/...` without a command succeeds at
    once.

    In the end the checker must find nothing wrong in all that the tests made it do.
    """
    plan = Plan(
        kind=request.param,
        persistent_resources=_resources(),
        settings={
            "teams": TEAMS,
            "pacing": {"creates_per_minute": 1000},
            "resource_settings": POLICIES,
        },
        stand_in={"images": {"demo/": ["true"]}},
        sweep_seconds=None,
    )
    with start_stack(tmp_path_factory.mktemp("stack"), plan) as started:
        yield started
        wait_for(lambda: not any(map(started.report().of_kind, UNTIL_RELEASED)), "the last job's end")
        started.report().assert_nothing_found()


@pytest.fixture
def on_schedule(stack: Stack) -> Iterator[None]:
    """What tests use that kill functions, or whose jobs end at once."""
    with swept_on_schedule(stack):
        yield
