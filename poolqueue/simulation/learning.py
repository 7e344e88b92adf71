"""What a policy is told of run times while it is simulated."""

from __future__ import annotations

from typing import Protocol

from poolqueue.scheduling.expectations import Expectations, TimeoutsOnly
from poolqueue.scheduling.traits import Traits
from poolqueue.simulation.run import RunTimesMode
from poolqueue.simulation.workload import Workload


class Learner(Expectations, Protocol):
    """Expectations that may change with what happens. Times are seconds of the simulation."""

    def traits(self, job: int) -> Traits:
        """By what the job in this place of the workload is known."""
        ...

    def started(self, token: str, traits: Traits, *, at: float) -> None: ...

    def ended(self, token: str, *, at: float, by_itself: bool) -> None:
        """By itself, or because it was preempted: then it is only known to run for longer."""
        ...

    def advance(self, at: float) -> None:
        """Time has come so far."""
        ...


class _Told(TimeoutsOnly):
    """Every job is known to run for as long as it really will, or as its publisher says."""

    def __init__(self, seconds: list[int]) -> None:
        self._seconds = seconds
        self._traits: dict[int, Traits] = {}

    def traits(self, job: int) -> Traits:
        seconds = self._seconds[job]
        if seconds not in self._traits:
            self._traits[seconds] = Traits(timeout=seconds)
        return self._traits[seconds]

    def started(self, token: str, traits: Traits, *, at: float) -> None:
        del token, traits, at

    def ended(self, token: str, *, at: float, by_itself: bool) -> None:
        del token, at, by_itself

    def advance(self, at: float) -> None:
        del at


def learner_for(workload: Workload, mode: RunTimesMode) -> Learner:  # noqa: ARG001
    return _Told([max(1, round(job.runs)) for job in workload.jobs])
