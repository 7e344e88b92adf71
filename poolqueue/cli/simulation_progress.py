"""How far a simulation is: a bar on standard error, if that is a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from poolqueue.cli.output import Output
from poolqueue.simulation.run import Progress as Tell


@contextmanager
def progress_of(output: Output, title: str, jobs: int) -> Iterator[Tell]:
    """What is called with the jobs started so far; the bar is gone at the end."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("jobs started"),
        TimeElapsedColumn(),
    )
    bar = Progress(*columns, console=output.notes, transient=True, disable=not output.notes.is_interactive)
    task = bar.add_task(title, total=jobs)
    with bar:
        yield lambda started: bar.update(task, completed=started)
