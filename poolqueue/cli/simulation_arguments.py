"""The options of `poolctl simulate`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError

from poolqueue.config.values import Duration
from poolqueue.simulation.metrics import By
from poolqueue.simulation.run import RunTimesMode
from poolqueue.simulation.simulators import USUAL, PolicyName

_MACHINES = "On which machines"
_WHAT = "What is simulated"
_SHOWN = "What is shown"


@dataclass(frozen=True, kw_only=True)
class Resized:
    """`POOL=N`."""

    pool: str
    replicas: int


def resized(given: str) -> Resized:
    pool, _, replicas = given.rpartition("=")
    if not pool or not replicas.isdecimal() or int(replicas) < 1:
        raise typer.BadParameter(f"{given!r} is not POOL=N with N replicas, at least 1")
    return Resized(pool=pool, replicas=int(replicas))


def _span(given: str) -> timedelta:
    try:
        return TypeAdapter(Duration).validate_python(float(given) if given.isdecimal() else given)
    except ValidationError as error:
        raise typer.BadParameter(f"{given!r}: {error.errors()[0]['msg']}") from error


TraceFile = Annotated[
    Path | None, typer.Argument(metavar="TRACE", help="CSV file, perhaps compressed (.gz).")
]
History = Annotated[
    timedelta | None,
    typer.Option(
        "--history",
        help="Instead of a trace: your own jobs that ended in the last 30d, say.",
        parser=_span,
        metavar="SPAN",
        rich_help_panel=_WHAT,
    ),
]
HistoryOf = Annotated[
    str | None,
    typer.Option(
        "--resource",
        "-r",
        help="With --history: at this persistent resource.",
        rich_help_panel=_WHAT,
        metavar="ID",
    ),
]
Capacity = Annotated[
    int | None,
    typer.Option(
        help="One pool of so many one-GPU machines: gpus are the replicas.",
        min=1,
        metavar="N",
        rich_help_panel=_MACHINES,
    ),
]
PoolsFile = Annotated[
    Path | None,
    typer.Option("--pools", help="YAML list of pools.", metavar="FILE", rich_help_panel=_MACHINES),
]
Resizes = Annotated[
    list[Resized] | None,
    typer.Option(
        "--resize",
        help="Give a pool other replicas; may be given several times.",
        parser=resized,
        metavar="POOL=N",
        rich_help_panel=_MACHINES,
    ),
]
Policies = Annotated[
    list[PolicyName] | None,
    typer.Option(
        "--policy",
        help=f"One of {', '.join(PolicyName)}; may be given several times. Default: {', '.join(USUAL)}.",
        metavar="NAME",
        rich_help_panel=_WHAT,
    ),
]
RunTimes = Annotated[
    RunTimesMode,
    typer.Option(help="What our own policies know of run times.", rich_help_panel=_WHAT),
]
FirmAfter = Annotated[
    timedelta | None,
    typer.Option(
        "--firm-after",
        help="With expected: after so long a job has a firm place, as in the settings. Default: 24h.",
        parser=_span,
        metavar="SPAN",
        rich_help_panel=_WHAT,
    ),
]
ByWhat = Annotated[By | None, typer.Option("--by", help="Break waits down.", rich_help_panel=_SHOWN)]
PlotFile = Annotated[
    Path | None,
    typer.Option(
        "--plot",
        help="Draw waits, occupancy and queue: .svg or .png.",
        metavar="FILE",
        rich_help_panel=_SHOWN,
    ),
]
FindReplicas = Annotated[
    str | None,
    typer.Option(
        "--find-replicas",
        help="Find how many replicas of a pool keep --p90-wait.",
        metavar="POOL",
        rich_help_panel=_SHOWN,
    ),
]
P90Wait = Annotated[
    timedelta | None,
    typer.Option(
        "--p90-wait",
        help="With --find-replicas: 90 % of its jobs wait at most so long. Default: 30m.",
        parser=_span,
        metavar="SPAN",
        rich_help_panel=_SHOWN,
    ),
]
