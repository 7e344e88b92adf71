"""Shows what was measured, in the terminal and as a page of the documentation."""

from __future__ import annotations

import os
import platform
import textwrap
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmarks.figures import Figure, Measured
from infra.local.processes import ROOT

PAGE = Path("docs") / "benchmarks.md"
WIDEST = 80
LINE = 110
INTRODUCTION = """# Benchmarks

Written by `{command} WRITE=1` on {day}; do not edit. Machine: {machine}, {processors} processors,
Python {python}, load average {load} before and after (other programs count).

Everything ran on this one machine, functions, emulators and stand-in together: times say how the parts
compare, not what Google Cloud would do. Nothing was measured against the live service.
"""


def show(measured: Sequence[Measured], console: Console) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", width=_width(console))
    table.add_column("measured", overflow="fold", ratio=1)
    for name in ("value", "budget"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for each in measured:
        table.add_row(Text(each.benchmark.title, "bold"), "", "", "")
        if each.lacking:
            table.add_row(Text(f"  not measured: {each.lacking}", "yellow"), "", "", "")
        for figure in each.figures:
            table.add_row(f"  {figure.name}", figure.shown, figure.shown_budget, _judged(figure))
    console.print()
    console.print(table, highlight=False)


def _width(console: Console) -> int:
    return min(console.width, WIDEST)


def _judged(figure: Figure) -> Text:
    if figure.budget is None:
        return Text("")
    return Text("ok", "green") if figure.holds else Text("over", "bold red")


def write(measured: Sequence[Measured], *, command: str, loads: Sequence[float]) -> None:
    """Write the page; `loads` are the machine's load averages before and after."""
    (ROOT / PAGE).write_text("\n".join(_page(measured, command, loads)), encoding="utf-8")


def _page(measured: Sequence[Measured], command: str, loads: Sequence[float]) -> Iterator[str]:
    yield INTRODUCTION.format(
        command=command,
        day=f"{datetime.now(UTC):%Y-%m-%d}",
        machine=_processor(),
        processors=os.cpu_count(),
        python=platform.python_version(),
        load=" and ".join(f"{load:.1f}" for load in loads),
    )
    for each in measured:
        yield f"## {each.benchmark.title}\n\n{textwrap.fill(each.benchmark.note, LINE)}\n"
        if each.lacking:
            yield f"Not measured: {each.lacking}.\n"
            continue
        yield "| measured | value | budget |\n|---|---:|---:|"
        yield from (_row(figure) for figure in each.figures)
        yield ""


def _row(figure: Figure) -> str:
    over = "" if figure.holds else " (over)"
    return f"| {figure.name} | {figure.shown} | {figure.shown_budget}{over} |"


def _processor() -> str:
    """The processor's model, where the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()
