from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from poolqueue.scheduling.alternatives import Alternative
from poolqueue.scheduling.jobs import Outcome, State
from poolqueue.scheduling.traits import Traits
from poolqueue.viewing import wording
from poolqueue.viewing.as_json import job_fields
from poolqueue.viewing.making import ended_view
from tests.unit.cli.building import NAME, NOW, job, line, reservation, reservations, view

TERMS = ("expected_run_seconds", "not_before", "deadline", "expires", "preemptions", "alternatives")
OTHER = replace(NAME, id="gpu-b")
# A job that moved lists where it waits too, between where else it may go.
ALTERNATIVES = (
    Alternative(resource=OTHER.key),
    Alternative(resource=NAME.key),
    Alternative(resource=None, after=1800),
)


def test_a_waiting_job_is_shown_with_what_it_asks_of_its_scheduling() -> None:
    (row,) = view(
        line(
            "j",
            traits=Traits(claimed=7200),
            not_before=NOW + timedelta(minutes=1),
            deadline=NOW + timedelta(hours=8),
            expires=NOW + timedelta(hours=2),
            preemptions=1,
            alternatives=ALTERNATIVES,
        )
    ).waiting

    shown = job_fields(row)
    assert {name: shown[name] for name in TERMS} == {
        "expected_run_seconds": 7200.0,
        "not_before": "2026-11-23T18:01:00Z",
        "deadline": "2026-11-24T02:00:00Z",
        "expires": "2026-11-23T20:00:00Z",
        "preemptions": 1,
        "alternatives": [
            {"persistent_resource": OTHER.full, "after_seconds": 0.0},
            {"persistent_resource": "any", "after_seconds": 1800.0},
        ],
    }


def test_a_job_that_ended_is_shown_with_its_deadline() -> None:
    deadline = NOW - timedelta(minutes=5)
    expired = job("j", state=State.ENDED, outcome=Outcome.EXPIRED, ended=NOW, deadline=deadline)

    assert job_fields(ended_view(expired))["deadline"] == "2026-11-23T17:55:00Z"


def test_a_job_of_which_only_the_reservation_was_read_has_the_same_fields() -> None:
    (held,) = view(reservations=reservations(reservation("j"))).holding

    assert set(TERMS) <= set(job_fields(held))


def test_a_waiting_job_says_where_else_it_may_start_and_from_when_on() -> None:
    (row,) = view(line("j", alternatives=ALTERNATIVES, not_before=NOW + timedelta(minutes=1))).waiting

    told = wording.reason(replace(row, waited=timedelta(minutes=18)))

    assert told.endswith("; or on gpu-b; or on any in 12m00s")
    assert "or on" not in wording.reason(replace(row, waited=None, state=State.RUNNING))
