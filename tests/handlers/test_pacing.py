from __future__ import annotations

from datetime import datetime, timedelta

from poolqueue.scheduling.jobs import Reason, State
from tests.support.installation import Installation, pool, request
from tests.support.soundness import check


def paced(installing, *, a_minute: int, replicas: int = 10, **settings) -> Installation:
    return installing(
        pools=[pool(replicas=replicas)],
        settings={"pacing": {"creates_per_minute": a_minute}, **settings},
    )


def at_work(installation: Installation, jobs: int) -> int:
    states = [installation.job(f"j{number}").state for number in range(jobs)]
    return sum(state in {State.SUBMITTED, State.RUNNING} for state in states)


def ask(installation: Installation, jobs: int) -> list[str]:
    job_ids = [f"j{number}" for number in range(jobs)]
    for each in job_ids:
        installation.ask(request(each))
    return job_ids


def test_what_waits_for_the_pace_says_so_and_starts_a_minute_later(installing) -> None:
    installation = paced(installing, a_minute=2)

    ask(installation, 3)

    assert at_work(installation, 3) == 2
    assert installation.job("j2").history[-1].reason is Reason.PACED
    installation.clock.advance(seconds=61)
    installation.sweep()
    assert at_work(installation, 3) == 3


def test_no_minute_has_more_creates_than_allowed(installing) -> None:
    """On a clock that stands still, so that a reservation is as old as the slot that was taken for it."""
    installation = paced(installing, a_minute=3, timing={"linger": "120s"})
    installation.clock.stop()

    job_ids = ask(installation, 10)

    check(installation, *job_ids)
    assert at_work(installation, 10) == 10
    reserved = sorted(r.reserved_at for r in installation.resource().reservations.values())
    for start in reserved:
        assert within(reserved, start, start + timedelta(seconds=60)) <= 3


def within(times: list[datetime], start: datetime, end: datetime) -> int:
    return sum(start <= each < end for each in times)


def test_replicas_are_not_reserved_before_there_is_a_slot(installing) -> None:
    installation = paced(installing, a_minute=1)

    ask(installation, 4)

    assert len(installation.resource().reservations) == 1


def test_a_slot_that_comes_soon_is_waited_for(installing) -> None:
    installation = paced(installing, a_minute=1)
    ask(installation, 1)
    installation.clock.advance(seconds=45)

    installation.ask(request("j1"))

    assert at_work(installation, 2) == 2


def test_all_resources_of_a_region_share_one_pace(installing, demo_project) -> None:
    resources = [
        {"project": demo_project, "location": "us-central1", "id": id_, "pools": [pool()]}
        for id_ in ("shared", "other")
    ]
    installation = installing(persistent_resources=resources, settings={"pacing": {"creates_per_minute": 1}})

    installation.ask(request("a"))
    installation.ask(request("b", job_spec={"persistentResourceId": "other"}))

    assert installation.job("b").history[-1].reason is Reason.PACED


def test_the_better_placed_job_gets_the_slot(installing) -> None:
    installation = paced(installing, a_minute=1)
    ask(installation, 2)
    installation.ask(request("urgent", priority=90))
    installation.clock.advance(seconds=61)

    installation.sweep()

    assert installation.job("urgent").state is State.SUBMITTED
    assert installation.job("j1").state is State.QUEUED
