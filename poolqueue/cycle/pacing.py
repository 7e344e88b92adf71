"""Takes slots of the pace of a project and region, which all instances share through one document."""

from __future__ import annotations

from datetime import datetime

from poolqueue.cycle.retrying import until_settled
from poolqueue.ports import Create, Document, Replace, Write
from poolqueue.records import ResourceName, pace_path, read_pace, write_pace
from poolqueue.scheduling.pace import Pace, block, take
from poolqueue.system import System


class Slots:
    """The slots that one cycle holds: what an attempt took and could not use serves the next attempt."""

    def __init__(self, system: System, name: ResourceName) -> None:
        self._system = system
        self._path = pace_path(name.project, name.location)
        self._in_hand = 0
        self.more_at: datetime | None = None

    def hold(self, wanted: int) -> int:
        """Hold up to `wanted` slots; how many there are now."""
        if wanted > self._in_hand:
            self._in_hand += until_settled(self._system, lambda: self._take(wanted - self._in_hand))
        return min(wanted, self._in_hand)

    def use(self, used: int) -> None:
        self._in_hand -= used

    def block(self) -> None:
        """Vertex AI says that requests come too fast: none for a while."""
        until_settled(self._system, self._block)

    def _take(self, wanted: int) -> int:
        document = self._read()
        now = self._system.clock()
        limit = self._system.settings.pacing.creates_per_minute
        grant = take(read_pace(document.fields), wanted, limit=limit, now=now)
        self.more_at = grant.more_at
        if grant.slots:
            self._commit(document, grant.pace)
        return grant.slots

    def _block(self) -> None:
        document = self._read()
        self._commit(document, block(read_pace(document.fields), now=self._system.clock()))

    def _read(self) -> Document:
        return self._system.documents.read([self._path])[0]

    def _commit(self, document: Document, pace: Pace) -> None:
        fields = write_pace(pace)
        write: Write = (
            Replace(path=self._path, fields=fields, version=document.version)
            if document.exists
            else Create(path=self._path, fields=fields)
        )
        self._system.documents.commit([write])
