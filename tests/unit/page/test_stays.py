"""Who held, holds and is to get replicas: from histories, reservations, and the policy run forward."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from poolqueue.scheduling.jobs import Job, Outcome, Reason, State, move
from poolqueue.scheduling.traits import Traits
from poolqueue.viewing.making import Snapshot
from poolqueue.viewing.stays import (
    Kind,
    PastStays,
    Stay,
    current_stays,
    holdings_of,
    planned_stays,
)
from poolqueue.viewing.teams import team_views
from tests.unit.cli.building import (
    GPU,
    NOW,
    SMALL,
    demand,
    job,
    line,
    pool,
    reservation,
    reservations,
    resource,
)

TEN_MINUTES = Traits(timeout=600)


def minutes(at: int) -> datetime:
    return NOW + timedelta(minutes=at)


def lived(job_id: str, *moves: tuple[int, State, Outcome | Reason | None], **changes: object) -> Job:
    """A job with a history: minutes from now, states, and how or why."""
    it = job(job_id, created=minutes(-60), **changes)
    for at, state, why in moves:
        attempt = it.attempt + (state is State.RESERVED)
        outcome = why if isinstance(why, Outcome) else None
        reason = why if isinstance(why, Reason) else None
        it = move(it, state, at=minutes(at), outcome=outcome, reason=reason, attempt=attempt)
    return it


TWICE = (
    (-50, State.RESERVED, None),
    (-49, State.SUBMITTED, None),
    (-48, State.RUNNING, None),
    (-40, State.QUEUED, Reason.PREEMPTED),
    (-30, State.RESERVED, None),
    (-28, State.RUNNING, None),
    (-10, State.ENDED, Outcome.SUCCEEDED),
)


def told(stays: list[Stay]) -> list[tuple[Kind, int, int, int]]:
    return [
        (
            each.kind,
            each.replicas,
            round((each.start - NOW).total_seconds() / 60),
            round((each.end - NOW).total_seconds() / 60),
        )
        for each in stays
        if each.end is not None
    ]


def test_each_attempt_of_an_ended_job_is_a_stay_in_each_of_its_pools() -> None:
    both = (demand(2), demand(1, GPU, index=1))
    found = PastStays(resource()).of([lived("a", *TWICE, demands=both)])

    assert told([each for each in found if each.pool == SMALL]) == [
        (Kind.REQUEUED, 2, -50, -40),
        (Kind.ENDED, 2, -30, -10),
    ]
    assert told([each for each in found if each.pool == GPU]) == [
        (Kind.REQUEUED, 1, -50, -40),
        (Kind.ENDED, 1, -30, -10),
    ]
    assert {each.reason for each in found if each.kind is Kind.REQUEUED} == {Reason.PREEMPTED}


def test_what_was_held_elsewhere_before_a_job_moved_is_not_told_here() -> None:
    moves = [*TWICE[:3], (-40, State.QUEUED, Reason.MOVED), *TWICE[4:]]

    assert told(PastStays(resource()).of([lived("a", *moves)])) == [(Kind.ENDED, 1, -30, -10)]


def test_jobs_of_other_resources_and_of_machines_that_are_gone_are_left_out() -> None:
    other = lived("a", *TWICE, resource="p.l.other")
    gone = lived("b", *TWICE, demands=(replace(demand(), machine='{"machineType":"gone"}'),))

    assert PastStays(resource()).of([other, gone]) == []


def test_a_job_larger_than_its_pool_is_now_is_told_all_the_same() -> None:
    found = PastStays(resource()).of([lived("a", *TWICE[-3:], demands=(demand(9),))])

    assert [each.replicas for each in found] == [9]


def test_a_job_that_goes_on_has_an_attempt_without_an_end() -> None:
    (held,) = holdings_of(lived("a", *TWICE[:3]))

    assert (held.kind, held.attempt, held.start, held.end) == (Kind.RUNNING, 1, minutes(-50), None)
    assert held.began == minutes(-48)


def test_a_refused_job_held_nothing() -> None:
    assert [*holdings_of(lived("a", (-5, State.ENDED, Outcome.REJECTED)))] == []


def test_what_is_held_is_expected_to_end_and_what_others_hold_is_not() -> None:
    running = reservation("a", running=True, started=minutes(-4), traits=TEN_MINUTES, replicas={SMALL: 2})
    starting = reservation("b", traits=TEN_MINUTES)
    snapshot = Snapshot(resource=resource(reservations=reservations(running, starting), foreign={SMALL: 1}))

    found = current_stays(snapshot.board(NOW), now=NOW)

    assert [each.kind for each in found] == [Kind.RUNNING, Kind.STARTING, Kind.OTHERS]
    assert told(found)[0] == (Kind.RUNNING, 2, -5, 6)
    assert (found[-1].start, found[-1].end, found[-1].replicas) == (NOW, None, 1)


def test_what_waits_is_planned_for_when_what_runs_is_expected_to_end() -> None:
    running = reservation("a", running=True, started=minutes(-4), traits=TEN_MINUTES, replicas={SMALL: 4})
    lines = [line("b", demand(3), traits=TEN_MINUTES), line("c", demand(3), traits=TEN_MINUTES)]
    snapshot = Snapshot(resource=resource(reservations=reservations(running)), waiting=lines)

    found = planned_stays(snapshot.board(NOW), now=NOW, horizon=minutes(60))

    assert [each.job_id for each in found] == ["b", "c"]
    assert told(found) == [(Kind.PLANNED, 3, 6, 16), (Kind.PLANNED, 3, 16, 26)]


def test_nothing_is_planned_beyond_the_horizon() -> None:
    lines = [line(f"j{n}", demand(4), traits=TEN_MINUTES) for n in range(9)]
    snapshot = Snapshot(resource=resource(), waiting=lines)

    found = planned_stays(snapshot.board(NOW), now=NOW, horizon=minutes(25))

    assert [each.job_id for each in found] == ["j0", "j1", "j2"]


def test_teams_are_told_with_what_they_have_and_may_have() -> None:
    held = reservation("a", team="vision", replicas={SMALL: 2})
    snapshot = Snapshot(
        resource=resource(pools=(pool(),), reservations=reservations(held)),
        waiting=[line("b"), line("c", team="speech")],
        policy=replace(Snapshot(resource=resource()).policy, weights={"vision": 3.0}),
    )

    research, vision, speech = team_views(snapshot.board(NOW), ["research", "vision"], now=NOW)

    assert (research.waiting, research.holds, research.share) == (1, 0.0, 0.2)
    assert (vision.waiting, vision.holds, vision.share, vision.used) == (0, 0.5, 0.6, 1.0)
    assert (speech.name, speech.waiting) == ("speech", 1)
    assert [(each.pool, each.held, each.maximum) for each in vision.pools] == [("small", 2, None)]
