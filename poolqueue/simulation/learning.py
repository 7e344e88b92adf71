"""What a policy is told of run times while it is simulated."""

from __future__ import annotations

from typing import Protocol, assert_never

from poolqueue.scheduling.expectations import Expectations, TimeoutsOnly
from poolqueue.scheduling.learned import LearnedExpectations
from poolqueue.scheduling.run_times import Outcome
from poolqueue.scheduling.traits import Traits
from poolqueue.simulation.run import RunTimesMode
from poolqueue.simulation.workload import SimulatedJob, Workload


class Learner(Expectations, Protocol):
    """Expectations that may change with what happens. Times are seconds of the simulation."""

    def traits(self, job: int) -> Traits:
        """By what the job in this place of the workload is known."""
        ...

    def started(self, token: str, traits: Traits, at: float) -> None: ...

    def over(self, token: str, *, at: float, by_itself: bool) -> None:
        """By itself, or because it was preempted: then it is only known to run for longer."""
        ...

    def advance(self, now: float) -> None:
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

    def started(self, token: str, traits: Traits, at: float) -> None:
        del token, traits, at

    def over(self, token: str, *, at: float, by_itself: bool) -> None:
        del token, at, by_itself

    def advance(self, now: float) -> None:
        del now


class _Learns(LearnedExpectations):
    """Nothing is known at first; what counts is what similar jobs of the simulation took."""

    def __init__(self, workload: Workload) -> None:
        super().__init__()
        self._workload = workload
        self._known: dict[Traits, Traits] = {}
        self._running: dict[str, tuple[Traits, float]] = {}

    def traits(self, job: int) -> Traits:
        simulated = self._workload.jobs[job]
        traits = simulated.traits or traits_like(simulated)
        return self._known.setdefault(traits, traits)

    def started(self, token: str, traits: Traits, at: float) -> None:
        self._running[token] = (traits, at)
        super().started(token, traits, at)

    def over(self, token: str, *, at: float, by_itself: bool) -> None:
        traits, since = self._running.pop(token)
        self.ended(token, Outcome(traits=traits, seconds=at - since, by_itself=by_itself))


class _ToldWhereKnown(_Learns):
    """A job runs for as long as its publisher says; one whose publisher says nothing as similar ones did."""

    def __init__(self, workload: Workload) -> None:
        super().__init__(workload)
        self._told = TimeoutsOnly()

    def traits(self, job: int) -> Traits:
        """Without keys where it was said."""
        requested = self._workload.jobs[job].requested
        if requested is None:
            return super().traits(job)
        told = Traits(timeout=max(1, round(requested)))
        return self._known.setdefault(told, told)

    def mean_seconds(self, traits: Traits) -> float:
        return super().mean_seconds(traits) if traits.keys else self._told.mean_seconds(traits)

    def run_seconds(self, traits: Traits, chance: float) -> float:
        if traits.keys:
            return super().run_seconds(traits, chance)
        return self._told.run_seconds(traits, chance)

    def chance_within(self, traits: Traits, seconds: float) -> float:
        if traits.keys:
            return super().chance_within(traits, seconds)
        return self._told.chance_within(traits, seconds)

    def excess_seconds(self, traits: Traits, room: float) -> float:
        if traits.keys:
            return super().excess_seconds(traits, room)
        return self._told.excess_seconds(traits, room)

    def left_seconds(self, traits: Traits, elapsed: float) -> float:
        if traits.keys:
            return super().left_seconds(traits, elapsed)
        return self._told.left_seconds(traits, elapsed)


def traits_like(job: SimulatedJob) -> Traits:
    """Those of a job of which only user, group and size are known, in place of names, images and machines."""
    size = ",".join(f"{pool}x{n}" for pool, n in job.needs)
    who = job.user or job.group
    own = (f"{job.team}/{who}/{size}", f"{job.team}/{who}/") if who else ()
    return Traits(keys=(*own, size))


def learner_for(workload: Workload, mode: RunTimesMode) -> Learner:
    match mode:
        case RunTimesMode.LEARNED:
            return _Learns(workload)
        case RunTimesMode.TRUE:
            return _Told([max(1, round(job.runs)) for job in workload.jobs])
        case RunTimesMode.REQUESTED:
            return _ToldWhereKnown(workload)
        case unreachable:
            assert_never(unreachable)
