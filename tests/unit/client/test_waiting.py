"""How a client waits: what it tells, when it gives up, and what silence it bears. No time passes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest
from google.api_core import exceptions

from poolqueue.adapters.memory import MemoryDocuments
from poolqueue.client import (
    JobCancelled,
    JobReport,
    NotConfigured,
    NotReadable,
    Outcome,
    RequestRefused,
    State,
    WaitedTooLong,
)
from poolqueue.client.errors import did_not_succeed
from poolqueue.config import Environment
from poolqueue.ports import Create, Document, PullFailed, Replace, StoreUnavailable
from poolqueue.records import job_path, write_job
from poolqueue.scheduling.jobs import Job, Move
from tests.unit.client.building import NOW, Clock, Script, queue


def job(state: State, outcome: Outcome | None = None, **changes: Any) -> Job:
    entry = Move(sequence=1, at=NOW, state=state, attempt=1, outcome=outcome, note=changes.pop("note", None))
    return Job(
        team="research",
        job_id="j",
        resource="demo-client.us-central1.gpu-a",
        priority=50,
        digest="d",
        display_name="resnet",
        custom_job_body="{}",
        demands=(),
        created=NOW,
        state=state,
        outcome=outcome,
        ended=NOW if outcome is not None else None,
        inbox=False,
        history=(entry,),
        **changes,
    )


class Life:
    """Records of a job that change at each pause: `None` is silence, an exception is raised."""

    def __init__(self, *changes: Job | Exception) -> None:
        self._changes = list(changes)
        self._documents = MemoryDocuments()
        self._error: Exception | None = None
        self.next()

    def next(self) -> None:
        change = self._changes.pop(0) if self._changes else None
        self._error = change if isinstance(change, Exception) else None
        if isinstance(change, Job):
            path, fields = job_path(change.key), write_job(change, retention=timedelta(days=30))
            there = self._documents.read([path])[0]
            write = (
                Replace(path=path, fields=fields, version=there.version)
                if there.exists
                else Create(path=path, fields=fields)
            )
            self._documents.commit([write])

    def read(self, paths: Sequence[str]) -> list[Document]:
        if self._error is not None:
            raise self._error
        return self._documents.read(paths)


def handle_of(life: Life, clock: Clock | None = None) -> Any:
    return queue(documents=life, clock=clock or Clock(life.next), team="research").handle("j")


QUEUED = job(State.QUEUED, note="gpus: needs 4, 1 free")
RUNNING = job(State.RUNNING)
SUCCEEDED = job(State.ENDED, Outcome.SUCCEEDED, custom_job="projects/1/locations/l/customJobs/2")
CANCELLED = job(State.ENDED, Outcome.CANCELLED, note="ann: wrong data")


def test_each_change_is_told_once_and_the_end_is_returned() -> None:
    told: list[JobReport] = []
    life = Life(QUEUED, QUEUED, RUNNING, RUNNING, SUCCEEDED)

    ended = handle_of(life).wait(on_change=told.append)

    assert [each.state for each in told] == [State.QUEUED, State.RUNNING, State.ENDED]
    assert ended is told[-1]
    assert ended.log_url is not None
    assert ended.console_url is not None


def test_pauses_grow_up_to_a_quarter_of_a_minute() -> None:
    life = Life(*[QUEUED] * 20, SUCCEEDED)
    clock = Clock(life.next)

    handle_of(life, clock).wait()

    assert clock.pauses[0] == 0.5
    assert max(clock.pauses) == clock.pauses[-1] == 15


def test_a_wait_ends_at_its_timeout_with_what_was_last_known() -> None:
    clock = Clock()

    with pytest.raises(WaitedTooLong, match="poolctl explain j") as too_long:
        handle_of(Life(QUEUED), clock).wait(timedelta(seconds=20))

    assert clock.seconds == 20
    assert too_long.value.report.note == "gpus: needs 4, 1 free"
    assert isinstance(too_long.value, TimeoutError)


def test_a_job_that_did_not_succeed_is_raised_or_returned() -> None:
    with pytest.raises(JobCancelled, match=r"cancelled: ann: wrong data\nnext: enqueue it under another"):
        handle_of(Life(CANCELLED)).wait()

    assert handle_of(Life(CANCELLED)).wait(check=False).outcome is Outcome.CANCELLED


def test_every_outcome_but_success_has_an_exception_of_its_own() -> None:
    kinds = {type(did_not_succeed(JobReport(job_id="j", outcome=outcome))) for outcome in Outcome}

    assert len(kinds) == len(Outcome)  # success is not asked for, and has the general one


def test_silence_is_borne_for_a_while() -> None:
    life = Life(RUNNING, StoreUnavailable("silent"), StoreUnavailable("silent"), SUCCEEDED)

    assert handle_of(life).wait().outcome is Outcome.SUCCEEDED


def test_silence_is_not_borne_for_ever() -> None:
    life = Life(RUNNING, *[StoreUnavailable("silent")] * 100)

    with pytest.raises(NotReadable, match="Firestore does not answer"):
        handle_of(life).wait()


def test_what_will_not_pass_is_raised_at_once_with_the_role_to_ask_for() -> None:
    life = Life(exceptions.PermissionDenied("no"))
    clock = Clock(life.next)

    with pytest.raises(NotReadable, match=r"ask for roles/datastore\.viewer on the database"):
        handle_of(life, clock).wait()

    assert clock.pauses == []


def test_a_fault_of_ours_is_seen_in_full() -> None:
    with pytest.raises(KeyError):
        handle_of(Life(KeyError("ours"))).wait()


def test_an_event_loop_is_not_blocked_by_a_wait() -> None:
    told: list[State | None] = []
    life = Life(SUCCEEDED)

    async def note(report: JobReport) -> None:
        told.append(report.state)

    ended = asyncio.run(handle_of(life).wait_async(1, on_change=note))

    assert (ended.outcome, told) == (Outcome.SUCCEEDED, [State.ENDED])


def test_a_wait_without_blocking_ends_at_its_timeout() -> None:
    with pytest.raises(WaitedTooLong):
        asyncio.run(handle_of(Life(QUEUED)).wait_async(0))


def test_a_report_in_a_line_hides_nothing_and_moves_nothing() -> None:
    hostile = job(State.QUEUED, note="a\x1b[2Jb\r\nc\u202ed")

    assert str(handle_of(Life(hostile)).status()) == "j: queued, a\\x1b[2Jb\\r\\nc\\u202ed"


def test_a_project_must_be_named() -> None:
    with pytest.raises(NotConfigured, match="GOOGLE_CLOUD_PROJECT"):
        queue(environment=Environment())


def test_a_topic_in_full_names_the_project() -> None:
    handle = queue(environment=Environment(), topic="projects/p/topics/t").handle("j")

    assert "projects/p/topics/t" in repr(handle)


def test_an_emulator_with_a_real_project_is_refused() -> None:
    environment = Environment(pubsub_emulator_host="127.0.0.1:1")

    with pytest.raises(NotConfigured, match="begins with demo-"):
        queue(environment=environment, project="production")


# --- by a subscription -----------------------------------------------------------------------------------


def said(sequence: int, state: str, **more: Any) -> Mapping[str, Any]:
    return {"job_id": "j", "team": "research", "state": state, "sequence": sequence, "attempt": 1, **more}


def heard_of(script: Script, clock: Clock | None = None, **where: Any) -> Any:
    return queue(subscription=script, clock=clock, outcomes="s", **where).handle("j")


def test_an_end_is_heard_and_everything_acknowledged() -> None:
    script = Script(
        [said(2, "running"), said(1, "queued"), {**said(1, "queued"), "job_id": "another"}, b"{}", b"\xff"],
        [said(2, "running")],
        [said(3, "ended", outcome="succeeded", ended="2026-11-23T18:00:00.000Z")],
    )
    told: list[State | None] = []

    ended = heard_of(script).wait(on_change=lambda report: told.append(report.state))

    assert told == [State.RUNNING, State.ENDED]
    assert (ended.outcome, ended.ended) == (Outcome.SUCCEEDED, NOW)
    assert len(script.acknowledged) == 7


def test_two_jobs_that_wait_share_what_is_heard() -> None:
    ended = {"outcome": "succeeded"}
    script = Script([said(1, "ended", **ended), {**said(1, "ended", **ended), "job_id": "k"}])
    shared = queue(subscription=script, outcomes="s")

    assert shared.handle("j").wait().job_id == "j"
    assert shared.handle("k").wait().job_id == "k"


def test_another_teams_job_of_the_same_id_is_another_job() -> None:
    script = Script([{**said(9, "ended", outcome="failed"), "team": "vision"}], [said(1, "running")])

    with pytest.raises(WaitedTooLong) as too_long:
        heard_of(script, team="research").wait(0)

    assert too_long.value.report.state is not State.ENDED


def test_why_a_job_was_cancelled_is_told_though_its_end_does_not_say_it() -> None:
    script = Script(
        [said(1, "cancelling", note="ann: wrong data")],
        [said(2, "ended", outcome="cancelled", error="CANCELED")],
    )

    with pytest.raises(JobCancelled, match="ann: wrong data"):
        heard_of(script).wait()


def test_a_subscription_that_is_not_there_says_where_it_is_made() -> None:
    failure = PullFailed("s")
    failure.__cause__ = exceptions.NotFound("none")

    with pytest.raises(NotReadable, match=r"docs/outcomes\.md"):
        heard_of(Script(failure)).wait()


def test_a_cancel_that_nobody_can_record_is_refused_before_it_is_published() -> None:
    with pytest.raises(RequestRefused, match="reason"):
        heard_of(Script()).cancel("")
