"""The options of `poolctl simulate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from poolqueue.simulation.metrics import By
from poolqueue.simulation.run import RunTimesMode
from poolqueue.simulation.simulators import PolicyName

_MACHINES = "On which machines"
_WHAT = "What is simulated"
_SHOWN = "What is shown"

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
Policies = Annotated[
    list[PolicyName] | None,
    typer.Option(
        "--policy",
        help=f"One of {', '.join(PolicyName)}; may be given several times.",
        metavar="NAME",
        rich_help_panel=_WHAT,
    ),
]
RunTimes = Annotated[
    RunTimesMode,
    typer.Option(help="What our own policies know of run times.", rich_help_panel=_WHAT),
]
ByWhat = Annotated[By | None, typer.Option("--by", help="Break waits down.", rich_help_panel=_SHOWN)]
