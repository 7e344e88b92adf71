"""`poolctl` and arrays: one row, what is known of members, and commands about all or one of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from poolqueue.cli.failures import Exit
from poolqueue.scheduling.jobs import State
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
