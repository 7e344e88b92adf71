from __future__ import annotations

import json

import pytest

from handlers import job_commanded
from poolqueue.scheduling.jobs import Outcome, Reason, State
from tests.support.installation import GPU, SMALL, Installation, pool, request, worker_pool_spec
from tests.support.soundness import check

TWO = (worker_pool_spec(), worker_pool_spec())
TEAMS = [
    {"name": "research", "topics": ["job-requests"], "command_topics": ["research-commands"]},
    {"name": "vision", "topics": ["vision"]},
]


def result(fields) -> tuple[str, str]:
    return fields["result"], fields["message"]


def cancelled(installation: Installation, job_id: str) -> None:
    assert (installation.job(job_id).outcome, installation.job(job_id).reason) == (
        Outcome.CANCELLED,
        Reason.ASKED,
    )


# --- cancel ----------------------------------------------------------------------------------------------


def test_a_waiting_job_is_cancelled_and_will_not_run(installation: Installation) -> None:
    installation.ask(request("first", *TWO))
    installation.ask(request("j"))

    status, _ = result(installation.command(kind="cancel", job_id="j"))

    assert status == "done"
    cancelled(installation, "j")
    assert installation.outcomes("j")[-1]["note"] == "tester: a test"
    installation.finish("first")
    cancelled(installation, "j")
    check(installation, "first", "j")


def test_a_running_job_is_cancelled_and_keeps_its_replicas_until_it_has_ended(
    installation: Installation,
) -> None:
    installation.ask(request("j", *TWO))
    installation.ask(request("next"))
    installation.wait_running("j")

    installation.command(kind="cancel", job_id="j")

    assert installation.job("j").state is State.CANCELLING
    assert installation.job("next").state is State.QUEUED
    installation.wait(lambda: installation.log_lines, "the log line of the cancelled job")
    installation.deliver_log_lines()
    cancelled(installation, "j")
    assert installation.job("next").state is State.SUBMITTED
    check(installation, "j", "next")


def test_a_job_whose_create_is_unresolved_is_cancelled_once_it_is_found(installation: Installation) -> None:
    error = {"method": "CreateCustomJob", "status": 500, "after_effect": True, "count": 1}
    installation.stand_in.behave(errors=[error])
    installation.ask(request("j"))

    status, message = result(installation.command(kind="cancel", job_id="j"))
    assert (status, "being submitted" in message) == ("done", True)
    installation.clock.advance(seconds=61)
    installation.sweep()

    installation.wait(lambda: installation.log_lines, "the log line of the cancelled job")
    installation.deliver_log_lines()
    cancelled(installation, "j")


def test_a_job_whose_create_was_lost_ends_when_that_is_settled(installation: Installation) -> None:
    installation.stand_in.behave(errors=[{"method": "CreateCustomJob", "status": 503, "count": 1}])
    installation.ask(request("j"))
    installation.command(kind="cancel", job_id="j")

    for _ in range(2):
        installation.clock.advance(minutes=5)
        installation.sweep()

    cancelled(installation, "j")
    assert not installation.alive()


def test_a_cancel_that_comes_while_the_create_call_is_under_way_cancels_what_it_makes(installing) -> None:
    installation = installing(wrap=CommandBeforeAnswer)
    store = installation.system.documents
    store.command = lambda: installation.command(kind="cancel", job_id="j")

    installation.ask(request("j"))

    installation.wait(lambda: installation.log_lines, "the log line of the cancelled job")
    installation.deliver_log_lines()
    cancelled(installation, "j")
    check(installation, "j")


class CommandBeforeAnswer:
    """Gives a command right before the answer to the first create call is recorded."""

    def __init__(self, documents) -> None:
        self._documents = documents
        self.command = None

    def __getattr__(self, name):
        return getattr(self._documents, name)

    def commit(self, writes):
        names = [write.fields.get("custom_job") for write in writes if hasattr(write, "fields")]
        command = self.command
        if command is not None and any(names):
            self.command = None
            command()
        return self._documents.commit(writes)


def test_a_cancel_that_vertex_ai_does_not_hear_is_repeated_by_the_sweep(installation: Installation) -> None:
    installation.ask(request("j"))
    installation.wait_running("j")
    installation.stand_in.behave(errors=[{"method": "CancelCustomJob", "status": 503, "count": 1}])

    _, message = result(installation.command(kind="cancel", job_id="j"))
    assert "did not answer" in message
    assert installation.alive()
    installation.clock.advance(seconds=61)
    installation.sweep()

    installation.wait(lambda: not installation.alive(), "the repeated cancel")
    installation.sweep()
    cancelled(installation, "j")


def test_a_cancel_of_a_job_that_ended_says_so(installation: Installation) -> None:
    installation.ask(request("j"))
    installation.finish("j")

    assert result(installation.command(kind="cancel", job_id="j")) == (
        "done",
        "the job had already ended: succeeded",
    )


def test_two_cancels_are_one(installation: Installation) -> None:
    installation.ask(request("j"))
    installation.wait_running("j")

    installation.command(kind="cancel", job_id="j")
    status, _ = result(installation.command(kind="cancel", job_id="j"))

    assert status == "done"
    assert installation.states("j").count("cancelling") == 1


def test_a_job_cancelled_in_the_inbox_never_starts(installation: Installation) -> None:
    installation.stand_in.set_state(resource="shared", state="REBOOTING")
    installation.ask(request("j"))
    installation.command(kind="cancel", job_id="j")
    installation.stand_in.set_state(resource="shared", state="RUNNING")

    installation.sweep()

    cancelled(installation, "j")
    assert not installation.events("custom_job_created")


def test_a_cancelled_id_is_taken(installation: Installation) -> None:
    installation.ask(request("first", *TWO))
    installation.ask(request("j"))
    installation.command(kind="cancel", job_id="j")

    installation.ask(request("j", priority=7))

    cancelled(installation, "j")
    assert any(body["reason"] == "id_taken" for body in installation.outcome_messages() if "reason" in body)


# --- whose ----------------------------------------------------------------------------------------------


def test_a_job_that_is_not_there_is_a_refused_command(installation: Installation) -> None:
    status, message = result(installation.command(kind="cancel", job_id="none"))

    assert status == "refused"
    assert "no job none" in message


def test_administrators_name_the_team_when_there_are_several(installing) -> None:
    installation = installing(settings={"teams": TEAMS})
    installation.ask(request("j"))

    assert result(installation.command(kind="cancel", job_id="j"))[0] == "refused"
    assert result(installation.command(kind="cancel", job_id="j", team="research"))[0] == "done"


def test_a_team_cancels_its_own_jobs_and_nobody_elses(installing) -> None:
    installation = installing(settings={"teams": TEAMS})
    installation.ask(request("mine"))
    installation.ask(request("theirs"), topic="vision")

    def say(**command):
        return result(installation.command(topic="research-commands", kind="cancel", **command))[0]

    assert say(job_id="mine") == "done"
    assert say(job_id="theirs") == "refused"
    assert say(job_id="theirs", team="vision") == "refused"
    assert installation.job("theirs", team="vision").state is State.SUBMITTED


def test_a_team_may_not_drain(installing) -> None:
    installation = installing(settings={"teams": TEAMS})
    installation.ask(request("j"))

    drain = installation.command(topic="research-commands", kind="drain", persistent_resource="shared")

    assert drain["result"] == "refused"
    assert not installation.resource().drained


def test_a_topic_that_nobody_named_commands_nothing(installation: Installation) -> None:
    installation.ask(request("j"))
    body = json.dumps({"id": "c", "kind": "cancel", "job_id": "j", "author": "a", "reason": "r"}).encode()

    job_commanded.handle(installation.system, installation.delivery("elsewhere", body))

    assert installation.job("j").state is State.SUBMITTED


# --- drain and resume ------------------------------------------------------------------------------------


def test_a_drained_resource_admits_nothing_until_it_is_resumed(installation: Installation) -> None:
    installation.ask(request("before"))
    installation.command(kind="drain", persistent_resource="shared", reason="new driver")
    installation.ask(request("j"))
    assert installation.job("j").history[-1].reason is Reason.DRAINED
    assert "new driver" in installation.outcomes("j")[-1]["note"]
    assert installation.job("before").state is State.SUBMITTED

    installation.command(kind="resume", persistent_resource="shared")

    assert installation.job("j").state is State.SUBMITTED


def test_a_drained_pool_holds_up_only_jobs_that_need_it(installing) -> None:
    installation = installing(pools=[pool(SMALL, 1, id="small"), pool(GPU, 1, id="gpu")])
    installation.ask(request("before"))
    installation.command(kind="drain", persistent_resource="shared", pool="gpu")

    installation.ask(request("gpu", worker_pool_spec(machine=GPU)))
    installation.finish("before")
    installation.ask(request("small"))

    assert installation.job("gpu").history[-1].reason is Reason.DRAINED
    assert installation.job("small").state is State.SUBMITTED
    installation.command(kind="resume", persistent_resource=installation.name.full, pool="gpu")
    assert installation.job("gpu").state is State.SUBMITTED


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ({"persistent_resource": "other"}, "no job ever named"),
        ({"persistent_resource": "shared", "pool": "none"}, "has no pool none"),
    ],
)
def test_what_is_not_there_cannot_be_drained(installation: Installation, command, told) -> None:
    installation.ask(request("j"))

    status, message = result(installation.command(kind="drain", **command))

    assert status == "refused"
    assert told in message


def test_a_drain_outlives_the_sweep(installation: Installation) -> None:
    installation.ask(request("before"))
    installation.command(kind="drain", persistent_resource="shared")
    installation.ask(request("j"))

    installation.sweep()

    assert installation.job("j").state is State.QUEUED


# --- ids and results -------------------------------------------------------------------------------------


def test_a_command_delivered_again_is_carried_out_once(installation: Installation) -> None:
    installation.ask(request("before"))
    drain = {"id": "d", "kind": "drain", "persistent_resource": "shared"}
    installation.command(**drain)
    installation.command(kind="resume", persistent_resource="shared")

    installation.command(**drain)

    assert not installation.resource().drained


def test_a_command_without_an_id_gets_one_from_its_message(installation: Installation) -> None:
    installation.ask(request("j"))
    body = json.dumps({"kind": "cancel", "job_id": "j", "author": "a", "reason": "r"}).encode()
    delivery = installation.delivery("job-commands", body)

    job_commanded.handle(installation.system, delivery)
    job_commanded.handle(installation.system, delivery)

    assert installation.job("j").state is State.CANCELLING


def test_another_command_under_a_used_id_is_refused_where_it_can_be_read(installation: Installation) -> None:
    installation.ask(request("j"))
    first = installation.command(id="same", kind="cancel", job_id="none")

    again = installation.command(id="same", kind="cancel", job_id="j")

    assert again == first
    assert installation.job("j").state is State.SUBMITTED
    (letter,) = installation.dead_letters()
    assert letter["problems"][0]["path"] == "id"


def test_a_malformed_command_under_a_used_id_is_not_lost(installation: Installation) -> None:
    installation.command(id="same", kind="cancel", job_id="none")
    body = json.dumps({"id": "same", "kind": "explode"}).encode()
    delivery = installation.delivery("job-commands", body)

    job_commanded.handle(installation.system, delivery)

    assert [letter["data"] for letter in installation.dead_letters()] == [body]


@pytest.mark.parametrize("data", [b"", b"\xff", b"[]", b'{"kind": "explode"}', b"{", b'{"id": "../x"}'])
def test_a_malformed_command_has_its_problems_as_its_result(installation: Installation, data: bytes) -> None:
    delivery = installation.delivery("job-commands", data)

    job_commanded.handle(installation.system, delivery)
    job_commanded.handle(installation.system, delivery)

    (fields,) = installation.commands()
    assert fields["result"] == "refused"
    assert fields["message"]
    (letter,) = installation.dead_letters()
    assert letter["data"] == data
    assert installation.documents.read([f"commands/{letter['command']}"])[0].exists
