"""Arrays: one request, many jobs; one line in the queue and one document, however many of them wait."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from poolqueue.records import queue_path, read_queue
from poolqueue.scheduling.jobs import Job, Outcome, State
from poolqueue.scheduling.waiting import Waiting
from tests.support.installation import Installation, pool, request

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
