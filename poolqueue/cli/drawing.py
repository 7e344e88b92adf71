"""Draws simulations into a file, where matplotlib is installed."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from poolqueue.cli.failures import Exit, Failure
from poolqueue.simulation.run import Run

SUFFIXES = (".svg", ".png")


def check_drawing(path: Path) -> None:
    """Raises `Failure` if nothing could be drawn there."""
    if path.suffix not in SUFFIXES:
        raise Failure(f"--plot {path}: give a name that ends in {' or '.join(SUFFIXES)}", Exit.USAGE)
    if find_spec("matplotlib") is None:
        raise Failure("--plot needs matplotlib: pip install 'poolqueue[plot]'", Exit.USAGE)
    if not path.absolute().parent.is_dir():
        raise Failure(f"--plot {path}: there is no folder {path.parent}; make it first", Exit.USAGE)


def draw(runs: Sequence[Run], path: Path, *, title: str) -> None:
    from poolqueue.simulation import plots  # noqa: PLC0415  matplotlib takes a second, and may not be there

    try:
        plots.draw(runs, path, title=title)
    except OSError as error:
        raise Failure(f"--plot {path}: {error.strerror}", Exit.USAGE) from error
