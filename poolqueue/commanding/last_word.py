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
    day = "%H:%M:%S" if by.published.date() == published.date() else "%Y-%m-%d %H:%M:%S"
    times = f"published at {_told(by.published, day)}, after this {command.kind} at {_told(published, day)}"
    message = (
        f"overtaken: {what} was {_DONE[by.kind]} by {by.author} ({by.reason}), {times}; it stays so."
        f" If it is still to be {_DONE[command.kind.value]}, ask again"
    )
    return refused(message, overtaken_by=by.command)


def _told(at: datetime, day: str) -> str:
    """To the millisecond, as Pub/Sub has it."""
    return f"{at:{day}}.{at.microsecond // 1000:03}Z"
