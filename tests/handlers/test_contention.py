"""What is left to whoever holds the bell, who may be dead; and bounds on what one commit carries."""

from __future__ import annotations

import json
import random
import string
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from handlers import job_requested
from poolqueue.cycle import run
from poolqueue.cycle.bell import BellHolder
from poolqueue.cycle.round import UNANNOUNCED_LIMIT
from poolqueue.cycle.snapshot import INBOX_LIMIT
from poolqueue.ports import Conflict, Replace
from poolqueue.records import resource_path, write_resource
from poolqueue.scheduling.jobs import Outcome, Reason, State
from poolqueue.scheduling.pools import Unannounced
from tests.support.installation import Installation, pool, request, worker_pool_spec
from tests.support.soundness import check

TWO = (worker_pool_spec(), worker_pool_spec())


def somebody_died_holding_the_bell(installation: Installation) -> None:
    assert BellHolder(installation.system, installation.name).take()


def ring_with_bell(installation: Installation) -> None:
    """A cycle that met a rival, and goes on with the bell."""
    deadline = installation.system.deadline()
    with run._cycle(installation.system, installation.name, deadline) as cycle:
        cycle.with_bell()


def random_text(characters: int, seed: int) -> str:
    return "".join(random.Random(seed).choices(string.ascii_letters + string.digits, k=characters))


def test_an_end_noted_for_a_holder_who_died_is_taken_up_by_the_next_sweep(installation: Installation) -> None:
    installation.ask(request("j", *TWO))
    installation.ask(request("next"))
    installation.finish_quietly("j")
    somebody_died_holding_the_bell(installation)
    installation.deliver_log_lines()
    assert installation.job("j").outcome is None

    installation.clock.advance(seconds=61)
    installation.ask(request("later"))
    installation.sweep()

    assert installation.job("j").outcome is Outcome.SUCCEEDED
    assert installation.job("next").state is State.SUBMITTED
    check(installation, "j", "next", "later")


def test_a_noted_end_and_the_sweep_end_a_job_once(installation: Installation) -> None:
    installation.ask(request("j"))
    installation.finish_quietly("j")
    somebody_died_holding_the_bell(installation)
    installation.deliver_log_lines()

    installation.sweep()

    assert installation.job("j").outcome is Outcome.SUCCEEDED
    assert installation.states("j").count("ended") == 1
    check(installation, "j")


def test_a_job_whose_end_was_noted_keeps_its_outcome_though_it_is_cancelled(
    installation: Installation,
) -> None:
    installation.ask(request("j"))
    installation.finish_quietly("j", "FAILED")
    somebody_died_holding_the_bell(installation)
    installation.deliver_log_lines()

    installation.command(kind="cancel", job_id="j")
    installation.clock.advance(seconds=61)
    installation.sweep()

    assert installation.job("j").outcome is Outcome.FAILED
    check(installation, "j")


def test_a_request_left_to_a_dead_holder_starts_with_the_next_sweep(installation: Installation) -> None:
    installation.ask(request("first"))
    somebody_died_holding_the_bell(installation)
    installation.ask(request("j"))

    installation.clock.advance(seconds=61)
    installation.sweep()

    assert installation.job("j").state is State.SUBMITTED
    check(installation, "first", "j")


def test_many_of_the_largest_requests_at_once_never_make_a_commit_too_large(installing) -> None:
    """Each with 240 KB that hardly compress, half of them as machines that no pool has."""
    installation = installing(pools=[pool(replicas=30)])
    installation.ask(request("first"))
    somebody_died_holding_the_bell(installation)
    for number in range(24):
        env = [{"name": "V", "value": random_text(240_000, number)}]
        container = {"imageUri": "demo/image", "env": env}
        installation.ask(request(f"j{number}", worker_pool_spec(containerSpec=container)))

    installation.clock.advance(seconds=61)
    installation.sweep()

    job_ids = [f"j{number}" for number in range(24)]
    assert all(installation.job(each).state in {State.SUBMITTED, State.RUNNING} for each in job_ids)
    check(installation, "first", *job_ids)


def test_demands_that_hardly_compress_make_nobody_else_wait_and_are_refused_in_the_end(
    installation: Installation,
) -> None:
    installation.stand_in.set_state(resource="shared", state="REBOOTING")
    installation.ask(request("first"))
    somebody_died_holding_the_bell(installation)
    for number in range(12):
        machine = {"machineType": random_text(230_000, number)}
        installation.ask(request(f"j{number}", worker_pool_spec(machine=machine)))
    installation.clock.advance(seconds=61)
    installation.sweep()
    installation.stand_in.set_state(resource="shared", state="RUNNING")

    installation.sweep()

    assert installation.job("first").state is State.SUBMITTED
    assert installation.resource().waiting == 0
    assert {installation.job(f"j{number}").outcome for number in range(12)} == {Outcome.REJECTED}


@pytest.mark.parametrize("specs", [2, 100])
def test_a_refusal_with_very_long_problems_is_recorded_and_announced(
    installation: Installation, specs: int
) -> None:
    characters = 200_000 // specs
    machines = [{"machineType": random_text(characters, number)} for number in range(specs)]

    installation.ask(request("j", *(worker_pool_spec(machine=each) for each in machines)))

    job = installation.job("j")
    assert (job.outcome, job.reason) == (Outcome.REJECTED, Reason.NO_MATCHING_POOL)
    assert installation.outcomes("j")[-1]["problems"]


def test_a_holder_who_is_rung_in_every_round_hands_on_at_the_deadline(
    tmp_path: Path, demo_project: str
) -> None:
    """However busy the bell, an invocation ends in its time, and asks for another one."""

    class Rung:
        """A store in which somebody rings whenever a holder is about to let go."""

        def __init__(self, documents: Any) -> None:
            self._documents = documents

        def __getattr__(self, name: str) -> Any:
            return getattr(self._documents, name)

        def commit(self, writes: Any) -> Any:
            if len(writes) == 1 and writes[0].path.startswith("bells/") and not writes[0].fields["holder"]:
                path = writes[0].path
                now = self._documents.read([path])[0]
                rung = {**now.fields, "rung": True}
                self._documents.commit([Replace(path=path, fields=rung, version=now.version)])
                installation.clock.advance(seconds=20)
            return self._documents.commit(writes)

    with Installation(tmp_path, demo_project, wrap=Rung) as installation:
        installation.ask(request("first"))
        somebody_died_holding_the_bell(installation)
        installation.ask(request("second"))
        installation.clock.advance(seconds=61)
        began = installation.clock()

        ring_with_bell(installation)

        assert installation.clock() - began < installation.system.settings.timing.invocation
        assert [m.topic for m in installation.publisher.messages if m.topic.endswith("/sweeps")]


def test_what_arrives_in_bulk_starts_by_priority_whatever_its_name(installing) -> None:
    """More arrivals than one round looks at: nothing starts before all were looked at."""
    installation = installing(pools=[pool(replicas=1)])
    installation.ask(request("first"))
    somebody_died_holding_the_bell(installation)
    for number in range(INBOX_LIMIT + 10):
        installation.ask(request(f"alpha-{number:03}", priority=10))
    installation.ask(request("zeta", priority=100))
    installation.finish_quietly("first")
    installation.clock.advance(seconds=61)

    installation.sweep()

    assert installation.job("zeta").state in {State.SUBMITTED, State.RUNNING}
    assert len(installation.resource().reservations) == 1
    assert installation.resource().waiting == INBOX_LIMIT + 10


def test_a_job_that_came_while_its_resource_was_away_is_refused_once_no_pool_fits(
    installation: Installation,
) -> None:
    installation.stand_in.set_state(resource="shared", state="REBOOTING")
    installation.ask(request("odd", worker_pool_spec(machine={"machineType": "n2-standard-8"})))
    installation.ask(request("fine"))
    assert installation.job("odd").state is State.QUEUED

    installation.stand_in.set_state(resource="shared", state="RUNNING")
    installation.sweep()

    assert installation.job("odd").outcome is Outcome.REJECTED
    assert installation.job("odd").reason is Reason.NO_MATCHING_POOL
    assert installation.job("fine").state in {State.SUBMITTED, State.RUNNING}
    check(installation, "odd", "fine")


def test_while_outcomes_cannot_be_published_nothing_begins_that_could_not_be_announced(
    installation: Installation,
) -> None:
    installation.ask(request("first"))
    document = installation.documents.read([resource_path(installation.name)])[0]
    pending = {
        f"research.gone-{number}": Unannounced(first=1, last=1, at=installation.clock())
        for number in range(UNANNOUNCED_LIMIT)
    }
    full = replace(installation.resource(), unannounced=pending)
    write = Replace(path=document.path, fields=write_resource(full), version=document.version)
    installation.documents.commit([write])

    installation.ask(request("second"))

    assert installation.states("second") == ["queued"]

    installation.clock.advance(minutes=3)
    for _ in range(11):
        installation.sweep()

    assert installation.job("second").state in {State.SUBMITTED, State.RUNNING}


def test_a_request_left_to_a_holder_who_died_in_a_resources_first_round_is_not_forgotten(
    tmp_path: Path, demo_project: str
) -> None:
    class Dies(BaseException):
        pass

    class FirstRoundFails:
        """The first round meets a rival; the process dies once it has taken the bell for the next."""

        def __init__(self, documents: Any) -> None:
            self._documents = documents
            self._alive = True
            self._rival = True

        def __getattr__(self, name: str) -> Any:
            return getattr(self._documents, name)

        def commit(self, writes: Any) -> Any:
            if self._rival and len(writes) > 1:
                self._rival = False
                raise Conflict("somebody was faster")
            versions = self._documents.commit(writes)
            if self._alive and writes[0].path.startswith("bells/"):
                self._alive = False
                raise Dies
            return versions

    with Installation(tmp_path, demo_project, wrap=FirstRoundFails) as installation:
        delivery = installation.delivery("job-requests", json.dumps(request("first")).encode())
        with pytest.raises(Dies):
            job_requested.handle(installation.system, delivery)
        job_requested.handle(installation.system, delivery)
        assert installation.states("first") == ["queued"]

        installation.clock.advance(seconds=61)
        installation.sweep()

        assert installation.job("first").state in {State.SUBMITTED, State.RUNNING}
