"""Traits and outcomes for tests of learned run times."""

from __future__ import annotations

from collections.abc import Iterable

from poolqueue.scheduling.run_times import Outcome, RunTimes
from poolqueue.scheduling.similarity import traits_of
from poolqueue.scheduling.traits import LONGEST_TIMEOUT_SECONDS, Traits

MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0


def traits(
    name: str = "train",
    *,
    team: str = "research",
    image: str = "trainer",
    replicas: int = 1,
    arguments: tuple[str, ...] = (),
    claimed: float | None = None,
    timeout: float = LONGEST_TIMEOUT_SECONDS,
) -> Traits:
    return traits_of(
        team=team,
        name=name,
        images=[image],
        machines=[("n1", replicas)],
        arguments=arguments,
        timeout=int(timeout),
        claimed=None if claimed is None else int(claimed),
    )


def learned(*outcomes: tuple[Traits, float], times: int = 1, into: RunTimes | None = None) -> RunTimes:
    """Run times that saw these runs end by themselves, all of them so often in turn."""
    run_times = into or RunTimes()
    for _ in range(times):
        for its_traits, seconds in outcomes:
            run_times.learn(Outcome(traits=its_traits, seconds=seconds))
    return run_times


def cut(run_times: RunTimes, its_traits: Traits, seconds: Iterable[float]) -> None:
    for each in seconds:
        run_times.learn(Outcome(traits=its_traits, seconds=each, by_itself=False))
