"""`poolctl simulate` on small traces: what it shows, what it tells beside, and how it fails."""

from __future__ import annotations

import io
import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from rich.console import Console
from typer.testing import CliRunner

from poolqueue.cli.app import app
from poolqueue.cli.failures import Exit
from poolqueue.cli.simulation_shown import figures_table, parts_table
from poolqueue.cli.sizing_shown import sizing_sentence, sizing_table
from poolqueue.simulation.metrics import By, figures, waits_by
from poolqueue.simulation.simulators import PolicyName
from poolqueue.simulation.sizing import find_replicas
from tests.unit.simulation.building import job, simulated, trace, workload

# On 4: the second waits for the first, the third may pass it, and the fourth is larger than 4.
ROWS = (
    "a,0,100,3,1,3,ann,vision,,",
    "b,10,50,4,1,4,bob,vision,,",
    "c,20,30,1,1,1,ann,,,",
    "d,30,9,5,1,5,,,,",
)
KEYS = {
    "jobs", "mean_wait_s", "p50_wait_s", "p90_wait_s", "p95_wait_s", "max_wait_s", "mean_bounded_slowdown",
    "makespan_s", "utilisation",
}  # fmt: skip


def poolctl(*arguments: object, exit_code: int = Exit.DONE) -> Result:
    ran = CliRunner().invoke(app, ["simulate", *map(str, arguments)])
    assert ran.exit_code == exit_code, ran.output
    return ran


def figures_of(*arguments: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(poolctl(*arguments, "--json").stdout)
    return found


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return trace(tmp_path, *ROWS)


# --- figures ---------------------------------------------------------------------------------------------


def test_json_has_one_key_per_policy_with_its_figures(small: Path) -> None:
    found = figures_of(small, "--capacity", 4, "--policy", "strict_fifo", "--policy", "best_effort_fifo")

    assert list(found) == ["strict_fifo", "best_effort_fifo"]
    assert set(found["strict_fifo"]) == KEYS
    assert [found[policy]["mean_wait_s"] for policy in found] == [73.333, 30]
    assert found["best_effort_fifo"]["utilisation"] == pytest.approx((300 + 200 + 30) / (4 * 150), abs=1e-6)


def test_without_a_policy_all_usual_ones_are_simulated(small: Path) -> None:
    assert len(figures_of(small, "--capacity", 4)) >= 3


def test_jobs_larger_than_the_capacity_are_counted_beside_the_result(small: Path) -> None:
    ran = poolctl(small, "--capacity", 4, "--policy", "easy", "--json")

    assert ran.stderr == "left out 1 job: it needs more than 4 GPUs\n"
    assert json.loads(ran.stdout)["easy"]["jobs"] == 3


def test_pools_come_from_a_file(small: Path, tmp_path: Path) -> None:
    pools = tmp_path / "pools.yaml"
    pools.write_text("- {id: small, gpus: 1, replicas: 1}\n- {id: large, gpus: 4, replicas: 1}\n")
    ran = poolctl(small, "--pools", pools, "--policy", "strict_fifo", "--json")

    assert "left out 1 job: no pool has machines of 5 GPUs\n" in ran.stderr
    assert json.loads(ran.stdout)["strict_fifo"]["mean_wait_s"] == pytest.approx((0 + 90 + 0) / 3)


def test_waits_are_broken_down_on_request(small: Path) -> None:
    found = figures_of(small, "--capacity", 4, "--policy", "strict_fifo", "--by", "user")["strict_fifo"]

    assert set(found) == {*KEYS, "by_user"}
    assert {user: waits["mean_wait_s"] for user, waits in found["by_user"].items()} == {"ann": 65, "bob": 90}


def test_a_pipe_gets_every_figure_in_full(small: Path) -> None:
    header, first, _, title, *parts = poolctl(
        small, "--capacity", 4, "--policy", "strict_fifo", "--by", "group"
    ).stdout.splitlines()

    assert set(header.split()) == {"policy", *KEYS}
    assert first.split()[:3] == ["strict_fifo", "3", "73.333"]
    assert title.split()[:3] == ["group", "policy", "jobs"]
    assert [part.split()[:4] for part in parts] == [
        ["vision", "strict_fifo", "2", "45.0"],
        ["(unknown)", "strict_fifo", "1", "130.0"],
    ]


def test_tables_fit_eighty_columns() -> None:
    week = 7 * 86_400
    jobs = [job(0, 9 * week, 4, user="界" * 40), job(1, 50 * week, 4), job(2, 0, 1, user="\x1b[31m")]
    runs = [simulated(policy, workload(*jobs)) for policy in PolicyName]
    console = Console(file=io.StringIO(), width=80)
    console.print(figures_table({run.policy: figures(run) for run in runs}))
    console.print(parts_table({run.policy: waits_by(run, By.USER) for run in runs}, By.USER))
    lines = console.file.getvalue().splitlines()

    assert max(Console().measure(line).maximum for line in lines) <= 80
    assert not [line for line in lines if "…" in line and "界" not in line]
    assert r"\x1b[31m" in console.file.getvalue()


def test_the_wait_until_a_place_is_firm_may_be_another(tmp_path: Path) -> None:
    """After the first has ended the short one goes first, unless the long one has a firm place by then."""
    rows = ("a,0,100,1,1,1,ann,,,", "long,1,100,1,1,1,ann,,,", "short,2,10,1,1,1,ann,,,")
    asked = (trace(tmp_path, *rows), "--capacity", 1, "--policy", "expected", "--run-times", "true")

    assert figures_of(*asked)["expected"]["mean_wait_s"] == 69
    assert figures_of(*asked, "--firm-after", "1s")["expected"]["mean_wait_s"] == 99


# --- other machines, and enough of them ------------------------------------------------------------------


def test_a_pool_is_resized(small: Path) -> None:
    found = figures_of(small, "--capacity", 4, "--resize", "gpus=8", "--policy", "strict_fifo")

    assert found["strict_fifo"]["jobs"] == 4
    assert found["strict_fifo"]["p50_wait_s"] == 0


def test_the_replicas_that_keep_waits_short_are_found(small: Path) -> None:
    options = ("--capacity", 4, "--find-replicas", "gpus", "--p90-wait", "10s", "--policy", "strict_fifo")
    ran = poolctl(small, *options, "--json")
    found = json.loads(ran.stdout)["strict_fifo"]

    assert (found["pool"], found["p90_wait_limit_s"], found["replicas"]) == ("gpus", 10, 8)
    assert [each["replicas"] for each in found["tried"]] == [4, 6, 7, 8]
    assert set(found["tried"][0]) == {"replicas", *KEYS} - {"makespan_s", "utilisation"}
    assert "strict_fifo: 8 replicas of gpus keep the p90 wait of its jobs within 10s (it is 0s)" in ran.stderr


def test_a_pipe_gets_what_was_tried_as_lines(small: Path) -> None:
    ran = poolctl(small, "--capacity", 4, "--find-replicas", "gpus", "--policy", "strict_fifo")
    header, *rows = ran.stdout.splitlines()

    assert header.split()[:4] == ["policy", "replicas", "jobs", "mean_wait_s"]
    assert rows[0].split()[:3] == ["strict_fifo", "4", "3"]
    assert "within 30m00s" in ran.stderr


def test_what_was_tried_is_shown_in_eighty_columns() -> None:
    work = workload(*[job(0, 9 * 86_400)] * 12)
    sizing = find_replicas(work, 0, p90_wait=86_400, simulate=lambda each: simulated("easy", each))
    console = Console(file=io.StringIO(), width=80)
    console.print(sizing_table(sizing))

    assert "…" not in console.file.getvalue()
    assert sizing_sentence(sizing, "gpus", timedelta(days=1)).startswith("11 replicas of gpus keep the p90")


# --- drawing ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["runs.svg", "runs.png"])
def test_a_drawing_is_made_beside_the_figures(small: Path, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    ran = poolctl(small, "--capacity", 4, "--policy", "easy", "--plot", path, "--json")

    assert json.loads(ran.stdout)["easy"]["jobs"] == 3
    assert f"drew {path}" in ran.stderr
    assert path.stat().st_size > 5_000


def test_without_matplotlib_it_is_said_what_to_install(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    ran = poolctl(small, "--capacity", 4, "--plot", tmp_path / "a.svg", exit_code=Exit.USAGE)

    assert ran.stderr == "poolctl: --plot needs matplotlib: pip install 'poolqueue[plot]'\n"


# --- failures --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--plot", "runs.pdf"), "--plot runs.pdf: give a name that ends in .svg or .png"),
        (("--plot", "/no/such/runs.svg"), "there is no folder /no/such; make it first"),
        (("--p90-wait", "30m"), "--p90-wait goes with --find-replicas POOL"),
        (("--policy", "easy", "--firm-after", "22h"), "--firm-after goes with --policy expected"),
        (("--find-replicas", "gpus", "--by", "user"), "ask for --plot and --by of one, with --resize"),
        (("--find-replicas", "a100"), "there is no pool a100; the pools are gpus"),
        (("--resize", "a100=2"), "there is no pool a100; the pools are gpus"),
        (("--resize", "gpus"), "'gpus' is not POOL=N"),
        (("--resize", "gpus=0"), "'gpus=0' is not POOL=N"),
        (("--find-replicas", "gpus", "--p90-wait", "soon"), "not a duration: write it as 90s, 30m"),
        (("--policy", "fastest"), "'fastest'"),
    ],
)
def test_wrong_usage_is_told(small: Path, options: tuple[str, ...], told: str) -> None:
    ran = poolctl(small, "--capacity", 4, *options, exit_code=Exit.USAGE)

    assert told in " ".join(ran.stderr.replace("│", " ").split())


def test_a_trace_must_be_given() -> None:
    assert "Give a TRACE, or --history 30d" in poolctl("--capacity", 4, exit_code=Exit.USAGE).stderr


@pytest.mark.parametrize("options", [(), ("--capacity", 4, "--pools", "pools.yaml")])
def test_capacity_or_pools_must_be_given(small: Path, options: tuple[object, ...]) -> None:
    assert "either --capacity N" in poolctl(small, *options, exit_code=Exit.USAGE).stderr


def test_a_malformed_trace_is_told_in_a_line(tmp_path: Path) -> None:
    path = trace(tmp_path, "a,0,soon,3,,,,,,")
    ran = poolctl(path, "--capacity", 4, exit_code=Exit.USAGE)

    assert ran.stderr.startswith(
        f"poolctl: {path}, row 2, column run_s: 'soon' is no number of seconds; give"
    )
    assert ran.stdout == ""


def test_a_trace_is_asked_for_the_columns_that_it_is_used_for(tmp_path: Path) -> None:
    path = trace(tmp_path, "a,0,5", header="job_id,submit_s,run_s")
    pools = tmp_path / "pools.yaml"
    pools.write_text("- {id: small, gpus: 1, replicas: 1}\n")

    assert "no column gpus" in poolctl(path, "--capacity", 4, exit_code=Exit.USAGE).stderr
    assert "no column replicas" in poolctl(path, "--pools", pools, exit_code=Exit.USAGE).stderr


def test_a_pools_file_that_is_not_there_is_told(small: Path) -> None:
    ran = poolctl(small, "--pools", "/does/not/exist", exit_code=Exit.USAGE)

    assert "/does/not/exist: No such file or directory; give a readable YAML file" in ran.stderr


def test_a_workload_without_jobs_is_told(tmp_path: Path) -> None:
    path = trace(tmp_path, "a,0,5,9,,,,,,")
    ran = poolctl(path, "--capacity", 4, exit_code=Exit.USAGE)

    assert "left out 1 job: it needs more than 4 GPUs" in ran.stderr
    assert "there is no job to simulate" in ran.stderr
