"""Where a command's words go: results to standard output, everything else to standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import typer
from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from poolqueue.cli.failures import Exit, Failure, failure_of
from poolqueue.cli.session import Options, Outside, Session
from poolqueue.config import SettingsError
from poolqueue.viewing.text import safe

MESSAGE_LIMIT = 2_000


class Output:
    """Tables as wide as the terminal; in a pipe or file plain lines as long as they are."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        self.notes = Console(stderr=True, highlight=False)

    @property
    def is_plain(self) -> bool:
        return not self._console.is_terminal

    def show(self, *parts: RenderableType) -> None:
        """What was made for a terminal of this width."""
        for part in parts:
            self._console.print(part)

    def lines(self, lines: Iterable[str]) -> None:
        """Lines of any length, as they are; at once, for whoever reads them from a pipe."""
        for line in lines:
            sys.stdout.write(line + "\n")
        sys.stdout.flush()

    def flow(self, lines: Iterable[Text]) -> None:
        """Coloured lines of any length, which the terminal wraps: copied, each is one line."""
        for line in lines:
            self._console.print(line, soft_wrap=True)

    def live(self) -> Live:
        """For a picture that is drawn in place of the one before."""
        return Live(console=self._console, auto_refresh=False)

    def tell(self, message: str, *, style: str) -> None:
        """A result in a line, of which parts may be somebody else's."""
        self._console.print(Text(safe(message, limit=MESSAGE_LIMIT), style=style), soft_wrap=True)

    def note(self, message: str, *, style: str = "") -> None:
        """A line beside the result."""
        self.notes.print(Text(safe(message, limit=MESSAGE_LIMIT), style=style), soft_wrap=True)


@contextmanager
def session(context: typer.Context, options: Options) -> Iterator[tuple[Session, Output]]:
    """A session for one command. What goes wrong is told in a line and ends the process with its code."""
    output = Output()
    opened: Session | None = None
    try:
        opened = Session.of(context.obj or Outside(), options)
        yield opened, output
    except KeyboardInterrupt as interrupt:
        raise typer.Exit(Exit.INTERRUPTED) from interrupt
    except Exception as error:
        _tell(error, opened, output)
        raise


@contextmanager
def telling() -> Iterator[Output]:
    """As `session`, for a command that looks at no installation."""
    output = Output()
    try:
        yield output
    except KeyboardInterrupt as interrupt:
        raise typer.Exit(Exit.INTERRUPTED) from interrupt
    except Exception as error:
        _tell(error, None, output)
        raise


def _tell(error: Exception, opened: Session | None, output: Output) -> None:
    """Ends the process unless it is a fault of ours, to be seen in full."""
    told = _in_words(error, opened)
    if told is None:
        return
    for line in f"poolctl: {told.message}".splitlines():
        output.note(line, style="red")
    raise typer.Exit(told.code) from error


def _in_words(error: Exception, opened: Session | None) -> Failure | None:
    match error:
        case Failure():
            return error
        case SettingsError():
            return Failure(str(error), Exit.USAGE)
        case _ if opened is not None:
            return failure_of(error, opened.environment, opened.project)
        case _:
            return None
