"""Draws runs side by side: how long jobs wait, and how much is used and waits over time.

Needs matplotlib (`pip install 'poolqueue[plot]'`): to be imported only where a drawing is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from poolqueue.simulation.run import Run
from poolqueue.simulation.timeline import held, means, waiting

# Okabe and Ito's colours, which people of every colour vision tell apart, without the yellow one.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
STYLES = ("-", "--", "-.", ":")
PARTS = 400
QUANTILES = 800
DAY_SECONDS = 86_400
SHORTEST_SHOWN = 1.0
TICKS = {
    1: "1 s", 10: "10 s", 60: "1 min", 600: "10 min", 3_600: "1 h", 6 * 3_600: "6 h", 86_400: "1 d",
    7 * 86_400: "1 week", 30 * 86_400: "30 d", 365 * 86_400: "1 year",
}  # fmt: skip


def draw(runs: Sequence[Run], path: Path, *, title: str) -> None:
    """Write a picture of runs over one workload, as SVG or PNG by the suffix of `path`.

    The same runs make the same file, whatever the user's own settings of matplotlib.
    """
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(
            {"svg.hashsalt": "poolqueue", "font.size": 9, "axes.grid": True, "grid.alpha": 0.3}
        )
        figure = Figure(figsize=(8, 9.5), layout="constrained")
        waits, used, queue = figure.subplots(3, 1, height_ratios=(4, 3, 3))
        used.sharex(queue)
        _draw_waits(waits, runs)
        _draw_time(used, queue, runs)
        figure.suptitle(title)
        names, lines = waits.get_legend_handles_labels()[::-1]
        figure.legend(lines, names, loc="outside lower center", ncols=4, frameon=False)
        metadata = {"Date": None} if path.suffix == ".svg" else {"Software": None}
        figure.savefig(path, metadata=metadata, dpi=150)


def _draw_waits(axes: Axes, runs: Sequence[Run]) -> None:
    longest = [max(SHORTEST_SHOWN, *run.waits) for run in runs]
    for number, run in enumerate(runs):
        look = _look(number)
        axes.step(*_distribution(run.waits), where="post", **look, label=run.policy)
        axes.plot([longest[number]], [100], marker="o", markersize=4, color=look["color"], clip_on=False)
    axes.set_xscale("log")
    axes.set_xticks(list(TICKS), list(TICKS.values()))
    axes.set_xticks([], minor=True)
    axes.set_xlim(SHORTEST_SHOWN, max(1.3 * max(longest), 60))
    axes.set_ylim(0, 102)
    axes.set_xlabel("wait from arrival to start (up to 1 s at the left edge; a dot at the longest)")
    axes.set_ylabel("jobs that wait at most so long (%)")


def _distribution(waits: Sequence[float]) -> tuple[list[float], list[float]]:
    """The empirical distribution at so many quantiles that no difference is seen."""
    ordered = sorted(waits)
    n = len(ordered)
    places = sorted({min(n - 1, n * each // QUANTILES) for each in range(QUANTILES + 1)})
    return (
        [SHORTEST_SHOWN / 2, *(max(ordered[place], SHORTEST_SHOWN / 2) for place in places)],
        [0, *(100 * (place + 1) / n for place in places)],
    )


def _draw_time(used: Axes, queue: Axes, runs: Sequence[Run]) -> None:
    begin = runs[0].workload.jobs[0].arrives
    end = max(max(run.starts) for run in runs)
    end = end if end > begin else begin + 1
    times = [part * (end - begin) / PARTS / DAY_SECONDS for part in range(PARTS)]
    capacity = sum(runs[0].workload.capacity)
    for number, run in enumerate(runs):
        for axes, changes in ((used, held(run)), (queue, waiting(run))):
            found = means(changes, begin=begin, end=end, parts=PARTS)
            axes.step(times, found, where="post", **_look(number))
    used.axhline(capacity, color="black", linewidth=0.8, linestyle=(0, (1, 2)))
    used.set_ylim(0, capacity * 1.05)
    used.set_ylabel(f"replicas in use, of {capacity:,}")
    used.tick_params(labelbottom=False)
    queue.set_ylim(bottom=0)
    queue.set_xlim(0, (end - begin) / DAY_SECONDS)
    queue.set_ylabel("jobs waiting")
    queue.set_xlabel("days since the first arrival, until the last job starts")


def _look(number: int) -> dict[str, Any]:
    return {
        "color": COLOURS[number % len(COLOURS)],
        "linestyle": STYLES[number % len(STYLES)],
        "linewidth": 1.3,
    }
