"""The bell of a persistent resource: who runs its cycle, and how to ask for another round.

It only saves work. What makes a cycle safe is that every commit depends on the resource's document.
"""

from __future__ import annotations

from datetime import timedelta

from poolqueue.cycle.retrying import until_settled
from poolqueue.ports import Conflict, Create, Document, Replace, Write
from poolqueue.records import Bell, ResourceName, bell_path, read_bell, write_bell
from poolqueue.system import System


class BellHolder:
    """One process's hold on the bell of `name`."""

    def __init__(self, system: System, name: ResourceName) -> None:
        self._system = system
        self._path = bell_path(name)
        self._me = system.token()
        self._lease: timedelta = system.settings.timing.bell_lease
        self._until = system.clock()
        self._version: object | None = None

    def is_held(self) -> bool:
        return read_bell(self._read().fields).is_held(self._system.clock())

    def leave_to_holder(self) -> bool:
        """True when somebody holds the bell and is now asked for another round; False when it is free."""
        return until_settled(self._system, self._leave_once)

    def take(self) -> bool:
        """Take the bell, unrung; False when somebody else has it, who is then asked for another round."""
        return until_settled(self._system, self._take_once)

    def is_rung(self) -> bool:
        """Has somebody asked us for another round, or taken the bell over?"""
        bell = read_bell(self._read().fields)
        return bell.rung or bell.holder != self._me

    def clear(self) -> None:
        """Before a further round: unring it and hold on for another lease. A lost hold is left as it is."""
        if self._version is not None and not self._write(self._mine()):
            self._refresh()
            if self._version is not None:
                self._write(self._mine())

    def renew(self) -> None:
        """Before a further round for our own sake: hold on for another lease if half of this one is over."""
        if self._system.clock() + self._lease / 2 > self._until:
            self.clear()

    def let_go(self, *, rung: bool = False) -> bool:
        """Let go; False when it was rung meanwhile: the holder goes round again.

        With `rung` it is let go in any case, and left rung for whoever comes next.
        """
        if self._version is None:
            return True
        if self._write(Bell(rung=rung)):
            return True
        self._refresh()
        return self._version is None or (rung and self._write(Bell(rung=True)))

    def _leave_once(self) -> bool:
        return self._is_left(self._read())

    def _is_left(self, document: Document) -> bool:
        bell = read_bell(document.fields)
        if not bell.is_held(self._system.clock()):
            return False
        if not bell.rung:
            rung = Bell(rung=True, holder=bell.holder, until=bell.until)
            self._commit(document, rung)
        return True

    def _take_once(self) -> bool:
        document = self._read()
        if self._is_left(document):
            return False
        self._version = self._commit(document, self._mine())
        return True

    def _refresh(self) -> None:
        """The version at which the bell is still ours; None once somebody else has taken it over."""
        document = self._read()
        is_mine = read_bell(document.fields).holder == self._me
        self._version = document.version if is_mine else None

    def _mine(self) -> Bell:
        self._until = self._system.clock() + self._lease
        return Bell(holder=self._me, until=self._until)

    def _write(self, bell: Bell) -> bool:
        write = Replace(path=self._path, fields=write_bell(bell), version=self._version)
        try:
            self._version = self._system.documents.commit([write])[0]
        except Conflict:
            return False
        return True

    def _read(self) -> Document:
        return self._system.documents.read([self._path])[0]

    def _commit(self, document: Document, bell: Bell) -> object:
        fields = write_bell(bell)
        write: Write = (
            Replace(path=self._path, fields=fields, version=document.version)
            if document.exists
            else Create(path=self._path, fields=fields)
        )
        return self._system.documents.commit([write])[0]
