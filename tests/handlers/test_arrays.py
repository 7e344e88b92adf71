"""Arrays: one request, many jobs; one line in the queue and one document, however many of them wait."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from handlers import job_ended, job_requested
from poolqueue.records import queue_path, read_queue
from poolqueue.scheduling.jobs import Job, Outcome, Reason, State
from poolqueue.scheduling.waiting import Waiting
from tests.support.installation import LOCATION, Installation, pool, request, worker_pool_spec
from tests.support.meter import Meter

GRID = {"grid": {"lr": [0.1, 0.01], "seed": [1, 2, 3]}}


def installation_of(tmp_path: Path, project: str, *, replicas: int = 2, **more: Any) -> Installation:
    return Installation(tmp_path, project, pools=[pool(replicas=replicas)], **more)


def array(installation: Installation, job_id: str = "sweep") -> Job:
    return installation.job(job_id)


def lines(installation: Installation) -> list[Waiting]:
    shard = installation.documents.read([queue_path(installation.name, 0)])[0]
    return [line.waiting for line in read_queue([shard.fields]).lines.values()]


def running(installation: Installation) -> list[str]:
    return sorted(each.job_id for each in installation.resource().reservations.values())


def counts(installation: Installation) -> dict[str, int]:
    known = array(installation).array
    assert known is not None
    return known.counts()


def test_the_members_of_a_grid_run_one_after_the_other_until_all_have_ended(
    tmp_path: Path, demo_project: str
) -> None:
    with installation_of(tmp_path, demo_project) as installation:
        installation.ask(request("sweep", array=GRID))
        assert running(installation) == ["sweep.0", "sweep.1"]
        assert array(installation).state is State.RUNNING
        assert [(line.job_id, line.members) for line in lines(installation)] == [("sweep", ((2, 6),))]

        for n in range(6):
            installation.finish(f"sweep.{n}")

        ended = array(installation)
    assert (ended.state, ended.outcome) == (State.ENDED, Outcome.SUCCEEDED)
    assert ended.history[-1].note == "6 succeeded"
    assert lines(installation) == []
    assert [entry["state"] for entry in installation.outcomes("sweep")] == ["queued", "running", "ended"]
    states = [entry["state"] for entry in installation.outcomes("sweep.5")]
    assert states == ["queued", "reserved", "submitted", "ended"]


def test_a_member_runs_with_its_parameters_in_placeholders_and_environment(
    tmp_path: Path, demo_project: str
) -> None:
    spec = worker_pool_spec()
    spec["containerSpec"] |= {
        "args": ["--lr=${parameters.lr}", "${HOME}"],
        "env": [{"name": "SEED", "value": "s${parameters.seed}"}],
    }
    with installation_of(tmp_path, demo_project) as installation:
        installation.ask(request("sweep", spec, array=GRID))

        body = installation.call("GET", installation.job("sweep.1").custom_job or "")
    container = body["jobSpec"]["workerPoolSpecs"][0]["containerSpec"]
    assert body["displayName"] == "sweep [1]"
    assert (body["labels"]["pool_queue_job"], body["labels"]["pool_queue_member"]) == ("sweep", "1")
    assert container["args"] == ["--lr=0.1", "${HOME}"]
    assert {each["name"]: each["value"] for each in container["env"]} == {
        "SEED": "s2",
        "POOL_QUEUE_ARRAY_INDEX": "1",
        "POOL_QUEUE_ARRAY_SIZE": "6",
        "POOL_QUEUE_PARAMETER_LR": "0.1",
        "POOL_QUEUE_PARAMETER_SEED": "2",
    }


def test_no_more_members_run_than_max_parallel_allows_and_others_go_ahead(
    tmp_path: Path, demo_project: str
) -> None:
    with installation_of(tmp_path, demo_project, replicas=3) as installation:
        installation.ask(request("sweep", array={"size": 5, "max_parallel": 1}))
        installation.ask(request("other"))
        assert running(installation) == ["other", "sweep.0"]

        installation.finish("sweep.0")

        assert running(installation) == ["other", "sweep.1"]


def test_an_array_fails_if_a_member_does_and_says_how_many(tmp_path: Path, demo_project: str) -> None:
    with installation_of(tmp_path, demo_project) as installation:
        installation.ask(request("sweep", array={"size": 2}))
        installation.finish("sweep.0")
        installation.finish("sweep.1", "FAILED")

        ended = array(installation)
    assert (ended.outcome, ended.history[-1].note) == (Outcome.FAILED, "1 succeeded, 1 failed")


def test_the_end_of_a_member_that_is_told_twice_counts_once(tmp_path: Path, demo_project: str) -> None:
    with installation_of(tmp_path, demo_project, replicas=1) as installation:
        installation.ask(request("sweep", array={"size": 3}))
        installation.finish_quietly("sweep.0")
        line = installation.log_lines[0]
        installation.deliver_log_lines()

        for _ in range(2):
            job_ended.handle(installation.system, installation.delivery("job-ended", line))

        assert counts(installation) == {"succeeded": 1}


def test_an_array_that_is_published_again_is_a_duplicate(tmp_path: Path, demo_project: str) -> None:
    with installation_of(tmp_path, demo_project, replicas=1) as installation:
        delivery = installation.ask(request("sweep", array=GRID))
        before = array(installation)

        job_requested.handle(installation.system, delivery)
        installation.ask(request("sweep", array=GRID))
        installation.ask(request("sweep", array={"size": 6}))

        assert array(installation) == before
        assert running(installation) == ["sweep.0"]
        assert installation.dead_letters()[0]["problems"][0]["path"] == "job_id"


# --- commands --------------------------------------------------------------------------------------------


def test_cancelling_an_array_ends_who_waits_in_one_write_and_cancels_who_runs(
    tmp_path: Path, demo_project: str
) -> None:
    with installation_of(tmp_path, demo_project) as installation:
        installation.ask(request("sweep", array={"size": 1000}))
        meter = Meter(installation)
        with meter.running():
            answer = installation.command(kind="cancel", job_id="sweep")
        assert answer["message"] == (
            "cancelled; of its members 998 waited and will not run, 2 are being cancelled"
        )
        assert array(installation).state is State.CANCELLING
        assert meter.cost.writes <= 12

        for n in range(2):
            assert installation.job(f"sweep.{n}").state is State.CANCELLING
            installation.wait(lambda: len(installation.log_lines) == 2, "both to be cancelled")
        installation.deliver_log_lines()

        assert (array(installation).state, array(installation).outcome) == (State.ENDED, Outcome.CANCELLED)
        assert counts(installation) == {"cancelled": 1000}
        assert lines(installation) == []


def test_cancelling_a_member_that_waits_ends_it_alone_and_announces_it(
    tmp_path: Path, demo_project: str
) -> None:
    with installation_of(tmp_path, demo_project, replicas=1) as installation:
        installation.ask(request("sweep", array={"size": 4}))

        answer = installation.command(kind="cancel", job_id="sweep.2")

        assert answer["result"] == "done"
        assert installation.outcomes("sweep.2")[-1]["outcome"] == "cancelled"
        assert lines(installation)[0].members == ((1, 2), (3, 4))
        for n in (0, 1, 3):
            installation.finish(f"sweep.{n}")
        assert array(installation).outcome is Outcome.FAILED
        assert counts(installation) == {"succeeded": 3, "cancelled": 1}


def test_cancelling_a_member_that_runs_lets_the_next_one_start(tmp_path: Path, demo_project: str) -> None:
    with installation_of(tmp_path, demo_project, replicas=1) as installation:
        installation.ask(request("sweep", array={"size": 2}))
        installation.command(kind="cancel", job_id="sweep.0")
        installation.wait(lambda: installation.log_lines, "its end")
        installation.deliver_log_lines()
        installation.clock.advance(seconds=31)
        installation.sweep()

        assert running(installation) == ["sweep.1"]


def test_a_held_array_starts_no_member_until_it_is_released(tmp_path: Path, demo_project: str) -> None:
    with installation_of(tmp_path, demo_project, replicas=1) as installation:
        installation.ask(request("sweep", array={"size": 3}))
        installation.command(kind="hold", job_id="sweep")
        installation.finish("sweep.0")
        assert running(installation) == []
        assert array(installation).state is State.HELD

        installation.command(kind="release", job_id="sweep")

        assert running(installation) == ["sweep.1"]
        assert array(installation).state is State.RUNNING


def test_a_member_can_be_held_and_hurried_by_itself(tmp_path: Path, demo_project: str) -> None:
    with installation_of(tmp_path, demo_project, replicas=1) as installation:
        installation.ask(request("sweep", array={"size": 4}))
        installation.command(kind="hold", job_id="sweep.1")
        installation.command(kind="change", job_id="sweep.3", priority=90)

        installation.finish("sweep.0")
        assert running(installation) == ["sweep.3"]
        installation.finish("sweep.3")
        assert running(installation) == ["sweep.2"]
        installation.finish("sweep.2")

        assert running(installation) == []
        assert array(installation).state is State.RUNNING
        installation.command(kind="release", job_id="sweep.1")
        installation.finish("sweep.1")
        assert array(installation).outcome is Outcome.SUCCEEDED


def test_changing_an_array_changes_all_that_wait(tmp_path: Path, demo_project: str) -> None:
    with installation_of(tmp_path, demo_project, replicas=1) as installation:
        installation.ask(request("first"))
        installation.ask(request("sweep", array={"size": 3}))
        installation.ask(request("other", priority=60))

        installation.command(kind="change", job_id="sweep", priority=70)

        installation.finish("first")
        assert running(installation) == ["sweep.0"]
        assert installation.job("sweep.0").priority == 70


def test_retrying_an_array_runs_again_who_did_not_succeed(tmp_path: Path, demo_project: str) -> None:
    with installation_of(tmp_path, demo_project, replicas=1) as installation:
        installation.ask(request("sweep", array={"size": 3}))
        installation.finish("sweep.0")
        installation.finish("sweep.1", "FAILED")
        installation.command(kind="cancel", job_id="sweep")
        installation.wait(lambda: installation.log_lines, "its end")
        installation.deliver_log_lines()
        assert array(installation).outcome is Outcome.CANCELLED

        answer = installation.command(kind="retry", job_id="sweep")

        assert answer["result"] == "done", answer["message"]
        installation.clock.advance(seconds=31)
        installation.sweep()
        assert running(installation) == ["sweep.1"]
        again = installation.job("sweep.1")
        assert again.attempt == 2
        installation.finish("sweep.1")
        installation.finish("sweep.2")
        assert array(installation).outcome is Outcome.SUCCEEDED


def test_retrying_a_member_opens_its_array_again(tmp_path: Path, demo_project: str) -> None:
    with installation_of(tmp_path, demo_project, replicas=1) as installation:
        installation.ask(request("sweep", array={"size": 2}))
        installation.finish("sweep.0", "FAILED")
        installation.finish("sweep.1")
        assert array(installation).outcome is Outcome.FAILED

        installation.command(kind="retry", job_id="sweep.0")

        assert array(installation).state is State.RUNNING
        installation.finish("sweep.0")
        assert array(installation).outcome is Outcome.SUCCEEDED


def test_an_unknown_member_is_refused(tmp_path: Path, demo_project: str) -> None:
    with installation_of(tmp_path, demo_project, replicas=1) as installation:
        installation.ask(request("sweep", array={"size": 2}))

        answer = installation.command(kind="cancel", job_id="sweep.2")

    assert (answer["result"], answer["message"]) == (
        "refused",
        "team research has no job sweep.2; see poolctl jobs",
    )


# --- with what else a job may ask for --------------------------------------------------------------------


def test_a_job_that_depends_on_an_array_waits_for_the_end_of_all_members(
    tmp_path: Path, demo_project: str
) -> None:
    with installation_of(tmp_path, demo_project) as installation:
        installation.ask(request("sweep", array={"size": 2}))
        installation.ask(request("report", depends_on=["sweep"]))
        installation.finish("sweep.0")
        assert installation.job("report").state is State.HELD

        installation.finish("sweep.1")
        installation.run_asked_cycles()

        assert running(installation) == ["report"]


def test_an_array_whose_dependency_fails_ends_with_all_its_members(tmp_path: Path, demo_project: str) -> None:
    with installation_of(tmp_path, demo_project) as installation:
        installation.ask(request("data"))
        installation.ask(request("sweep", array={"size": 20}, depends_on=["data"]))
        installation.finish("data", "FAILED")
        installation.run_asked_cycles()

        assert array(installation).outcome is Outcome.CANCELLED
        assert counts(installation) == {"cancelled": 20}
        assert lines(installation) == []


def test_a_member_is_retried_by_the_rules_of_its_array(tmp_path: Path, demo_project: str) -> None:
    rules = {"attempts": 2, "backoff": "10s"}
    with installation_of(tmp_path, demo_project) as installation:
        installation.ask(request("sweep", array={"size": 1}, retries=rules))
        installation.finish("sweep.0", "FAILED")
        assert array(installation).state is State.RUNNING

        installation.clock.advance(seconds=60)
        installation.sweep()
        installation.finish("sweep.0")

        assert array(installation).outcome is Outcome.SUCCEEDED


def test_members_go_where_there_is_room_and_their_array_learns_of_their_end(
    tmp_path: Path, demo_project: str
) -> None:
    places = [
        {"project": demo_project, "location": LOCATION, "id": id_, "pools": [pool(replicas=1)]}
        for id_ in ("shared", "spare")
    ]
    with installation_of(tmp_path, demo_project, persistent_resources=places) as installation:
        installation.ask(request("before", job_spec={"persistentResourceId": "spare"}))
        installation.finish("before")
        installation.sweep()
        installation.ask(request("sweep", array={"size": 2}, alternatives=["spare"]))
        installation.run_asked_cycles()
        assert running(installation) == ["sweep.0"]
        assert [each.job_id for each in installation.resource("spare").reservations.values()] == ["sweep.1"]

        installation.finish("sweep.1")
        installation.finish("sweep.0")

        assert array(installation).outcome is Outcome.SUCCEEDED


def test_max_parallel_holds_over_all_resources_that_members_may_use(
    tmp_path: Path, demo_project: str
) -> None:
    places = [
        {"project": demo_project, "location": LOCATION, "id": id_, "pools": [pool(replicas=n)]}
        for id_, n in (("shared", 1), ("spare", 3))
    ]
    with installation_of(tmp_path, demo_project, persistent_resources=places) as installation:
        installation.ask(request("before", job_spec={"persistentResourceId": "spare"}))
        installation.finish("before")
        installation.sweep()
        limited = {"size": 5, "max_parallel": 2}
        installation.ask(request("sweep", array=limited, alternatives=["spare"]))

        done: set[str] = set()
        used: set[str] = set()
        while array(installation).state is not State.ENDED:
            installation.run_asked_cycles()
            installation.sweep()
            at_work = {
                each.job_id: id_
                for id_ in ("shared", "spare")
                for each in installation.resource(id_).reservations.values()
            }
            assert len(at_work) == min(2, 5 - len(done)), at_work
            first = min(at_work)
            used |= {*at_work.values()}
            installation.finish(first)
            done.add(first)
            installation.clock.advance(seconds=30)

        assert array(installation).outcome is Outcome.SUCCEEDED
        assert used == {"shared", "spare"}


def test_members_that_wait_too_long_expire_together(tmp_path: Path, demo_project: str) -> None:
    with installation_of(tmp_path, demo_project, replicas=1) as installation:
        installation.ask(request("sweep", array={"size": 5}, max_wait="1h"))
        installation.wait_running("sweep.0")
        installation.clock.advance(hours=2)
        installation.sweep()
        assert counts(installation) == {"expired": 4}
        assert array(installation).state is State.RUNNING

        installation.finish("sweep.0")

        assert array(installation).history[-1].note == "1 succeeded, 4 expired"


def test_an_array_that_no_pool_can_serve_is_rejected_as_a_whole(tmp_path: Path, demo_project: str) -> None:
    with installation_of(tmp_path, demo_project) as installation:
        installation.ask(request("before"))
        unknown = worker_pool_spec(machine={"machineType": "n9-standard-1"})
        installation.ask(request("sweep", unknown, array={"size": 5}))

        assert array(installation).outcome is Outcome.REJECTED
        assert counts(installation) == {"rejected": 5}
        installation.ask(request("sweep", array={"size": 2}))
        assert running(installation) == ["before", "sweep.0"]


def test_an_array_counts_with_all_its_members_against_what_may_wait(
    tmp_path: Path, demo_project: str
) -> None:
    team = {"name": "research", "topics": ["job-requests"], "max_waiting": 10}
    with installation_of(tmp_path, demo_project, settings={"teams": [team]}) as installation:
        installation.ask(request("sweep", array={"size": 11}))

        assert array(installation).reason is Reason.TOO_MANY_WAITING
