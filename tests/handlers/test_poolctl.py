"""`poolctl` on a whole installation: its commands reach the real handler, and it shows what is there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from handlers import job_commanded
from poolqueue.cli.app import app
from poolqueue.cli.failures import Exit
from poolqueue.cli.session import Outside
from poolqueue.config import Environment
from poolqueue.ports import Documents, PublishFailed, StoreUnavailable
from poolqueue.scheduling.jobs import Outcome, State
from tests.support.installation import GPU, LOCATION, Installation, pool, request, worker_pool_spec

TWO_POOLS = [pool(replicas=2, id="small"), pool(GPU, replicas=1, id="gpus")]


class DeliveringPublisher:
    """Delivers each command at once, as a push subscription would; `is_deaf` never, `is_down` fails."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self.published: list[tuple[str, dict[str, Any]]] = []
        self.is_deaf = self.is_down = False
        self.before: Callable[[], object] = lambda: None

    def publish(self, topic: str, body: bytes, attributes: Mapping[str, str]) -> None:
        if self.is_down:
            raise PublishFailed(topic)
        self.before()
        self.published.append((topic, json.loads(body)))
        if not self.is_deaf:
            delivery = self._installation.delivery(topic.rsplit("/", 1)[-1], body, attributes)
            job_commanded.handle(self._installation.system, delivery)

    def publish_all(self, messages: Any) -> None:
        for message in messages:
            self.publish(message.topic, message.body, message.attributes)


class Poolctl:
    """Runs `poolctl` in this process, with the installation's store and clock."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.publisher = DeliveringPublisher(installation)
        self.documents: Callable[[Environment, str], Documents] = lambda *_: installation.documents
        self.time = 0.0
        self.answer: bool | None = None
        self.asked: list[str] = []
        self.out = ""  # of the last one, without what went to standard error
        self.is_interrupted = False
        self.meanwhile: Iterator[object] | None = None  # goes on at each pause

    def __call__(self, *arguments: str, exit_code: int = Exit.DONE) -> str:
        outside = Outside(
            environment=lambda: Environment(
                project=self.installation.project, logging_endpoint=self.installation.stand_in.endpoint
            ),
            documents=self.documents,
            publisher=lambda _environment: self.publisher,
            now=self.installation.clock,
            monotonic=lambda: self.time,
            pause=self._pause,
            confirm=self._confirm,
        )
        ran = CliRunner().invoke(app, list(arguments), obj=outside)
        assert ran.exit_code == exit_code, ran.output
        self.out = ran.stdout
        return ran.output

    def list(self, *arguments: str) -> str:
        return self(*arguments, "--location", LOCATION)

    def listed(self, *arguments: str) -> list[dict[str, Any]]:
        jobs: list[dict[str, Any]] = json.loads(self.list("jobs", "--json", *arguments))["jobs"]
        return jobs

    def _confirm(self, question: str) -> bool | None:
        self.asked.append(question)
        return self.answer

    def _pause(self, seconds: float) -> None:
        if self.is_interrupted:
            raise KeyboardInterrupt
        self.time += seconds
        if self.meanwhile is not None:
            next(self.meanwhile, None)


@pytest.fixture
def installation(tmp_path: Path, demo_project: str) -> Iterator[Installation]:
    with Installation(tmp_path, demo_project, pools=TWO_POOLS) as installation:
        yield installation


@pytest.fixture
def poolctl(installation: Installation) -> Poolctl:
    return Poolctl(installation)


def fill(installation: Installation) -> None:
    """One job that runs on both replicas of the pool `small`, and one that waits for them."""
    installation.ask(request("first", worker_pool_spec(), worker_pool_spec()))
    installation.ask(request("second", priority=7))


# --- showing ---------------------------------------------------------------------------------------------


def test_jobs_shows_what_holds_replicas_and_why_the_others_wait(
    installation: Installation, poolctl: Poolctl
) -> None:
    fill(installation)
    header, first, second = poolctl.list("jobs").splitlines()

    assert header.split() == [
        "job", "team", "state", "resource", "pools", "prio", "turn", "time", "starts", "reason",
    ]  # fmt: skip
    assert first.split()[:6] == ["first", "research", "submitted", "shared", "small", "x2"]
    assert second.split()[:8] == ["second", "research", "queued", "shared", "small", "x1", "7", "1"]
    assert second.endswith("needs_replicas: small: needs 1, 0 free")


def test_explain_tells_why_a_job_waits_and_what_would_start_it_and_writes_nothing(
    installation: Installation, poolctl: Poolctl
) -> None:
    fill(installation)
    writes = installation.documents.counts.writes
    told = poolctl("explain", "second", "--team", "research")

    assert "needs_replicas: small: needs 1, 0 free" in told
    assert "held by research/first x2" in told
    assert "when research/first ends" in told
    assert "grow small by 1, to 3" in told
    assert installation.documents.counts.writes == writes


def test_explain_tells_what_holds_replicas_what_ended_and_what_is_not_known(
    installation: Installation, poolctl: Poolctl
) -> None:
    fill(installation)
    assert "first of team research: submitted" in poolctl("explain", "first", "--team", "research")

    installation.finish("first", "FAILED", error={"code": 3, "message": "exit status 1"})

    assert "exit status 1" in poolctl("explain", "first", "--team", "research")
    assert "has no job nobody" in poolctl("explain", "nobody", "--team", "research", exit_code=1)


def test_jobs_filters_by_state_team_and_resource(installation: Installation, poolctl: Poolctl) -> None:
    fill(installation)

    assert [job["job_id"] for job in poolctl.listed("--state", "queued")] == ["second"]
    assert [job["job_id"] for job in poolctl.listed("--state", "submitted")] == ["first"]
    assert poolctl.listed("--team", "nobody") == []
    assert len(poolctl.listed("--resource", installation.name.full)) == 2


def test_jobs_shows_so_many_and_counts_the_others(installation: Installation, poolctl: Poolctl) -> None:
    fill(installation)
    for number in range(4):
        installation.ask(request(f"more-{number}"))

    assert "… and 3 more (0 that hold replicas and 3 that wait)" in poolctl.list("jobs", "--limit", "2")


def test_jobs_ended_tells_outcome_and_error(installation: Installation, poolctl: Poolctl) -> None:
    fill(installation)
    installation.finish("first", "FAILED", error={"code": 3, "message": "\x1b[31mexit status 1"})

    assert [(job["job_id"], job["outcome"]) for job in poolctl.listed("--ended")] == [("first", "failed")]
    assert r"\x1b[31mexit status 1" in poolctl("jobs", "--ended")
    assert "no job that ended is one of these" in poolctl("jobs", "--ended", "--team", "vision")


def test_pools_tells_occupancy_and_holders(installation: Installation, poolctl: Poolctl) -> None:
    fill(installation)
    shown = poolctl.list("pools").splitlines()

    assert shown[0].startswith("shared  RUNNING, seen ")
    assert shown[2].split() == ["small", "2", "2", "0", "0", "0", "1"]
    assert shown[3].split() == ["gpus", "1", "0", "0", "0", "1", "0"]
    assert "small  held by research/first x2" in shown


def test_an_unknown_resource_is_refused_and_an_empty_installation_says_so(poolctl: Poolctl) -> None:
    told = poolctl("pools", "--location", LOCATION, "--resource", "other", exit_code=Exit.REFUSED)

    assert "no job ever named the persistent resource other" in told
    assert "no persistent resource is known" in poolctl.list("jobs")


# --- asking ----------------------------------------------------------------------------------------------


def test_cancel_ends_a_waiting_job(installation: Installation, poolctl: Poolctl) -> None:
    fill(installation)

    assert poolctl("cancel", "second", "--reason", "not needed") == "done: cancelled; it will not run\n"
    assert installation.job("second").outcome is Outcome.CANCELLED
    assert "not needed" in (installation.job("second").history[-1].note or "")


def test_cancel_asks_vertex_ai_to_cancel_a_running_job(installation: Installation, poolctl: Poolctl) -> None:
    fill(installation)
    installation.wait_running("first")

    assert (
        poolctl("cancel", "first", "--reason", "x") == "done: Vertex AI is cancelling it; it ends shortly\n"
    )
    assert installation.job("first").state is State.CANCELLING


def test_several_jobs_are_steered_at_once_each_with_its_result(
    installation: Installation, poolctl: Poolctl
) -> None:
    for job_id in ("first", "a", "b"):
        installation.ask(request(job_id, worker_pool_spec(), worker_pool_spec()))

    told = poolctl("hold", "a", "b", "none", "a", "--reason", "x", exit_code=Exit.REFUSED)

    assert told.splitlines() == [
        "a: done: it is held until somebody releases it",
        "b: done: it is held until somebody releases it",
        "none: refused: team research has no job none; see poolctl jobs",
    ]
    assert [(job["job_id"], job["state"], job["reason"]) for job in poolctl.listed("--state", "held")] == [
        ("a", "held", "on_hold"),
        ("b", "held", "on_hold"),
    ]
    released = json.loads(poolctl("release", "a", "b", "--json"))["commands"]
    assert [(each["job_id"], each["kind"], each["result"]) for each in released] == [
        ("a", "release", "done"),
        ("b", "release", "done"),
    ]


def test_a_waiting_job_gets_other_terms(installation: Installation, poolctl: Poolctl) -> None:
    installation.ask(request("first", worker_pool_spec(), worker_pool_spec()))
    installation.ask(request("j"))
    later = ("--deadline", "2099-01-01T00:00:00Z", "--max-wait", "8h")

    poolctl("priority", "j", "70", "--reason", "urgent")
    poolctl("change", "j", *later, "--alternative", "gpu-b", "--alternative", "any=30m", "--reason", "x")

    job = installation.job("j")
    assert (job.priority, job.max_wait, len(job.alternatives)) == (70, 28_800, 2)
    assert job.history[2].note == "priority 50 -> 70; " + str(job.history[2].note).partition("; ")[2]
    poolctl("change", "j", "--deadline", "none", "--alternative", "none", "--reason", "x")
    assert (installation.job("j").deadline, installation.job("j").alternatives) == (None, ())
    told = poolctl("change", "j", "--reason", "x", exit_code=Exit.USAGE)
    assert "changes nothing" in told


def test_a_running_job_is_requeued_and_an_ended_one_retried(
    installation: Installation, poolctl: Poolctl
) -> None:
    installation.ask(request("j"))
    installation.wait_running("j")

    poolctl("requeue", "j", "--hold", "--reason", "bad node")
    installation.wait(lambda: installation.log_lines, "the log line of the cancelled attempt")
    installation.deliver_log_lines()
    assert installation.job("j").state is State.HELD
    poolctl("release", "j")
    installation.finish("j", "FAILED")
    told = poolctl("retry", "j", "--reason", "again")

    assert told == "done: retried; it is submitted\n"
    assert installation.job("j").attempt == 3


def test_a_stop_asks_first_and_a_pause_is_shown(installation: Installation, poolctl: Poolctl) -> None:
    installation.ask(request("j"))
    poolctl("stop", "shared", "--reason", "x", exit_code=Exit.USAGE)
    poolctl.answer = False
    poolctl("stop", "shared", "--pool", "small", "--reason", "x", exit_code=Exit.REFUSED)
    assert poolctl.asked[-1] == "Admit nothing more to small, and requeue all that runs there?"
    assert installation.job("j").state is State.SUBMITTED

    poolctl("stop", "shared", "--pool", "small", "--reason", "x", "--yes")
    assert installation.job("j").state is State.CANCELLING
    poolctl("resume", "shared", "--pool", "small")
    poolctl("pause", "research", "--reason", "budget", "--author", "ann")
    installation.ask(request("waits"))

    (job,) = [job for job in poolctl.listed() if job["job_id"] == "waits"]
    assert (job["reason"], job["note"]) == ("team_paused", "team research, by ann: budget")
    told = poolctl("explain", "waits", "--team", "research")
    assert "when somebody unpauses its team" in told
    assert "poolctl unpause research" in told
    assert poolctl("unpause", "research") == "done: jobs of team research are admitted again\n"
    assert installation.job("waits").state is State.SUBMITTED


def test_cancel_of_an_unknown_job_is_refused(poolctl: Poolctl) -> None:
    told = poolctl("cancel", "nothing", "--reason", "x", exit_code=Exit.REFUSED)

    assert told == "refused: team research has no job nothing; see poolctl jobs\n"


def test_drain_keeps_jobs_waiting_and_resume_starts_them(
    installation: Installation, poolctl: Poolctl
) -> None:
    fill(installation)
    poolctl("drain", "shared", "--pool", "small", "--reason", "maintenance", "--author", "ann")
    installation.finish("first")

    assert [(job["job_id"], job["reason"]) for job in poolctl.listed()] == [("second", "drained")]
    assert "small  drained by ann" in poolctl.list("pools")

    poolctl("resume", "shared", "--pool", "small")

    assert installation.job("second").state is State.SUBMITTED


def test_a_command_goes_to_the_topic_given_with_its_author(poolctl: Poolctl) -> None:
    poolctl("drain", "shared", "--reason", "x", "--topic", "projects/p/topics/job-commands", exit_code=1)
    ((topic, body),) = poolctl.publisher.published

    assert topic == "projects/p/topics/job-commands"
    assert "@" in body["author"]
    assert body["id"].startswith("poolctl-")


def test_two_commands_have_two_ids(installation: Installation, poolctl: Poolctl) -> None:
    fill(installation)
    poolctl("drain", "shared", "--reason", "x")
    poolctl("drain", "shared", "--reason", "x")

    assert len({body["id"] for _, body in poolctl.publisher.published}) == 2


def test_a_command_that_nobody_takes_ends_the_waiting_and_says_how_to_look_again(
    installation: Installation, poolctl: Poolctl
) -> None:
    fill(installation)
    poolctl.publisher.is_deaf = True
    told = poolctl("cancel", "second", "--reason", "x", exit_code=Exit.NO_ANSWER)
    ((_, body),) = poolctl.publisher.published

    assert 30 <= poolctl.time < 31
    assert f"look again: poolctl result {body['id']}" in told
    poolctl("result", body["id"], exit_code=Exit.NO_ANSWER)
    assert '"result": null' in poolctl("result", body["id"], "--json", exit_code=Exit.NO_ANSWER)

    installation.command(**body)

    assert poolctl("result", body["id"]) == "done: cancelled; it will not run\n"
    assert json.loads(poolctl("result", body["id"], "--json")) == {
        "command_id": body["id"],
        "result": "done",
        "message": "cancelled; it will not run",
        "warnings": [],
    }


def test_an_interrupted_wait_tells_the_commands_id(poolctl: Poolctl) -> None:
    poolctl.publisher.is_deaf = poolctl.is_interrupted = True
    told = poolctl("cancel", "a", "--reason", "x", exit_code=Exit.INTERRUPTED)
    ((_, body),) = poolctl.publisher.published

    assert f"look again: poolctl result {body['id']}" in told


@pytest.mark.parametrize(
    "arguments",
    [
        ("cancel", "NO ID", "--reason", "x"),
        ("cancel", "a", "--reason", "x" * 501),
        ("cancel", "a", "--reason", "line\nbreak"),
        ("cancel", "a"),
        ("drain", "Not A Name", "--reason", "x"),
        ("jobs", "--location", LOCATION, "--resource", "Not A Name"),
        ("jobs", "--limit", "0"),
        ("jobs",),
        ("result", "a/b"),
        ("pools", "--settings", "/does/not/exist"),
    ],
)
def test_wrong_usage_publishes_nothing(poolctl: Poolctl, arguments: tuple[str, ...]) -> None:
    poolctl(*arguments, exit_code=Exit.USAGE)

    assert poolctl.publisher.published == []


def test_a_store_that_does_not_answer_is_one_line(poolctl: Poolctl) -> None:
    def fail(*_: object) -> Documents:
        raise StoreUnavailable("connection refused")

    poolctl.documents = fail
    told = poolctl("jobs", "--location", LOCATION, exit_code=Exit.UNREACHABLE)

    assert told == "poolctl: Firestore does not answer: look at the network, and try again\n"


def test_after_publishing_a_silent_store_still_tells_the_commands_id(poolctl: Poolctl) -> None:
    def fail(*_: object) -> Documents:
        raise StoreUnavailable("connection refused")

    poolctl.documents = fail
    told = poolctl("cancel", "a", "--reason", "x", exit_code=Exit.UNREACHABLE)

    assert "the command is published and takes its course; look again: poolctl result poolctl-" in told


def test_a_topic_that_does_not_answer_is_one_line(poolctl: Poolctl) -> None:
    poolctl.publisher.is_down = True
    told = poolctl("cancel", "a", "--reason", "x", exit_code=Exit.UNREACHABLE)

    assert told == "poolctl: Pub/Sub does not answer: look at the network, and try again\n"


def test_a_job_whose_create_was_never_answered_is_shown_as_unresolved(
    tmp_path: Path, demo_project: str
) -> None:
    timing = {"timing": {"call_timeout": "1s"}}
    with Installation(tmp_path, demo_project, settings=timing) as installation:
        installation.stand_in.behave(never_answer={"CreateCustomJob": 1})
        installation.ask(request("lost"))
        installation.clock.advance(minutes=3)

        (job,) = Poolctl(installation).listed()

    assert (job["state"], job["reason"]) == ("reserved", "submission_unresolved")
