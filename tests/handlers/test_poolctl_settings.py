"""`poolctl diff`, `apply` and `settings` on a whole installation: through the real handler, and back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from poolqueue.cli.failures import Exit
from poolqueue.scheduling.jobs import State
from tests.handlers.test_poolctl import Poolctl
from tests.support.installation import Installation, request

RESEARCH = {"name": "research", "topics": ["job-requests"]}


@pytest.fixture
def installation(tmp_path: Path, demo_project: str) -> Iterator[Installation]:
    with Installation(tmp_path, demo_project) as installation:
        installation.sweep()  # which notes the file that the functions are deployed with
        yield installation


@pytest.fixture
def poolctl(installation: Installation) -> Poolctl:
    return Poolctl(installation)


@pytest.fixture
def write(installation: Installation, tmp_path: Path):
    """Writes the installation's settings with some fields changed; the file's name."""

    def file(**changes: Any) -> str:
        path = tmp_path / "changed.yaml"
        path.write_text(json.dumps({**installation.fields, **changes}, indent=1))
        return str(path)

    return file


# --- diff ------------------------------------------------------------------------------------------------


def test_diff_ends_with_0_where_nothing_differs_and_with_1_where_something_does(
    poolctl: Poolctl, write
) -> None:
    assert "nothing that takes effect differs" in poolctl("diff", write())

    told = poolctl("diff", write(teams=[{**RESEARCH, "weight": 3}]), exit_code=1)

    assert "team research  weight  1.0 -> 3.0" in told


def test_diff_compares_with_what_was_applied_last(poolctl: Poolctl, write) -> None:
    slower = write(pacing={"creates_per_minute": 9})
    poolctl("apply", slower, "--reason", "slower", "--yes", "--author", "ann")

    told = poolctl("diff", slower)
    assert "version 1, applied " in told
    assert " by ann: slower" in told
    assert "pacing  creates_per_minute  9 -> 10000" in poolctl("diff", write(), exit_code=1)


def test_diff_tells_what_would_be_refused_and_what_terraform_must_make(
    installation: Installation, poolctl: Poolctl, write
) -> None:
    installation.ask(request("j"))
    quotas = {"research": {"*": {"guaranteed": 9}}}
    changed = write(
        teams=[{**RESEARCH, "topics": ["job-requests", "more"]}], resource_defaults={"quotas": quotas}
    )

    told = poolctl("diff", changed, exit_code=1)
    assert "would be refused: resource_defaults.quotas: 9 replicas of pool" in told
    assert "note: Terraform must make the topic more" in told


def test_diff_as_json_is_for_programs(poolctl: Poolctl, write) -> None:
    told = json.loads(poolctl("diff", write(resource_defaults={"max_pending": "90m"}), "--json", exit_code=1))

    assert told == {
        "base_version": 0,
        "equal": False,
        "differences": [{"part": "every resource", "field": "max_pending", "old": "30m", "new": "90m"}],
        "problems": [],
        "notes": [],
    }


def test_a_file_that_is_wrong_is_told_field_by_field(poolctl: Poolctl, write) -> None:
    told = poolctl("diff", write(resource_defaults={"patience": "1h"}, colour=1), exit_code=Exit.USAGE)

    assert "resource_defaults.patience: is no setting any more" in told
    assert "colour: is not a setting" in told
    assert "No such file" in poolctl("diff", "nowhere.yaml", exit_code=Exit.USAGE)


def test_without_anything_to_compare_with_it_says_what_to_name(
    tmp_path: Path, demo_project: str, write
) -> None:
    with Installation(tmp_path / "fresh", demo_project) as fresh:
        poolctl = Poolctl(fresh)

        assert "name that with --settings" in poolctl("diff", write(), exit_code=Exit.USAGE)
        assert "nothing that takes effect" in poolctl("diff", write(), "--settings", write())


# --- apply -----------------------------------------------------------------------------------------------


def test_apply_shows_the_difference_and_tells_the_result(
    installation: Installation, poolctl: Poolctl, write
) -> None:
    told = poolctl("apply", write(pacing={"creates_per_minute": 9}), "--reason", "slower", "--yes")

    assert "pacing  creates_per_minute  10000 -> 9" in told
    assert "done: version 1 is in force: pacing: creates_per_minute 10000 -> 9" in told
    assert installation.system.refreshed().settings.pacing.creates_per_minute == 9


@pytest.mark.parametrize(("answer", "exit_code"), [(True, 0), (False, 1), (None, 2)])
def test_apply_asks_first(poolctl: Poolctl, write, answer: bool | None, exit_code: int) -> None:
    poolctl.answer = answer
    poolctl("apply", write(pacing={"creates_per_minute": 9}), "--reason", "slower", exit_code=exit_code)

    assert poolctl.asked == ["Apply it in place of version 0?"]
    assert bool(poolctl.publisher.published) == bool(answer)


def test_apply_is_refused_if_somebody_else_was_faster_unless_forced(
    installation: Installation, poolctl: Poolctl, write
) -> None:
    mine = write(pacing={"creates_per_minute": 9})
    theirs = json.dumps({**installation.fields, "pacing": {"creates_per_minute": 8}})
    poolctl.publisher.before = lambda: installation.command(kind="apply", settings=theirs, reason="ours")

    told = poolctl("apply", mine, "--reason", "slower", "--yes", exit_code=Exit.REFUSED)
    assert "refused: version 1 is in force (by tester: ours)" in told

    theirs = theirs.replace("8", "7")
    assert "done: version 3" in poolctl("apply", mine, "--reason", "slower", "--yes", "--force")


def test_what_is_in_force_already_is_not_applied_again(poolctl: Poolctl, write) -> None:
    slower = write(pacing={"creates_per_minute": 9})
    poolctl("apply", slower, "--reason", "slower", "--yes")

    assert "done: version 1 is in force and says the same" in poolctl("apply", slower, "--reason", "again")
    assert json.loads(poolctl("apply", slower, "--reason", "again", "--json"))["command"] is None


def test_apply_tells_programs_the_difference_and_the_result(poolctl: Poolctl, write) -> None:
    asked = ("apply", write(pacing={"creates_per_minute": 9}), "--reason", "slower", "--yes", "--json")
    fields = json.loads(poolctl(*asked))

    assert [each["new"] for each in fields["differences"]] == [9]
    assert fields["command"]["result"] == "done"
    assert fields["command"]["message"].startswith("version 1 ")
    assert len(poolctl.publisher.published) == 1


def test_a_refusal_is_told_line_by_line(installation: Installation, poolctl: Poolctl, write) -> None:
    installation.ask(request("j"))
    changed = write(teams=[{"name": "other", "topics": ["other"]}])
    told = poolctl("apply", changed, "--reason", "x", "--yes", exit_code=Exit.REFUSED)
    in_json = poolctl("apply", changed, "--reason", "x", "--yes", "--json", exit_code=Exit.REFUSED)
    assert json.loads(in_json)["command"]["result"] == "refused"

    assert "refused: the settings do not fit what is there:\n  teams: team research would vanish" in told


# --- settings --------------------------------------------------------------------------------------------


def test_settings_shows_what_can_be_applied_again(poolctl: Poolctl, write, tmp_path: Path) -> None:
    slower = write(pacing={"creates_per_minute": 9})
    poolctl("apply", slower, "--reason", "slower", "--yes", "--author", "ann")
    applied = Path(slower).read_text()
    poolctl("apply", write(), "--reason", "as before", "--yes")

    told = poolctl("settings", "--version", "1")

    assert told.startswith("version 1, applied ")
    assert applied in told
    assert json.loads(poolctl("settings", "--json"))["version"] == 2
    assert "there is no version 7" in poolctl("settings", "--version", "7", exit_code=1)


def test_settings_before_any_was_applied_are_the_deployed_file(
    installation: Installation, poolctl: Poolctl
) -> None:
    told = poolctl("settings")

    assert "nothing was applied yet" in told
    assert installation.settings_text in told


def test_it_is_told_if_the_deployed_file_says_something_else(poolctl: Poolctl, write) -> None:
    poolctl("apply", write(pacing={"creates_per_minute": 9}), "--reason", "slower", "--yes")

    assert "the file that the functions are deployed with differs" in poolctl("settings")


def test_the_history_tells_who_applied_what_and_why(poolctl: Poolctl, write) -> None:
    assert "nothing was applied yet" in poolctl("settings", "--history")
    for number in (8, 9):
        changed = write(pacing={"creates_per_minute": number})
        poolctl("apply", changed, "--reason", f"to {number}", "--yes", "--author", "ann")

    header, second, first = poolctl("settings", "--history").splitlines()

    assert header.split() == ["version", "time", "author", "reason"]
    assert [row.split()[0] for row in (second, first)] == ["2", "1"]
    assert second.endswith("ann     to 9")
    told = json.loads(poolctl("settings", "--history", "--json"))
    assert [each["reason"] for each in told["versions"]] == ["to 9", "to 8"]


# --- by the settings in force ----------------------------------------------------------------------------


def test_poolctl_works_by_what_is_in_force(installation: Installation, poolctl: Poolctl, write) -> None:
    """It needs no settings file, and knows regions, policies and topics."""
    for job in ("one", "two", "three"):
        installation.ask(request(job))
    poolctl("apply", write(admin_command_topics=["admins"]), "--reason", "x", "--yes")

    assert "three" in poolctl("jobs")
    poolctl("cancel", "three", "--reason", "x", exit_code=Exit.DONE)
    assert poolctl.publisher.published[-1][0].endswith("/topics/admins")
    assert installation.job("three").state is State.ENDED
