"""What a command about a pool or a team tells those about the same, and how it is told of a later one."""

from __future__ import annotations

from datetime import datetime

from poolqueue.commanding.records import Result, refused
from poolqueue.messages import Command
from poolqueue.scheduling.last_words import Word

_DONE = {"drain": "drained", "stop": "stopped", "resume": "resumed", "pause": "paused", "unpause": "unpaused"}


def word_of(command: Command, published: datetime) -> Word:
    return Word(
        kind=command.kind.value,
        command=command.id,
        author=command.author,
        reason=command.reason,
        published=published,
    )


def overtaken(command: Command, published: datetime, *, what: str, by: Word) -> Result:
    """`what` is otherwise than the command asks for, by the last word on it."""
    times = f"published at {_clock(by.published)}, after this {command.kind} at {_clock(published)}"
    message = (
        f"overtaken: {what} was {_DONE[by.kind]} by {by.author} ({by.reason}), {times}; it stays so."
        f" If it is still to be {_DONE[command.kind.value]}, ask again"
    )
    return refused(message, overtaken_by=by.command)


def _clock(at: datetime) -> str:
    """To the millisecond, as Pub/Sub tells it."""
    return f"{at:%H:%M:%S}.{at.microsecond // 1000:03}Z"
