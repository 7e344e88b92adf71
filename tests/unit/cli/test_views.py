"""Views: what a snapshot says of pools, holders and waiting jobs."""

from __future__ import annotations

from datetime import timedelta

import pytest

from poolqueue.scheduling.jobs import Outcome, Reason, State
from poolqueue.scheduling.pools import Backoff, Drain
from poolqueue.viewing.making import Snapshot, ended_view, resource_view, short_spec
from poolqueue.viewing.views import ResourceView, Share
from tests.unit.cli.building import (
    DISK,
    GPU,
    NOW,
    SMALL,
    demand,
    job,
    line,
    pool,
    reservation,
    reservations,
    reserved_job,
    resource,
)


def seen(*lines, jobs=(), **changes) -> ResourceView:
    slots = changes.pop("slots", 50)
    known = {one.key: one for one in jobs}
    return resource_view(
        Snapshot(resource=resource(**changes), waiting=lines, jobs=known, slots=slots), now=NOW
    )


def test_a_pool_tells_who_takes_its_replicas() -> None:
    held = reservations(reservation("a", replicas={SMALL: 2}))
    small, gpus = seen(reservations=held, foreign={SMALL: 1}, surplus={GPU: 3}).pools

    assert (small.capacity, small.reserved, small.foreign, small.surplus, small.free) == (4, 2, 1, 0, 1)
    assert (gpus.capacity, gpus.reserved, gpus.foreign, gpus.surplus, gpus.free) == (8, 0, 0, 3, 5)


def test_the_largest_holders_come_first() -> None:
    held = reservations(
        reservation("a"), reservation("b", replicas={SMALL: 3}), reservation("c", replicas={GPU: 1})
    )
    small, gpus = seen(reservations=held).pools

    assert [(h.job_id, h.replicas) for h in small.holders] == [("b", 3), ("a", 1)]
    assert [h.job_id for h in gpus.holders] == ["c"]


def test_a_pool_counts_the_jobs_that_wait_for_it() -> None:
    small, gpus = seen(line("a"), line("b", demand(), demand(1, GPU, index=1))).pools

    assert (small.waiting, gpus.waiting) == (2, 1)


def test_pools_of_one_machine_and_disk_are_one_row() -> None:
    (both,) = seen(pools=(pool(SMALL, "a", "b"),)).pools

    assert both.name == "a, b"


def test_a_drained_pool_says_by_whom_and_a_drained_resource_too() -> None:
    drain = Drain(reason="maintenance", author="ann", at=NOW)
    view = seen(drained={"small": drain, "*": drain})

    assert view.drained == drain
    assert [p.drained for p in view.pools] == [drain, None]


def test_a_back_off_that_is_over_is_not_shown() -> None:
    over = Backoff(until=NOW - timedelta(seconds=1), step=1)
    lasting = Backoff(until=NOW + timedelta(seconds=1), step=1)
    small, gpus = seen(backoffs={SMALL: over, GPU: lasting}).pools

    assert (small.backoff, gpus.backoff) == (None, lasting)


@pytest.mark.parametrize(
    ("changes", "reason", "note"),
    [
        ({"foreign": {SMALL: 4}}, Reason.NEEDS_REPLICAS, "small: needs 1, 0 free"),
        ({"state": "REBOOTING"}, Reason.RESOURCE_NOT_READY, "the persistent resource is REBOOTING"),
        ({"slots": 0}, Reason.PACED, "its replicas are free; it waits for the pace of requests to Vertex AI"),
        ({}, None, "fits now: the next admission cycle starts it"),
    ],
)
def test_a_waiting_job_is_told_what_the_deciding_code_says(changes, reason, note) -> None:
    (row,) = seen(line("a"), **changes).waiting

    assert (row.state, row.reason, row.note) == (State.QUEUED, reason, note)


def test_what_time_alone_ends_is_told_with_that_time() -> None:
    (row,) = seen(line("a", attempt=1, not_before=NOW + timedelta(minutes=2))).waiting

    assert row.reason is Reason.BACKING_OFF
    assert row.note.endswith("(until 18:02:00 UTC)")


def test_a_new_job_that_no_pool_serves_is_about_to_be_refused() -> None:
    (row,) = seen(line("a", demand(9), is_new=True)).waiting

    assert row.reason is Reason.ABOVE_CAPACITY
    assert row.note.startswith("the next admission cycle refuses it: 9 replicas")


def test_waiting_jobs_come_in_the_order_of_their_consideration() -> None:
    old = line("old", arrived=NOW - timedelta(hours=1))
    rows = seen(line("new"), old, line("urgent", priority=9)).waiting

    assert [row.job_id for row in rows] == ["urgent", "old", "new"]


def test_shares_name_pools_or_the_machine_that_no_pool_has() -> None:
    other = SMALL._replace(machine='{"machineType":"a3-megagpu-8g"}')
    fits, fits_not = seen(line("a", demand(2)), line("b", demand(3, other))).waiting

    assert fits.shares == (Share(pool="small", replicas=2),)
    assert fits_not.shares == (Share(pool="a3-megagpu-8g", replicas=3),)


def test_a_holding_job_is_known_from_its_reservation_alone() -> None:
    held = reservations(
        reservation("running", running=True), reservation("sent"), reservation("stopping", cancelled_at=NOW)
    )
    states = [(row.job_id, row.state, row.priority) for row in seen(reservations=held).holding]

    assert states == [
        ("running", State.RUNNING, None),
        ("sent", State.SUBMITTED, None),
        ("stopping", State.CANCELLING, None),
    ]


def test_a_holding_job_is_told_exactly_where_its_document_was_read() -> None:
    started = NOW - timedelta(minutes=2)
    document = reserved_job("a", State.RUNNING, priority=7, started=started)
    (row,) = seen(reservations=reservations(reservation("a")), jobs=[document]).holding

    assert (row.state, row.priority) == (State.RUNNING, 7)
    assert (row.waited, row.held, row.ran) == (timedelta(minutes=8), None, timedelta(minutes=2))


def test_a_document_of_another_attempt_says_nothing_about_this_one() -> None:
    document = reserved_job("a", State.CANCELLING)
    held = reservations(reservation("a", token="another"))
    (row,) = seen(reservations=held, jobs=[document]).holding

    assert row.state is State.SUBMITTED


def test_an_observation_has_an_age() -> None:
    assert seen().age == timedelta(seconds=12)
    assert seen().is_fresh
    assert not seen(observed_at=NOW - timedelta(minutes=2)).is_fresh
    assert seen(observed_at=None).age is None


def test_an_ended_job_tells_how_long_it_waited_and_ran() -> None:
    started, ended = NOW - timedelta(minutes=4), NOW - timedelta(minutes=1)
    row = ended_view(
        job("a", state=State.ENDED, outcome=Outcome.FAILED, started=started, ended=ended, error="exit 1")
    )

    assert (row.waited, row.ran) == (timedelta(minutes=6), timedelta(minutes=3))
    assert (row.outcome, row.note) == (Outcome.FAILED, "exit 1")


@pytest.mark.parametrize(
    ("spec", "shown"),
    [
        (GPU.machine, "g2-standard-12 + 1 x NVIDIA_L4"),
        (DISK, "100 GB pd-ssd"),
        ('{"machineType":"ct5","tpuTopology":"2x2"}', 'ct5 + tpuTopology "2x2"'),
        ("not json", "not json"),
        ("[1]", "[1]"),
    ],
)
def test_specs_are_told_briefly_and_completely(spec: str, shown: str) -> None:
    assert short_spec(spec) == shown


@pytest.mark.parametrize(
    ("state", "seconds", "reason"),
    [
        (State.RESERVED, 61, Reason.SUBMISSION_UNRESOLVED),
        (State.RESERVED, 59, None),
        (State.SUBMITTED, 61, None),
        (State.RUNNING, 61, None),
    ],
)
def test_a_submission_without_an_answer_in_time_is_told_to_be_unresolved(
    state: State, seconds: float, reason: Reason | None
) -> None:
    held = reservations(reservation("a", submit_by=NOW - timedelta(seconds=seconds)))
    (shown,) = seen(reservations=held, jobs=[reserved_job("a", state)]).holding

    assert shown.reason is reason
    assert ("sweeps look for" in shown.note) == (reason is not None)
