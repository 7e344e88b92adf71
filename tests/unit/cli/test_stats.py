"""`poolctl stats`: how good estimates have been."""

from __future__ import annotations

import io
import json
from datetime import timedelta

from rich.console import Console
from typer.testing import CliRunner

from poolqueue.cli.app import app
from poolqueue.cli.failures import Exit
from poolqueue.cli.session import Outside
from poolqueue.cli.stats import stats_table
from poolqueue.config import Environment
from poolqueue.ports import Create
from poolqueue.records import forecasts_path, write_scorecard
from poolqueue.scheduling.scorecard import OpenForecast, Scorecard, opened, started, withdrawn
from poolqueue.viewing.accuracy import ResourceStats
from tests.unit.cli.building import LOCATION, NAME, NOW, PROJECT, resource, store


def told(p50: float, p90: float) -> OpenForecast:
    return OpenForecast(made=NOW - timedelta(hours=1), p50=p50, p90=p90, sampled=(p50, p90), basis=9)


def card() -> Scorecard:
    """Twenty scored, of which 10 within p50 and 15 within p90; one open and overdue, and one withdrawn."""
    made = opened(Scorecard(), {f"r.j{n}": told(950, 1_450) for n in range(20)} | {"r.a": told(60, 120)})
    starts = {f"r.j{n}": NOW - timedelta(hours=1) + timedelta(seconds=100 * n) for n in range(20)}
    return withdrawn(opened(started(made, starts), {"r.b": told(60, 7200)}), ["r.b"])


def run(*arguments: str, scorecard: Scorecard | None, exit_code: int = Exit.DONE) -> str:
    documents = store(resource())
    if scorecard is not None:
        documents.commit([Create(path=forecasts_path(NAME), fields=write_scorecard(scorecard))])
    outside = Outside(
        environment=lambda: Environment(project=PROJECT), documents=lambda *_: documents, now=lambda: NOW
    )
    ran = CliRunner().invoke(app, ["stats", "--location", LOCATION, *arguments], obj=outside)
    assert ran.exit_code == exit_code, ran.output
    return ran.output


def test_a_pipe_gets_a_line_per_resource() -> None:
    header, line = run(scorecard=card()).splitlines()

    assert header.split() == [
        "resource", "scored", "p50", "p90", "error", "open", "overdue", "withdrawn", "corrected",
    ]  # fmt: skip
    assert line.split() == ["gpu-a", "20", "50%", "75%", "8m20s", "1", "1", "1", "x1/x1.2"]


def test_json_tells_the_same_in_numbers() -> None:
    found = json.loads(run("--json", "--resource", "gpu-a", scorecard=card()))["resources"][0]

    assert found["persistent_resource"] == NAME.full
    assert found["latest"] == {
        "scored": 20,
        "coverage_p50": 0.5,
        "coverage_p90": 0.75,
        "median_error_seconds": 500.0,
    }
    assert found["ever"] == {"scored": 20, "within_p50": 10, "within_p90": 15, "withdrawn": 1}
    assert (found["open"], found["overdue"]) == (1, 1)


def test_where_nothing_was_scored_it_says_so() -> None:
    told = run(scorecard=None)

    assert "no forecast was scored yet" in told
    assert any(line.split()[:3] == ["gpu-a", "0", "-"] for line in told.splitlines())
    assert json.loads(run("--json", scorecard=None))["resources"][0]["latest"] is None


def test_an_unknown_resource_is_refused() -> None:
    assert "no job ever named" in run("--resource", "other", scorecard=None, exit_code=Exit.REFUSED)


def test_the_table_fits_a_terminal() -> None:
    console = Console(file=io.StringIO(), width=80, highlight=False)
    console.print(stats_table([ResourceStats(name=NAME, card=card(), now=NOW)]))
    text = console.file.getvalue()  # type: ignore[attr-defined]

    assert all(len(line) <= 80 for line in text.splitlines())
    assert "x1/x1.2" in text
    assert "They ought to be 50% and 90%." in " ".join(text.split())
