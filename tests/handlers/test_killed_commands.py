"""A process dies at each of its effects while it carries out a command, which comes again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from handlers import job_commanded
from handlers.delivery import Delivery
from poolqueue.records import PAUSES_PATH, read_pauses
from poolqueue.scheduling.jobs import Reason, State
from tests.support.deaths import Deaths, sweep_until_settled
from tests.support.installation import Installation, request, worker_pool_spec
from tests.support.soundness import check

TWO = (worker_pool_spec(), worker_pool_spec())
AT_WORK = {State.SUBMITTED, State.RUNNING}

Begin = Callable[[Installation], object]


def prepared(begin: Begin, kind: str, **named: Any) -> Callable[[Installation], Delivery]:
    def prepare(installation: Installation) -> Delivery:
        begin(installation)
        return installation.publish_command(id="c", kind=kind, **named)

    return prepare


def nothing(_installation: Installation) -> None:
    """The command that comes again makes good by itself what was begun, but for answers of Vertex AI."""


def is_done(installation: Installation) -> None:
    record = installation.documents.read(["commands/c"])[0].fields
    assert record is not None
    assert record["result"] == "done", record


# --- jobs ------------------------------------------------------------------------------------------------


def waits(installation: Installation) -> None:
    installation.ask(request("first", *TWO))
    installation.ask(request("j"))


def is_held(installation: Installation) -> None:
    installation.ask(request("first"))
    installation.ask(request("j", hold=True))


def runs(installation: Installation) -> None:
    installation.ask(request("j"))
    installation.wait_running("j")
    installation.sweep()


def has_ended(installation: Installation) -> None:
    installation.ask(request("j"))
    installation.finish("j", "FAILED", error={"code": 3, "message": "exit code 1"})


JOB_COMMANDS: dict[str, tuple[Begin, Mapping[str, Any], set[State]]] = {
    "hold": (waits, {}, {State.HELD}),
    "release": (is_held, {}, AT_WORK),
    "change": (waits, {"priority": 70}, {State.QUEUED}),
    "retry": (has_ended, {}, AT_WORK),
    "requeue": (runs, {}, {State.CANCELLING}),
}
"""For each kind from where it begins, what it names, and what the job is then."""


@pytest.mark.parametrize("kind", [*JOB_COMMANDS])
def test_while_it_commands_a_job(deaths: Deaths, kind: str) -> None:
    begin, fields, then = JOB_COMMANDS[kind]

    def verify(installation: Installation) -> None:
        is_done(installation)
        job = installation.job("j")
        assert [entry.command for entry in job.history].count("c") == 1
        assert job.state in then
        assert job.priority == fields.get("priority", 50)
        if then is AT_WORK:
            check(installation, *(["first", "j"] if begin is is_held else ["j"]))

    deaths.at_each_effect(
        handle=job_commanded.handle,
        prepare=prepared(begin, kind, job_id="j", **fields),
        verify=verify,
        repair=sweep_until_settled if then is AT_WORK else nothing,
    )


# --- pools and teams -------------------------------------------------------------------------------------

POOL = {"persistent_resource": "shared"}
TEAM = {"team": "research"}


def is_open(installation: Installation) -> None:
    installation.ask(request("j"))
    installation.wait_running("j")
    installation.sweep()


def is_drained(installation: Installation) -> None:
    is_open(installation)
    installation.command(kind="drain", **POOL)


def admits(installation: Installation) -> bool:
    """As a job finds it that comes now, and as all records say."""
    installation.ask(request("new"))
    resource = installation.resource()
    pauses = read_pauses(installation.documents.read([PAUSES_PATH])[0].fields)
    assert dict(resource.pauses.teams) == dict(pauses.teams)
    found = installation.job("new").state in AT_WORK
    assert found is not bool(resource.drained or pauses.teams)
    return found


STEERING: dict[str, tuple[Begin, Mapping[str, str], bool]] = {
    "drain": (is_open, POOL, False),
    "stop": (is_open, POOL, False),
    "resume": (is_drained, POOL, True),
    "pause": (is_open, TEAM, False),
}
"""For each kind from where it begins, what it names, and whether new jobs start then."""


@pytest.mark.parametrize("kind", [*STEERING])
def test_while_it_steers_a_pool_or_a_team(deaths: Deaths, kind: str) -> None:
    begin, named, then = STEERING[kind]

    def verify(installation: Installation) -> None:
        is_done(installation)
        assert admits(installation) is then
        by_command = [entry.reason for entry in installation.job("j").history if entry.command == "c"]
        assert by_command == ([Reason.REQUEUE_ASKED] if kind == "stop" else [])

    deaths.at_each_effect(
        handle=job_commanded.handle, prepare=prepared(begin, kind, **named), verify=verify, repair=nothing
    )


@pytest.mark.parametrize(("kind", "since"), [("drain", "resume"), ("pause", "unpause")])
def test_what_was_commanded_since_stays_when_the_message_comes_again(
    deaths: Deaths, kind: str, since: str
) -> None:
    begin, named, _ = STEERING[kind]

    def verify(installation: Installation) -> None:
        assert admits(installation)
        check(installation, "j", "new")

    deaths.at_each_effect(
        handle=job_commanded.handle,
        prepare=prepared(begin, kind, **named),
        look=lambda installation: installation.command(kind=since, **named),
        verify=verify,
        repair=nothing,
    )
