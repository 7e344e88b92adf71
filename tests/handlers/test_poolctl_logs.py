"""`poolctl logs` on a whole installation whose jobs run as processes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from poolqueue.cli.failures import Exit
from poolqueue.scheduling.jobs import State
from tests.handlers.test_poolctl import Poolctl
from tests.support.installation import Installation, pool, request, worker_pool_spec

OF_TEAM = ("--team", "research")


@pytest.fixture
def installation(tmp_path: Path, demo_project: str) -> Iterator[Installation]:
    behaviour = {"run_processes": True}
    with Installation(tmp_path, demo_project, pools=[pool(replicas=4)], behaviour=behaviour) as installation:
        installation.sweep()
        yield installation


@pytest.fixture
def poolctl(installation: Installation) -> Poolctl:
    return Poolctl(installation)


def ask(installation: Installation, program: str, job_id: str = "j") -> None:
    container = {"imageUri": "demo/image", "command": ["python3", "-c", program]}
    installation.ask(request(job_id, worker_pool_spec(containerSpec=container)))


def pausing(until: Path) -> str:
    """A program that prints an epoch, and another once that file is there."""
    return (
        "import pathlib, time\nprint('epoch 1', flush=True)\n"
        f"while not pathlib.Path({str(until)!r}).exists(): time.sleep(0.01)\n"
        "print('epoch 2')"
    )


def until_ended(installation: Installation, job_id: str = "j") -> None:
    """Deliver log lines until they have ended it."""

    def has_ended() -> bool:
        installation.deliver_log_lines()
        return installation.job(job_id).state is State.ENDED

    installation.wait(has_ended, f"the end of {job_id}")


def texts(told: str) -> list[str]:
    """Of what replicas wrote."""
    return [line.split("INFO     ", 1)[1] for line in told.splitlines() if "  workerpool" in line]


def test_what_a_job_wrote_is_shown_with_where_all_of_it_is(
    installation: Installation, poolctl: Poolctl
) -> None:
    ask(installation, "print('epoch 1'); print('\\x1b[2Jepoch 2')")
    until_ended(installation)
    told = poolctl("logs", "j", *OF_TEAM)

    head = "attempt 1 of research/j: https://console.cloud.google.com/logs/query"
    assert sum(head in line for line in told.splitlines()) == 1
    assert texts(told)[:2] == ["epoch 1", r"\x1b[2Jepoch 2"]
    assert "service        INFO     Job completed successfully." in told


def test_a_program_gets_it_as_json_and_no_more_than_it_asked_for(
    installation: Installation, poolctl: Poolctl
) -> None:
    ask(installation, "print('epoch 1')")
    until_ended(installation)
    fields = json.loads(poolctl("logs", "j", *OF_TEAM, "--json"))
    few = json.loads(poolctl("logs", "j", *OF_TEAM, "--json", "--lines", "1"))

    assert (fields["team"], fields["job_id"], fields["attempt"], fields["are_all"]) == (
        "research",
        "j",
        1,
        True,
    )
    assert fields["log"].startswith("https://console.cloud.google.com/logs/query")
    assert "epoch 1" in [each["text"] for each in fields["entries"] if each["writer"] == "workerpool0-0"]
    assert (few["entries"], few["are_all"]) == (fields["entries"][-1:], False)


def test_it_is_followed_from_before_its_start_until_its_end(
    installation: Installation, poolctl: Poolctl, tmp_path: Path
) -> None:
    go_on = tmp_path / "go-on"
    ask(installation, pausing(go_on), "first")
    installation.ask(request("j", *[worker_pool_spec()] * 4))

    def life() -> Iterator[None]:
        yield
        go_on.touch()
        until_ended(installation, "first")
        installation.run_asked_cycles()
        yield
        until_ended(installation)
        yield

    poolctl.meanwhile = life()
    told = poolctl("logs", "j", *OF_TEAM, "--follow")

    assert "no custom job yet (queued: needs_replicas): waiting for it" in told
    assert told.splitlines()[-1].endswith("Job completed successfully.")
    followed = poolctl("logs", "first", *OF_TEAM, "--follow", "--json").splitlines()
    head, *entries = [json.loads(line) for line in followed]
    assert head["log"].startswith("https://")
    assert [each["text"] for each in entries if each["text"].startswith("epoch")] == ["epoch 1", "epoch 2"]


def test_what_comes_while_it_is_followed_is_shown_once(
    installation: Installation, poolctl: Poolctl, tmp_path: Path
) -> None:
    go_on = tmp_path / "go-on"
    ask(installation, pausing(go_on))
    output = tmp_path / "output"

    def life() -> Iterator[None]:
        installation.wait(lambda: any(each.stat().st_size for each in output.glob("*/*.log")), "its output")
        yield
        yield
        go_on.touch()
        until_ended(installation)
        yield

    poolctl.meanwhile = life()
    told = texts(poolctl("logs", "j", *OF_TEAM, "--follow"))

    assert told == ["epoch 1", "epoch 2", "Task completed. Exit code (0). Exit reason (SUCCEEDED)"]


def test_following_goes_on_with_the_next_attempt_and_each_can_be_named(
    installation: Installation, poolctl: Poolctl, tmp_path: Path
) -> None:
    go_on = tmp_path / "go-on"
    ask(installation, pausing(go_on))

    def life() -> Iterator[None]:
        installation.wait_running("j")
        installation.sweep()
        poolctl_again("requeue", "j", *OF_TEAM, "--reason", "a test")
        yield
        go_on.touch()
        installation.wait(installation.deliver_log_lines, "its end")
        installation.run_asked_cycles()
        installation.wait(lambda: installation.job("j").attempt == 2, "another attempt")
        yield
        until_ended(installation)
        yield

    poolctl_again = Poolctl(installation)
    poolctl.meanwhile = life()
    told = poolctl("logs", "j", *OF_TEAM, "--follow")

    assert [line.split()[1] for line in told.splitlines() if line.startswith("attempt ")] == ["1", "2"]
    assert "Job cancelled." in told
    assert "Job cancelled." in poolctl("logs", "j", *OF_TEAM, "--attempt", "1")
    assert "Job completed successfully." in poolctl("logs", "j", *OF_TEAM)
    assert poolctl("logs", "j", *OF_TEAM, "--attempt", "1", "--follow", exit_code=Exit.REFUSED).endswith(
        "Job cancelled.\n"
    )
    none = poolctl("logs", "j", *OF_TEAM, "--attempt", "3", exit_code=Exit.REFUSED)
    assert "no log is known of attempt 3 of j; of these it is: 1, 2" in none


def test_one_that_fails_ends_the_following_with_1(installation: Installation, poolctl: Poolctl) -> None:
    ask(installation, "raise SystemExit(3)")
    until_ended(installation)

    assert "Job failed." in poolctl("logs", "j", *OF_TEAM, "--follow", exit_code=Exit.REFUSED)


def test_what_has_no_log_yet_is_told_so_with_what_to_do(installation: Installation, poolctl: Poolctl) -> None:
    ask(installation, "import time; time.sleep(600)", "first")
    installation.ask(request("j", *[worker_pool_spec()] * 4))

    told = poolctl("logs", "j", *OF_TEAM, exit_code=Exit.REFUSED)
    assert "no custom job was made of it yet; see poolctl explain j, or wait with --follow" in told

    installation.command(kind="cancel", job_id="j")
    told = poolctl("logs", "j", *OF_TEAM, "--follow", exit_code=Exit.REFUSED)
    assert "it ended before a custom job was made of it; see poolctl explain j" in told


def test_an_array_has_members_whose_logs_there_are(installation: Installation, poolctl: Poolctl) -> None:
    array = request("a", array={"size": 2})
    installation.ask(array)

    told = poolctl("logs", "a", *OF_TEAM, exit_code=Exit.REFUSED)
    assert "an array has no log of its own: name one of its members, such as a.0" in told


def test_who_may_not_read_logs_is_told_what_to_ask_for_and_where_the_log_is(
    installation: Installation, poolctl: Poolctl
) -> None:
    ask(installation, "pass")
    until_ended(installation)
    denied = {
        "method": "ListLogEntries",
        "status": 403,
        "message": "Permission 'logging.logEntries.list' denied",
    }
    installation.stand_in.behave(errors=[denied])

    for how in ([], ["--json"], ["--follow"]):
        told = poolctl("logs", "j", *OF_TEAM, *how, exit_code=Exit.UNREACHABLE)
        assert "Cloud Logging does not allow it in project " in told
        assert "ask for roles/logging.viewer" in told
        assert "https://console.cloud.google.com/logs/query" in told
        assert denied["message"] in told


def test_following_goes_on_when_there_is_no_answer_for_a_while(
    installation: Installation, poolctl: Poolctl
) -> None:
    ask(installation, "print('epoch 1')")
    until_ended(installation)
    installation.stand_in.behave(errors=[{"method": "ListLogEntries", "status": 503, "count": 2}])

    told = poolctl("logs", "j", *OF_TEAM, "--follow")

    assert told.count("cannot look: Cloud Logging does not answer") == 1
    assert "looking again" in told
    assert "epoch 1" in texts(told)


def test_where_nothing_was_written_it_says_why_that_may_be(
    installation: Installation, poolctl: Poolctl
) -> None:
    ask(installation, "pass")
    until_ended(installation)
    installation.clock.advance(hours=48)
    installation.ask(request("later"))  # for us two days later, of which no entry can be

    told = poolctl("logs", "later", *OF_TEAM)
    assert "no entries yet: Vertex AI writes the first when it prepares the machines" in told
