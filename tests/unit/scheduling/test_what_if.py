from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from poolqueue.scheduling.admission import decide
from poolqueue.scheduling.forward import run_forward
from poolqueue.scheduling.jobs import Reason
from poolqueue.scheduling.policies import Ordering, Policy
from poolqueue.scheduling.verdicts import Admit, Reject, Wait
from poolqueue.scheduling.what_if import Delayed, what_if
from tests.support.watched_time import WatchedTime, arrive_all
from tests.unit.scheduling.building import (
    CPU,
    GPU,
    NOW,
    at,
    board,
    demand,
    lasting,
    pool,
    reservation,
    resource,
    waiting,
)
from tests.unit.scheduling.test_audit import CAPACITY, arrivals
from tests.unit.scheduling.test_remedies import cases, lines


def running(job_id, replicas, seconds):
    return reservation(f"t-{job_id}", job_id, replicas, traits=lasting(seconds), number="1")


def test_it_would_start_at_once_and_delay_who_waits() -> None:
    on = board(
        resource(running("a", {CPU: 3}, 100)),
        waiting("large", demand(4), age=9, traits=lasting(50)),
        waiting("last", demand(4), age=5, traits=lasting(50)),
    )
    found = what_if(on, waiting("new", priority=5, traits=lasting(300)), now=NOW)

    assert isinstance(found.verdict, Admit)
    assert found.starts == NOW
    assert found.delayed == (
        Delayed(key="research.large", by=timedelta(seconds=200)),
        Delayed(key="research.last", by=timedelta(seconds=200)),
    )


def test_of_an_array_some_would_start_at_once_and_the_last_when_the_others_have_ended() -> None:
    on = board(resource(running("a", {CPU: 2}, 100)))
    array = replace(waiting("sweep", traits=lasting(300)), members=((0, 5),))

    found = what_if(on, array, now=NOW)

    assert isinstance(found.verdict, Admit)
    assert found.members is not None
    assert (found.members.count, found.members.start_now, found.members.last) == (5, 2, at(300))
    assert isinstance(found.members.rest, Wait)


def test_it_would_wait_its_turn_and_delay_nobody() -> None:
    on = board(resource(running("a", {CPU: 3}, 100)), waiting("large", demand(4), age=9, traits=lasting(50)))
    found = what_if(on, waiting("new", demand(2), traits=lasting(300)), now=NOW)

    assert isinstance(found.verdict, Wait)
    assert found.starts == at(150)
    assert found.delayed == ()


def test_it_would_be_refused_or_wait_for_ever() -> None:
    refused = what_if(board(resource()), waiting("new", demand(9), is_new=True), now=NOW)
    stuck = what_if(board(resource(foreign={CPU: 1})), waiting("new", demand(4)), now=NOW)

    assert isinstance(refused.verdict, Reject)
    assert refused.verdict.reason is Reason.ABOVE_CAPACITY
    assert stuck.starts is None
    assert stuck.is_over
    assert stuck.roughly is None


@given(found=cases(), line=lines())
def test_a_dry_run_changes_nothing(found, line) -> None:
    on, slots = found
    if line.key in {each.key for each in on.lines()}:
        return
    before = ([*on.lines()], on.resource, dict(on.free), [*on.ends])
    verdicts = [*decide(on, now=NOW, slots=slots).verdicts()]
    what_if(on, line, now=NOW, slots=slots)

    assert ([*on.lines()], on.resource, dict(on.free), [*on.ends]) == before
    assert [*decide(on, now=NOW, slots=slots).verdicts()] == verdicts


@given(
    jobs=arrivals(teams=("a", "b")),
    asked=arrivals(teams=("a", "b")),
    when=st.integers(0, 60),
    ordering=st.sampled_from(Ordering),
)
def test_with_exact_run_times_it_starts_when_the_dry_run_said_and_so_do_the_others(
    jobs, asked, when, ordering
) -> None:
    (line, runs) = asked[0]
    line = waiting("asked", *line.demands, team=line.team, age=-when, traits=line.traits)
    on = resource(pools=tuple(pool(key, n, ids=(str(i),)) for i, (key, n) in enumerate(CAPACITY.items())))
    time = WatchedTime(on, now=NOW, policy=Policy(ordering=ordering, firm_after=timedelta(seconds=50)))
    arrive_all(time, [(job, seconds) for job, seconds in jobs if job.arrived < at(when)])
    time.run(until=at(when) - timedelta(microseconds=1))
    ends = {attempt.key: attempt.ends for attempt in time.running.values()}
    took = {job.key: seconds for job, seconds in jobs} | {line.key: runs}

    def left(key, _traits, elapsed):
        return (ends[key] - at(when)).total_seconds() if elapsed and key in ends else took[key]

    found = what_if(time.board, line, now=at(when), left=left)
    with_it = time.board.copy(now=at(when))
    with_it.add(line)
    foretold = run_forward(with_it, now=at(when), left=left).starts
    time.arrives(line, runs=runs)
    log = time.run()

    assert found.starts == log.started[line.key]
    assert foretold == {key: log.started[key] for key in foretold}
    assert log.started.keys() == foretold.keys() | ends.keys() | {p.attempt.key for p in log.past}


def test_pools_are_grown_in_thought_by_the_board_that_is_asked() -> None:
    on = board(resource(running("a", {GPU: 2}, 100), pools=(pool(GPU, 3),)))

    assert what_if(on, waiting("new", demand(1, GPU)), now=NOW).starts == NOW
    assert what_if(on, waiting("new", demand(2, GPU)), now=NOW).starts == at(100)
