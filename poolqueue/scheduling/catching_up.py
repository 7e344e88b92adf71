"""Brings what is stored of run times up to what a resource shows: which runs go on, and how others ended."""

from __future__ import annotations

from datetime import datetime

from poolqueue.scheduling.learned import LearnedExpectations
from poolqueue.scheduling.pools import Resource
from poolqueue.scheduling.run_times import Outcome, RunTimes


def caught_up(stored: RunTimes, resource: Resource, *, now: datetime) -> RunTimes:
    """`stored` with the runs that the resource shows, in the order in which they began; `stored` stays as it
    is. The more recent of the two may be either: a run that is known already is not counted twice.
    """
    run_times = stored.fork()
    begun = [(run.since, token, run.traits) for token, run in resource.outcomes.items()]
    begun += [
        (reservation.started, token, reservation.traits)
        for token, reservation in resource.reservations.items()
        if reservation.started is not None
    ]
    going = run_times.going
    new = [each for each in begun if each[1] not in going]
    for since, token, traits in sorted(new, key=lambda each: each[:2]):
        run_times.started(token, traits, since.timestamp())
    for token, run in resource.outcomes.items():
        outcome = Outcome(traits=run.traits, seconds=run.seconds, by_itself=run.by_itself)
        run_times.ended(token, outcome)
    for token in going.keys() - resource.reservations.keys():
        run_times.dropped(token)
    run_times.advance(now.timestamp())
    return run_times


def expectations_of(stored: RunTimes, resource: Resource, *, now: datetime) -> LearnedExpectations:
    """What a decision at `now` is told."""
    run_times = caught_up(stored, resource, now=now)
    return LearnedExpectations(run_times, now=now.timestamp(), refresh_seconds=float("inf"))
