"""What replicas printed since it was last asked for, line by line, from the files of their output."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

READ_BYTES = 1 << 20
LONGEST_LINE_BYTES = 100_000
READS_AT_THE_END = 16


@dataclass(frozen=True, kw_only=True)
class Printed:
    """A line, and when its file was last written to: files do not tell more."""

    replica: str
    text: str
    at: datetime


class Outputs:
    """Files `ID/REPLICA.log` below a directory. A line is told once it is complete, or its replica `ended`.

    Of what is printed faster than it is asked for, a megabyte at a time is told.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._read: dict[Path, int] = {}

    def fresh(self, custom_job: str, *, ended: str | None = None) -> Iterator[Printed]:
        for path in sorted((self._directory / custom_job).glob("*.log")):
            if path.stem != ended:
                yield from self._lines(path)
                continue
            for _ in range(READS_AT_THE_END):
                yield from self._lines(path, to_the_end=True)

    def _lines(self, path: Path, *, to_the_end: bool = False) -> Iterator[Printed]:
        start = self._read.get(path, 0)
        written = path.stat()
        if written.st_size <= start:
            return
        with path.open("rb") as file:
            file.seek(start)
            found = file.read(READ_BYTES)
        is_last = to_the_end and start + len(found) >= written.st_size
        complete = found.rfind(b"\n") + 1
        if is_last or (not complete and len(found) > LONGEST_LINE_BYTES):
            complete = len(found)
        self._read[path] = start + complete
        at = datetime.fromtimestamp(written.st_mtime, UTC)
        for line in found[:complete].removesuffix(b"\n").split(b"\n") if complete else ():
            text = line[:LONGEST_LINE_BYTES].decode(errors="replace")
            yield Printed(replica=path.stem, text=text, at=at)
