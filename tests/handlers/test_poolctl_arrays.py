"""`poolctl` and arrays: one row, what is known of members, and commands about all or one of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from poolqueue.cli.failures import Exit
from poolqueue.scheduling.jobs import State
from tests.handlers.test_forecasts import HALF_AN_HOUR, teach
from tests.handlers.test_poolctl import Poolctl
from tests.support.installation import Installation, pool, request


@pytest.fixture
def installation(tmp_path: Path, demo_project: str) -> Iterator[Installation]:
    with Installation(tmp_path, demo_project, pools=[pool(replicas=3)]) as installation:
        yield installation


@pytest.fixture
def poolctl(installation: Installation) -> Poolctl:
    return Poolctl(installation)


def begin(installation: Installation) -> None:
    """Three members at work, of which one is to fail; then one more instead of it."""
    installation.ask(request("sweep", array={"size": 1000}))
    installation.finish("sweep.1", "FAILED")


def words(told: str) -> str:
    return " ".join(told.split())


def test_an_array_is_one_row_with_how_far_it_is(installation: Installation, poolctl: Poolctl) -> None:
    begin(installation)

    rows = poolctl.listed()

    assert [(row["job_id"], row["state"], row["position"]) for row in rows] == [("sweep", "running", 1)]
    assert rows[0]["array"] == {"size": 1000, "at_work": 3, "ended": {"failed": 1}, "max_parallel": None}
    assert "1/1,000 ended, 3 at work, 1 failed" in words(poolctl.list("jobs"))


def test_an_array_of_which_no_member_waits_is_one_row_still(
    installation: Installation, poolctl: Poolctl
) -> None:
    installation.ask(request("sweep", array={"size": 3}))
    installation.ask(request("other"))

    rows = {row["job_id"]: row["state"] for row in poolctl.listed()}

    assert rows == {"sweep": "running", "other": "queued"}


def test_an_array_is_told_when_its_next_member_is_expected_to_start_and_its_last_to_end(
    installation: Installation, poolctl: Poolctl
) -> None:
    installation.ask(request("sweep", array={"size": 8}))
    installation.wait_running("sweep.0")
    teach(installation, installation.job("sweep").traits)

    now = installation.clock()
    (row,) = poolctl.listed()
    start, end = (
        (datetime.fromisoformat(row["expected"][at]) - now).total_seconds() / HALF_AN_HOUR
        for at in ("start_p50", "end_p50")
    )

    assert 0.5 < start < 1.5, "when one of the first three has ended"
    assert 2.5 < end < 5, "after three rounds, the last of which has two"
    assert "no estimate" not in poolctl.list("jobs")


def test_a_dry_run_tells_how_many_of_an_array_would_start_and_when_the_last_does(
    installation: Installation, poolctl: Poolctl, tmp_path: Path
) -> None:
    installation.ask(request("before"))
    installation.wait_running("before")
    installation.sweep()
    file = tmp_path / "request.json"
    file.write_text(json.dumps(request("sweep", array={"size": 7, "max_parallel": 2})))

    told = words(poolctl("submit", str(file), "--team", "research", "--dry-run"))
    (trial,) = json.loads(poolctl("submit", str(file), "--team", "research", "--dry-run", "--json"))["trials"]

    assert "sweep of team research, an array of 7 jobs, at most 2 at a time, would be accepted" in told
    assert "waits 5 of 7: array_at_maximum" in told
    assert "starts 2 of 7 now, the last at " in told
    assert (trial["jobs"], trial["jobs_start_now"], trial["starts_now"]) == (7, 2, True)
    assert not installation.documents.read(["jobs/research.sweep"])[0].exists


def test_members_that_ended_are_counted_but_not_listed(installation: Installation, poolctl: Poolctl) -> None:
    begin(installation)
    installation.ask(request("other", priority=90))
    installation.finish("sweep.0")
    installation.finish("other")

    told = poolctl("jobs", "--ended")

    assert "2 members of arrays are left out: see poolctl explain ARRAY" in told
    assert [row["job_id"] for row in poolctl.listed("--ended")] == ["other"]


def test_an_array_is_explained_by_its_members_those_that_failed_first(
    installation: Installation, poolctl: Poolctl
) -> None:
    begin(installation)

    told = words(poolctl("explain", "sweep", "--team", "research"))

    assert "members 1,000, sweep.0 to sweep.999" in told
    assert "failed 1 member: 1 at work 3 members: 0, 2-3 wait 996 members: 4-999" in told
    assert "turn 1 of 996" in told
    assert "sweep.1 of team research: failed" in words(poolctl("explain", "sweep.1", "--team", "research"))


def test_a_job_that_is_an_array_shows_its_members_those_that_failed_first(
    installation: Installation, poolctl: Poolctl
) -> None:
    begin(installation)

    shown = json.loads(poolctl("job", "sweep", "--team", "research", "--json"))

    assert [each["job_id"] for each in shown["members"]] == ["sweep.1", "sweep.0", "sweep.2", "sweep.3"]
    assert [each["outcome"] for each in shown["members"]][:2] == ["failed", None]


def test_members_are_listed_when_they_are_asked_for(installation: Installation, poolctl: Poolctl) -> None:
    begin(installation)

    told = json.loads(poolctl.list("jobs", "--name", "sweep.*", "--json"))

    assert sorted(row["job_id"] for row in told["jobs"]) == ["sweep.0", "sweep.2", "sweep.3"]


def test_a_member_that_waits_is_explained_by_its_array(installation: Installation, poolctl: Poolctl) -> None:
    begin(installation)

    told = poolctl("explain", "sweep.500", "--team", "research", exit_code=Exit.REFUSED)

    assert "sweep.500 has no job of its own: it waits in the line of its array" in words(told)


def test_arrays_and_members_are_cancelled_by_their_ids(installation: Installation, poolctl: Poolctl) -> None:
    begin(installation)
    told = poolctl("cancel", "sweep.7", "--team", "research", "--reason", "r")
    assert "done: cancelled; it will not run" in told

    told = poolctl("cancel", "sweep", "--team", "research", "--reason", "r")

    assert "995 waited and will not run, 3 are being cancelled" in words(told)
    assert installation.job("sweep").state is State.CANCELLING
