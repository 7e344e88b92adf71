"""Looking again and again at what changes, also while it does not answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from rich.text import Text

from poolqueue.cli.explaining import NOTE_LIMIT
from poolqueue.cli.failures import Failure, failure_of
from poolqueue.cli.output import Output
from poolqueue.cli.session import Session
from poolqueue.viewing.text import clock_time, safe, short_time


@dataclass
class Looks:
    """Looks again and again. Without an answer what was last seen stays, and is said to be old: in a line of
    its own, or in the footer where something is drawn.
    """

    session: Session
    output: Output
    every: float
    draws: bool = True
    seen_at: datetime | None = field(default=None, init=False)
    trouble: str | None = field(default=None, init=False)

    def __iter__(self) -> Iterator[datetime]:
        while True:
            yield self.session.outside.now()
            self.session.outside.pause(self.every)

    @contextmanager
    def looking(self, now: datetime) -> Iterator[None]:
        try:
            yield
        except Failure:
            raise
        except Exception as error:
            told = failure_of(error, self.session.environment, self.session.project)
            if told is None:
                raise
            if self.trouble is None and self._tells:
                self.output.note(f"cannot look: {told.message}", style="red")
            self.trouble = told.message
        else:
            if self.trouble is not None and self._tells:
                self.output.note("looking again", style="green")
            self.seen_at, self.trouble = now, None

    @property
    def _tells(self) -> bool:
        return self.output.is_plain or not self.draws

    def footer(self, now: datetime) -> Text:
        if self.trouble is None:
            return Text(f"seen {clock_time(now, now)}; Ctrl-C ends", style="dim")
        age = "never" if self.seen_at is None else f"{short_time(now - self.seen_at)} ago"
        return Text(safe(f"cannot look ({self.trouble}); last seen {age}", limit=NOTE_LIMIT), style="red")
