"""`poolctl watch`, `teams`, and the filters of `jobs`, on a whole installation."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from handlers import job_requested
from poolqueue.cli.failures import Exit
from poolqueue.ports import StoreUnavailable
from tests.handlers.test_poolctl import TWO_POOLS, Poolctl, fill
from tests.support.installation import Installation, request


@pytest.fixture
def installation(tmp_path: Path, demo_project: str) -> Iterator[Installation]:
    with Installation(tmp_path, demo_project, pools=TWO_POOLS) as installation:
        installation.sweep()
        yield installation


@pytest.fixture
def poolctl(installation: Installation) -> Poolctl:
    return Poolctl(installation)


def lines(told: str) -> list[str]:
    return [line.split("  ", 1)[-1].strip() for line in told.splitlines()]


# --- a job -----------------------------------------------------------------------------------------------


def test_a_job_is_watched_change_by_change_until_it_has_ended(
    installation: Installation, poolctl: Poolctl
) -> None:
    def life() -> Iterator[None]:
        yield
        installation.wait_running("j")
        installation.sweep()
        yield
        installation.finish("j")
        yield

    installation.ask(request("j"))
    poolctl.meanwhile = life()

    states = [line.split()[0] for line in lines(poolctl("watch", "j", "--team", "research"))]

    assert states == ["queued", "reserved", "submitted", "running", "succeeded"]


def test_one_that_fails_ends_the_watch_with_1(installation: Installation, poolctl: Poolctl) -> None:
    installation.ask(request("j"))
    installation.finish("j", "FAILED")

    told = poolctl("watch", "j", "--team", "research", "--json", exit_code=Exit.REFUSED)

    moves = [json.loads(line) for line in told.splitlines()]
    assert moves[-1]["outcome"] == "failed"
    assert [move["sequence"] for move in moves] == sorted({move["sequence"] for move in moves})


def test_it_says_when_it_cannot_look_and_goes_on(installation: Installation, poolctl: Poolctl) -> None:
    class Silent:
        is_silent = False

        def __getattr__(self, name: str) -> Any:
            if self.is_silent:
                raise StoreUnavailable("no answer")
            return getattr(installation.documents, name)

    store = Silent()
    poolctl.documents = lambda *_: store  # type: ignore[assignment,return-value]

    def life() -> Iterator[None]:
        store.is_silent = True
        yield
        yield
        store.is_silent = False
        installation.finish("j")
        yield

    installation.ask(request("j"))
    poolctl.meanwhile = life()

    told = poolctl("watch", "j", "--team", "research").splitlines()

    assert sum(line.startswith("cannot look: Firestore does not answer") for line in told) == 1
    assert told[-2].startswith("looking again") or "looking again" in told
    assert "succeeded" in told[-1]


def test_what_was_never_published_is_not_waited_for(poolctl: Poolctl) -> None:
    assert "has no job j" in poolctl("watch", "j", "--team", "research", exit_code=Exit.REFUSED)


def test_a_job_that_is_submitted_is_watched_from_when_it_is_recorded(
    installation: Installation, poolctl: Poolctl, tmp_path: Path
) -> None:
    published: list[tuple[str, bytes, Mapping[str, str]]] = []

    class Publisher:
        def publish(self, topic: str, body: bytes, attributes: Mapping[str, str]) -> None:
            published.append((topic.rsplit("/", 1)[-1], body, attributes))

    def life() -> Iterator[None]:
        yield
        job_requested.handle(installation.system, installation.delivery(*published[0]))
        yield
        installation.finish("j")
        yield

    poolctl.publisher = Publisher()  # type: ignore[assignment]
    poolctl.meanwhile = life()
    file = tmp_path / "request.json"
    file.write_text(json.dumps(request("j")))

    told = poolctl("submit", str(file), "--watch")

    assert told.splitlines()[0] == "published as job j of team research"
    assert "succeeded" in told.splitlines()[-1]


# --- all, teams, filters ---------------------------------------------------------------------------------


def test_all_jobs_are_watched_by_their_changes(installation: Installation, poolctl: Poolctl) -> None:
    def life() -> Iterator[None]:
        installation.finish("first")
        yield
        poolctl.is_interrupted = True
        yield

    fill(installation)
    poolctl.meanwhile = life()

    changes = lines(poolctl("watch", "--location", "us-central1", exit_code=Exit.INTERRUPTED))

    assert changes[0].startswith("research/first  submitted")
    assert changes[1].startswith("research/second  queued  needs_replicas")
    assert changes[2].startswith("research/second  submitted")
    assert changes[3].startswith("research/first  gone")


def test_teams_shows_shares_what_is_held_and_who_is_paused(
    installation: Installation, poolctl: Poolctl
) -> None:
    fill(installation)
    installation.command(kind="pause", team="research", reason="budget")

    (resource,) = json.loads(poolctl.list("teams", "--json"))["resources"]
    (team,) = resource["teams"]

    assert (team["team"], team["share"], team["waiting"]) == ("research", 1.0, 1)
    assert team["paused"] == {"author": "tester", "reason": "budget"}
    assert [(each["pool"], each["held"]) for each in team["pools"]] == [("small", 2), ("gpus", 0)]
    assert "paused by tester: budget" in poolctl.list("teams")


@pytest.mark.parametrize(
    ("filters", "shown"),
    [
        (("--name", "fir*"), ["first"]),
        (("--priority", "8"), ["first"]),
        (("--name", "*", "--state", "queued"), ["second"]),
        (("--name", "F*"), []),
    ],
)
def test_jobs_are_chosen_by_pattern_and_priority(
    installation: Installation, poolctl: Poolctl, filters: tuple[str, ...], shown: list[str]
) -> None:
    fill(installation)

    assert [job["job_id"] for job in poolctl.listed(*filters)] == shown


# --- one job ---------------------------------------------------------------------------------------------


def test_everything_about_a_job_is_shown(installation: Installation, poolctl: Poolctl) -> None:
    installation.ask(request("j"))
    installation.finish("j", "FAILED")

    told = poolctl("job", "j", "--team", "research")
    fields = json.loads(poolctl("job", "j", "--team", "research", "--json"))

    assert "submitted" in told
    assert "https://console.cloud.google.com/logs/query" in told
    assert [move["state"] for move in fields["history"]][-1] == "ended"
    assert fields["log"].startswith("https://")
