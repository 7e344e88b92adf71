from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from poolqueue.adapters.memory import MemoryDocuments
from poolqueue.ports import Create
from poolqueue.records import (
    PAUSES_PATH,
    Bell,
    Queue,
    ResourceName,
    bell_path,
    forecasts_path,
    job_path,
    pace_path,
    queue_path,
    read_bell,
    read_job,
    read_pace,
    read_pauses,
    read_queue,
    read_resource,
    read_scorecard,
    read_serial_key,
    read_usage,
    read_words_on_teams,
    resource_path,
    serial_key_path,
    usage_path,
    write_bell,
    write_job,
    write_pace,
    write_pauses,
    write_queue,
    write_resource,
    write_scorecard,
    write_serial_key,
    write_usage,
)
from poolqueue.scheduling.pools import Reservation, Resource
from tests.unit.records.building import (
    IDS,
    JOBS,
    MAYBE_TIMES,
    PACES,
    PAUSES,
    RESOURCES,
    SCORECARDS,
    SERIAL_KEYS,
    TEXTS,
    USAGES,
    WAITING,
    WORDS,
)
from tests.unit.scheduling.building import CPU, GPU

NAME = ResourceName(project="demo-p", location="us-central1", id="shared")
NOW = datetime(2026, 11, 23, tzinfo=UTC)
MONTH = timedelta(days=30)


def stored(path: str, fields):
    """As the strictest store gives it back."""
    documents = MemoryDocuments()
    documents.commit([Create(path=path, fields=fields)])
    return documents.read([path])[0].fields


@given(JOBS)
def test_a_job(job) -> None:
    fields = stored(job_path(job.key), write_job(job, retention=MONTH))

    assert read_job(fields) == job
    assert fields["schema"] == 1


@given(JOBS)
def test_a_jobs_indexed_fields_are_there_only_while_they_select_it(job) -> None:
    fields = write_job(job, retention=MONTH)

    assert ("inbox" in fields) == job.inbox
    assert ("ended_at" in fields) == (job.ended is not None)


@given(JOBS)
def test_a_job_expires_once_its_retention_since_its_end_is_over(job) -> None:
    fields = write_job(job, retention=MONTH)

    assert fields.get("expires_at") == (None if job.ended is None else job.ended + MONTH)


@given(USAGES)
def test_a_months_usage(usage) -> None:
    fields = stored(usage_path(NAME, usage.month), write_usage(NAME, usage))

    assert read_usage(fields, month=usage.month, now=NOW) == usage
    assert (fields["schema"], fields["month"], fields["resource"]) == (1, usage.month, NAME.full)


@given(RESOURCES)
def test_a_resource(resource) -> None:
    fields = stored(resource_path(NAME), write_resource(resource))

    assert read_resource(fields) == resource
    assert (fields["schema"], fields["region"]) == (1, "demo-p.us-central1")


@given(st.builds(Bell, rung=st.booleans(), holder=st.none() | IDS, until=MAYBE_TIMES))
def test_a_bell(bell) -> None:
    fields = stored(bell_path(NAME), write_bell(bell))

    assert read_bell(fields) == bell
    assert fields["schema"] == 1


@given(PAUSES, WORDS)
def test_who_is_paused_and_the_last_words_on_teams(pauses, words) -> None:
    fields = stored(PAUSES_PATH, write_pauses(pauses, words))

    assert (read_pauses(fields), read_words_on_teams(fields)) == (pauses, words)


@given(PACES)
def test_a_pace(pace) -> None:
    fields = stored(pace_path("demo-p", "us-central1"), write_pace(pace))

    assert read_pace(fields) == pace
    assert fields["schema"] == 1


@given(SCORECARDS)
def test_a_scorecard(card) -> None:
    fields = stored(forecasts_path(NAME), write_scorecard(card))

    assert read_scorecard(fields) == card
    assert fields["schema"] == 1


@given(IDS, TEXTS, SERIAL_KEYS)
def test_a_serial_key(team, called, key) -> None:
    """Whatever it is called, it is the id of a document."""
    name = (team, called)
    fields = stored(serial_key_path(name), write_serial_key(name, key))

    assert read_serial_key(fields) == key
    assert (fields["schema"], fields["team"], fields["key"]) == (1, team, called)


@given(st.lists(WAITING, max_size=20, unique_by=lambda line: line.key))
def test_a_queue(lines) -> None:
    queue, dirty = Queue().changed(add=lines)

    shards = [stored(queue_path(NAME, shard), write_queue(queue, shard)) for shard in range(queue.shards)]

    assert [line.waiting for line in read_queue(shards).lines.values()] == lines
    assert dirty == ({0} if lines else set())
    assert all(fields["schema"] == 1 for fields in shards)


def test_what_is_not_there_yet_is_empty() -> None:
    assert read_bell(None) == Bell()
    assert not read_pace(None).taken
    assert read_queue([None]).waiting() == []
    assert read_scorecard(None).open == {}
    assert read_serial_key(None).is_forgettable


@given(project=st.sampled_from(["demo-p", "example.com:demo-p"]), id_=IDS)
def test_a_resources_name_comes_back_from_its_key_and_its_full_name(project, id_) -> None:
    name = ResourceName(project=project, location="us-central1", id=id_)

    assert ResourceName.from_key(name.key) == name
    assert ResourceName.from_full(name.full) == name


def test_a_resource_with_all_its_reservations_fits_one_document() -> None:
    reservations = [
        Reservation(
            token=f"{number:032x}",
            team="t" * 63,
            job_id=f"{number:063d}",
            attempt=1,
            replicas={CPU: 1, GPU: 8},
            reserved_at=NOW,
            submit_by=NOW + timedelta(seconds=60),
            number="1234567890123456789",
            running=True,
            cancelled_at=NOW,
        )
        for number in range(2_000)
    ]
    resource = Resource(
        name=NAME.full, reservations={each.token: each for each in reservations}, state="RUNNING"
    )

    assert read_resource(stored(resource_path(NAME), write_resource(resource))) == resource
