"""Reading: what a listing costs, and that nothing is missed or told twice."""

from __future__ import annotations

from datetime import timedelta

from poolqueue.ports import Create
from poolqueue.records import Queue, ResourceName, pace_path, write_pace, write_queue
from poolqueue.records.queues import queue_path
from poolqueue.scheduling.jobs import Outcome, Reason, State
from poolqueue.scheduling.pace import Pace
from poolqueue.viewing.reading import Reader
from tests.unit.cli.building import (
    LOCATION,
    NAME,
    NOW,
    PROJECT,
    job,
    line,
    reservation,
    reservations,
    reserved_job,
    resource,
    store,
)

REGIONS = [(PROJECT, LOCATION)]


def reader(documents, **changes) -> Reader:
    return Reader(documents=documents, regions=REGIONS, **changes)


def test_ten_thousand_waiting_jobs_cost_as_many_reads_as_ten() -> None:
    costs = []
    for number in (10, 10_000):
        documents = store(resource(), lines=[line(f"job-{n}") for n in range(number)])
        (view,) = reader(documents).resources(now=NOW)
        assert len(view.waiting) == number
        costs.append(documents.counts.reads)

    assert costs[0] == costs[1] <= 6


def test_documents_are_read_only_of_so_many_holding_jobs_the_longest_running_first() -> None:
    held = [reservation(f"job-{n}", running=n > 4, reserved_at=NOW - timedelta(seconds=n)) for n in range(10)]
    jobs = [reserved_job(f"job-{n}", State.RUNNING, priority=n) for n in range(10)]
    documents = store(resource(reservations=reservations(*held)), jobs=jobs)
    (view,) = reader(documents).resources(now=NOW, details=2)

    assert [row.job_id for row in view.holding if row.priority is not None] == ["job-9", "job-8"]


def test_a_queue_of_several_documents_is_read_as_of_one_moment() -> None:
    lines = [line(f"job-{n}") for n in range(4)]
    second, _ = Queue(shards=2, full=frozenset({0})).changed(add=lines[2:])
    documents = store(resource(shards=2), lines=lines[:2])
    documents.commit([Create(path=queue_path(NAME, 1), fields=write_queue(second, 1))])
    (view,) = reader(documents).resources(now=NOW)

    assert sorted(row.job_id for row in view.waiting) == ["job-0", "job-1", "job-2", "job-3"]


def test_a_new_job_is_listed_before_a_cycle_has_seen_it() -> None:
    documents = store(resource(), lines=[line("old")], jobs=[job("new")])
    (view,) = reader(documents).resources(now=NOW)

    assert sorted(row.job_id for row in view.waiting) == ["new", "old"]


def test_a_job_that_is_being_folded_in_is_listed_once() -> None:
    held = reservations(reservation("held"))
    documents = store(
        resource(reservations=held), lines=[line("both"), line("held")], jobs=[job("both"), job("held")]
    )
    (view,) = reader(documents).resources(now=NOW)

    assert [row.job_id for row in view.waiting] == ["both"]
    assert [row.job_id for row in view.holding] == ["held"]


def test_a_resource_that_only_new_jobs_name_is_found_by_its_name() -> None:
    documents = store(jobs=[job("new")])

    assert reader(documents).resources(now=NOW) == []
    (view,) = reader(documents).resources(now=NOW, only="gpu-a")
    assert [row.reason for row in view.waiting] == [Reason.RESOURCE_MISSING]


def test_one_resource_is_found_by_id_and_by_full_name() -> None:
    other = ResourceName(project=PROJECT, location="europe-west4", id="far")
    documents = store(resource(), resource(name=other.full))

    assert [view.name for view in reader(documents).resources(now=NOW)] == [NAME]
    assert [view.name for view in reader(documents).resources(now=NOW, only="gpu-a")] == [NAME]
    assert [view.name for view in reader(documents).resources(now=NOW, only=other)] == [other]
    assert reader(documents).resources(now=NOW, only="unheard-of") == []


def test_jobs_beyond_the_pace_are_told_that_they_wait_for_it() -> None:
    documents = store(resource(), lines=[line("a"), line("b")])
    pace = Pace(taken=((NOW - timedelta(seconds=10), 49),))
    documents.commit([Create(path=pace_path(PROJECT, LOCATION), fields=write_pace(pace))])
    (view,) = reader(documents, creates_per_minute=50).resources(now=NOW)

    assert [row.reason for row in view.waiting] == [None, Reason.PACED]


def test_the_jobs_that_ended_last_are_read_without_their_bodies() -> None:
    jobs = [
        job(f"job-{n}", inbox=False, state=State.ENDED, outcome=Outcome.SUCCEEDED, ended=NOW + timedelta(n))
        for n in range(5)
    ]
    documents = store(jobs=[*jobs, job("alive")])
    before = documents.counts.reads
    rows = reader(documents).ended(limit=2)

    assert [row.job_id for row in rows] == ["job-4", "job-3"]
    assert documents.counts.reads - before == 2
