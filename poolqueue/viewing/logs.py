"""What is shown of the log of a job's attempt: which log that is, its lines, and which of them are new."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from poolqueue.log_lines import is_end
from poolqueue.ports import SERVICE, LogEntries, LogEntry
from poolqueue.scheduling.jobs import Job
from poolqueue.viewing.attempts import Attempt, attempts_of
from poolqueue.viewing.text import safe

LINE_LIMIT = 4_000
WORD_LIMIT = 32
# Nothing of an attempt is older, however much its machine's clock and ours differ; bounded lists are quick.
BEFORE = timedelta(hours=1)
# Entries come in the order of their times, but some come late: so far back they are looked for again.
LATE = timedelta(seconds=30)

_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, kw_only=True)
class AttemptLog:
    """The log of one attempt. `ended` is when it did, `how` as its history says; None while it goes on."""

    attempt: int
    custom_job: str
    since: datetime
    ended: datetime | None = None
    how: str | None = None


def attempt_log(job: Job, number: int | None = None) -> AttemptLog | None:
    """Of the attempt of that number, or of the latest one that has become a custom job; None without any."""
    found = [each for each in attempts_of(job).each if number in {None, each.number}]
    logs = [_log(job, each, each.custom_job) for each in found if each.custom_job is not None]
    return logs[-1] if logs else None


def _log(job: Job, attempt: Attempt, custom_job: str) -> AttemptLog:
    return AttemptLog(
        attempt=attempt.number,
        custom_job=custom_job,
        since=(attempt.reserved or job.created) - BEFORE,
        ended=attempt.ended,
        how=attempt.how,
    )


@dataclass
class LogTail:
    """Tells new entries from those that were shown, however late they come.

    `since` is from when on to look the next time.
    """

    since: datetime
    has_ended: bool = field(default=False, init=False)
    _shown: set[tuple[datetime, str]] = field(default_factory=set, init=False)

    def fresh(self, found: LogEntries, now: datetime) -> list[LogEntry]:
        """Those of them that are new; if not all were found, the next look begins with the last of them.

        Entries may bear any time: one in the future does not hide those to come.
        """
        new = [each for each in found.each if (each.at, each.id) not in self._shown]
        self._shown |= {(each.at, each.id) for each in new}
        self.has_ended = self.has_ended or any(each.writer == SERVICE and is_end(each.text) for each in new)
        if self._shown:
            latest = min(now, max(at for at, _ in self._shown))
            self.since = max(self.since, latest - (LATE if found.are_all else timedelta()))
            self._shown = {each for each in self._shown if each[0] >= latest - LATE}
        return new


@dataclass(frozen=True, kw_only=True)
class LogLine:
    """One line that can be shown: an entry may have several."""

    at: datetime
    writer: str
    severity: str
    text: str


def lines_of(entries: Iterable[LogEntry]) -> Iterator[LogLine]:
    """Each character can be seen; none moves the cursor, hides or is markup."""
    for entry in entries:
        writer, severity = (safe(word, limit=WORD_LIMIT) for word in (entry.writer, entry.severity))
        for text in _LINE_END.split(entry.text.rstrip("\r\n")):
            shown = safe(text.expandtabs(), limit=LINE_LIMIT)
            yield LogLine(at=entry.at, writer=writer, severity=severity, text=shown)


def plain_line(line: LogLine) -> str:
    """`2026-11-25 18:00:03.120  workerpool0-0  INFO     epoch 1`."""
    at = f"{line.at:%Y-%m-%d %H:%M:%S}.{line.at.microsecond // 1000:03}"
    return f"{at}  {line.writer:<13}  {line.severity:<8} {line.text}".rstrip()


def entry_fields(entry: LogEntry) -> dict[str, Any]:
    return {
        "timestamp": entry.at.isoformat().replace("+00:00", "Z"),
        "severity": entry.severity,
        "writer": entry.writer,
        "text": entry.text,
        "insert_id": entry.id,
    }
