"""Jobs that are held: they keep their place, and no decision considers them until they are released."""

from __future__ import annotations

from datetime import timedelta

from poolqueue.config import Settings
from poolqueue.scheduling.jobs import Outcome, Reason, State
from poolqueue.viewing.explained import explained_in, facts_of
from poolqueue.viewing.reading import Reader
from poolqueue.viewing.views import ResourceView
from tests.support.installation import Installation, request, worker_pool_spec
from tests.support.soundness import check

TWO = (worker_pool_spec(), worker_pool_spec())


def reader(installation: Installation) -> Reader:
    return Reader.of(installation.documents, Settings.model_validate(installation.fields))


def view(installation: Installation) -> ResourceView:
    (seen,) = reader(installation).resources(now=installation.clock())
    return seen


def test_a_request_that_asks_for_it_is_held_until_somebody_releases_it(installation: Installation) -> None:
    installation.ask(request("j", hold=True))
    installation.ask(request("later"))
    assert installation.states("j") == ["held"]
    assert installation.outcomes("j")[0]["reason"] == "on_hold"
    assert installation.job("later").state is State.SUBMITTED

    installation.command(kind="release", job_id="j")

    assert installation.states("j") == ["held", "queued", "reserved", "submitted"]
    check(installation, "j", "later")


def test_a_held_job_lets_others_pass_and_keeps_its_place(installation: Installation) -> None:
    for job_id in ("first", "j", "later", "last"):
        installation.ask(request(job_id, *TWO))
    installation.command(kind="hold", job_id="j", reason="the data is late")
    assert installation.job("j").state is State.HELD
    assert installation.outcomes("j")[-1]["note"] == "tester: the data is late"
    installation.command(kind="release", job_id="j")

    installation.finish("first")
    assert installation.job("later").state is State.SUBMITTED, "it was promised to start next"
    installation.finish("later")

    assert (installation.job("j").state, installation.job("last").state) == (State.SUBMITTED, State.QUEUED)
    check(installation, "first", "j", "later", "last")


def test_a_held_job_is_shown_with_who_holds_it_and_why(installation: Installation) -> None:
    installation.ask(request("first", *TWO))
    installation.ask(request("j"))
    installation.command(kind="hold", job_id="j", author="ada", reason="the data is late")

    seen = view(installation)

    assert (seen.waiting, [each.job_id for each in seen.held]) == ((), ["j"])
    (shown,) = seen.held
    assert (shown.state, shown.reason, shown.note) == (State.HELD, Reason.ON_HOLD, "ada: the data is late")
    snapshot = reader(installation).snapshot(installation.name, now=installation.clock())
    assert snapshot is not None
    job = installation.job("j")
    explained = explained_in(snapshot, job, now=installation.clock(), highest_priority=100)
    facts = dict(facts_of(explained))
    assert facts["reason"] == "on_hold: ada: the data is late"
    assert "releases it" in facts["could start"]


def test_a_job_held_in_the_inbox_is_released_from_its_line(installation: Installation) -> None:
    installation.stand_in.set_state(resource="shared", state="REBOOTING")
    installation.ask(request("j"))
    installation.command(kind="hold", job_id="j")
    installation.stand_in.set_state(resource="shared", state="RUNNING")
    installation.sweep()
    assert installation.job("j").state is State.HELD

    installation.command(kind="release", job_id="j")

    assert installation.job("j").state is State.SUBMITTED
    check(installation, "j")


def test_a_held_job_that_no_pool_could_run_is_refused_when_it_is_released(installation: Installation) -> None:
    installation.ask(request("before"))
    installation.ask(request("j", worker_pool_spec(), worker_pool_spec(replicas=9), hold=True))
    assert installation.job("j").state is State.HELD

    installation.command(kind="release", job_id="j")

    job = installation.job("j")
    assert (job.outcome, job.reason) == (Outcome.REJECTED, Reason.ABOVE_CAPACITY)
    check(installation, "before", "j")


def test_a_held_job_ends_when_its_time_is_over(installation: Installation) -> None:
    deadline = installation.clock() + timedelta(hours=1)
    installation.ask(request("j", hold=True, deadline=deadline.isoformat()))
    installation.ask(request("other", hold=True))

    installation.clock.advance(hours=1)
    installation.sweep()

    job = installation.job("j")
    assert (job.outcome, job.reason) == (Outcome.EXPIRED, Reason.DEADLINE_PASSED)
    assert installation.job("other").state is State.HELD
    check(installation, "j", "other")


def test_a_held_job_can_be_cancelled(installation: Installation) -> None:
    installation.ask(request("j", hold=True))

    installation.command(kind="cancel", job_id="j")

    assert installation.states("j") == ["held", "ended"]
    assert view(installation).held == ()


def test_a_hold_by_two_people_is_the_first_ones_and_one_release_ends_it(installation: Installation) -> None:
    installation.ask(request("first", *TWO))
    installation.ask(request("j", *TWO))
    installation.command(kind="hold", job_id="j", author="ada", reason="mine")

    again = installation.command(kind="hold", job_id="j", author="bob")
    assert (again["result"], again["message"]) == ("done", "it is on hold already: ada: mine")
    installation.command(kind="release", job_id="j")

    assert installation.job("j").state is State.QUEUED


def test_what_runs_cannot_be_held(installation: Installation) -> None:
    installation.ask(request("j"))

    told = installation.command(kind="hold", job_id="j")

    assert told["result"] == "refused"
    assert "requeue" in told["message"]
