"""When a waiting job is expected to start, as `poolctl jobs` tells it."""

from __future__ import annotations

import io
from datetime import timedelta

from rich.console import Console

from poolqueue.cli.plain import jobs_lines
from poolqueue.cli.tables import estimates_line, jobs_table
from poolqueue.scheduling.run_times import Outcome, RunTimes
from poolqueue.scheduling.scorecard import UNCORRECTED, Correction
from poolqueue.viewing.as_json import job_fields
from poolqueue.viewing.making import Snapshot, resource_view
from poolqueue.viewing.reading import Reader
from poolqueue.viewing.views import ResourceView
from tests.unit.cli.building import (
    GPU,
    LOCATION,
    LONG_ID,
    NOW,
    PROJECT,
    SMALL,
    demand,
    line,
    reservation,
    reservations,
    resource,
    store,
)
from tests.unit.scheduling.learning import learned, traits

TEN_MINUTES = traits(timeout=600)


def shown(
    run_times: RunTimes | None = None, correction: Correction = UNCORRECTED, **more: int
) -> ResourceView:
    """`a` runs on all of `small` for ten minutes from now on; two wait for it one by one; `gpu` fits."""
    runs = reservation("a", replicas={SMALL: 4}, traits=TEN_MINUTES, reserved_at=NOW, running=True)
    lines = [
        line("next", demand(4), traits=TEN_MINUTES),
        line(LONG_ID, demand(4), traits=TEN_MINUTES, arrived=NOW),
        line("gpu", demand(1, GPU), traits=TEN_MINUTES, arrived=NOW),
    ]
    snapshot = Snapshot(
        resource=resource(reservations=reservations(runs)),
        waiting=lines,
        run_times=learned((TEN_MINUTES, 600), times=40) if run_times is None else run_times,
        correction=correction,
        estimates=more.get("estimates", 9),
    )
    return resource_view(snapshot, now=NOW)


def table(view: ResourceView, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    console.print(jobs_table([*view.holding, *view.waiting]))
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_the_table_tells_in_how_long_a_job_starts() -> None:
    text = table(shown())

    assert "starts" in text.splitlines()[0]
    assert all(len(row) <= 80 for row in text.splitlines())
    (row,) = [row for row in text.splitlines() if row.startswith("next")]
    assert " 10m " in row or "9-10m" in row
    assert any("now" in row for row in text.splitlines() if row.startswith("gpu"))


def test_a_line_beneath_tells_what_it_means_and_rests_on() -> None:
    told = estimates_line(shown().waiting)

    assert told is not None
    assert str(told).endswith("from 40 similar runs")
    assert estimates_line(shown(RunTimes()).waiting) is None


def test_without_similar_runs_there_is_no_estimate() -> None:
    rows = jobs_lines(shown(RunTimes()).waiting)

    assert all("no estimate" in row for row in rows[1:])


def test_where_no_estimates_are_wanted_there_is_no_column() -> None:
    assert "starts" not in table(shown(estimates=0))
    assert [job.expected is not None for job in shown(estimates=2).waiting] == [True, True, False]


def test_json_tells_the_interval_and_its_basis_or_why_there_is_none() -> None:
    next_, none = job_fields(shown().waiting[0]), job_fields(shown(RunTimes()).waiting[0])

    assert next_["expected"]["start_p90"] == "2026-11-23T18:10:00Z"
    assert (next_["expected"]["similar_runs"], next_["expected"]["level"]) == (40, 0)
    assert next_["no_estimate"] is None
    assert (none["expected"], none["no_estimate"]) == (None, "thin_basis")
    running = job_fields(shown().holding[0])
    assert (running["expected"], running["no_estimate"]) == (None, None)


def test_estimates_are_read_at_the_cost_of_one_document() -> None:
    costs = []
    for estimates in (0, 5):
        documents = store(resource(), lines=[line("j")])
        reader = Reader(documents=documents, regions=[(PROJECT, LOCATION)])
        reader.resources(now=NOW + timedelta(seconds=1), estimates=estimates)
        costs.append(documents.counts.reads)

    assert costs[1] == costs[0] + 1


def test_what_earlier_forecasts_teach_counts() -> None:
    plain, later = (shown(correction=each).waiting[0] for each in (UNCORRECTED, Correction(p50=1, p90=2)))

    assert job_fields(later)["expected"]["start_p90"] > job_fields(plain)["expected"]["start_p90"]


def test_outcomes_make_a_basis() -> None:
    run_times = RunTimes()
    for _ in range(5):
        run_times.learn(Outcome(traits=TEN_MINUTES, seconds=600))

    assert job_fields(shown(run_times).waiting[0])["expected"]["similar_runs"] == 5
