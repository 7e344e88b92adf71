"""The serial keys that one round has to do with: read when they are first needed, written with its commit.

Who has a key is recorded in the same commit as the reservation, and as its release: with the key's document
as it was read, so that of two resources which take it at the same time only one succeeds. A round without
jobs that have a key reads and writes nothing here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from poolqueue.ports import Delete, Document, Documents, Write
from poolqueue.records import ResourceName, read_serial_key, serial_key_path, write_serial_key
from poolqueue.scheduling.board import holder
from poolqueue.scheduling.decision import Decision
from poolqueue.scheduling.jobs import Reason
from poolqueue.scheduling.pools import Reservation, Resource
from poolqueue.scheduling.serial_keys import Holder, KeyName, SerialKey, Waiter
from poolqueue.scheduling.waiting import Waiting

LOOKS = 10
SHOWN = 500
LOOKED_AT_ONCE = 140
WAITERS_AT_ONCE = 10


class SerialKeys:
    """`elsewhere` is what decisions are told, and grows as keys are read; `told` are the resources that are
    to look again once this round is committed.
    """

    def __init__(self, documents: Documents, name: ResourceName) -> None:
        self._documents = documents
        self._here = name.key
        self._found: dict[KeyName, Document] = {}
        self._keys: dict[KeyName, SerialKey] = {}
        self.elsewhere: dict[KeyName, SerialKey] = {}
        self.told: dict[str, None] = {}

    def release(self, before: Resource, after: Resource, *, now: datetime) -> None:
        """Those that came free since `before`: they may be taken again in the same commit."""
        names = _named(_gone(before, after))
        self._read(names)
        for name in names:
            own = (each.token for each in _holders(after, name, self._here))
            self._keys[name], told = self._keys[name].released(self._here, own, now=now)
            self.elsewhere[name] = self._keys[name].elsewhere(self._here)
            self.told |= dict.fromkeys(told)

    def look(self, lines: Iterable[Waiting]) -> bool:
        """Look up the keys of jobs that are about to start; is one of them shared with other resources?"""
        return self._read([name for name in _named(lines) if name not in self._keys][:LOOKED_AT_ONCE])

    def is_known(self, line: Waiting) -> bool:
        """Is it certain who has its key, if it has one?"""
        return line.serial is None or (line.team, line.serial.key) in self._keys

    def is_free(self, line: Waiting) -> bool:
        """May the job have its key, as far as others than this resource are concerned?"""
        if line.serial is None:
            return True
        key = self.elsewhere.get((line.team, line.serial.key), SerialKey())
        return len(key.holders) < min([line.serial.limit, *(each.limit for each in key.holders)])

    def writes(self, before: Resource, after: Resource, decision: Decision | None) -> Iterator[Write]:
        """Each key as it is after the commit that makes `before` into `after`."""
        waiters = {} if decision is None else self._waiters(decision)
        changed = _named([*_gone(before, after), *_gone(after, before)])
        self._read(changed)
        for name in dict.fromkeys([*changed, *waiters]):
            key = self._keys[name].taken(self._here, _holders(after, name, self._here), waiters.get(name))
            document = self._found[name]
            if key == read_serial_key(document.fields):
                continue
            if not key.is_forgettable:
                yield document.written(write_serial_key(name, key))
            elif document.exists:
                yield Delete(path=document.path, version=document.version)

    def _read(self, names: Iterable[KeyName]) -> bool:
        new = [name for name in dict.fromkeys(names) if name not in self._keys]
        if not new:
            return False
        documents = self._documents.read([serial_key_path(name) for name in new])
        for name, document in zip(new, documents, strict=True):
            self._found[name] = document
            self._keys[name] = read_serial_key(document.fields)
            self.elsewhere[name] = self._keys[name].elsewhere(self._here)
        return any(not self.elsewhere[name].is_forgettable for name in new)

    def _waiters(self, decision: Decision) -> dict[KeyName, Waiter]:
        """The first of those that wait for a key which others have: they are told when it comes free."""
        found: dict[KeyName, Waiter] = {}
        for group in decision.board.groups.values():
            block = decision.blocks.get(id(group)) if group.serial is not None else None
            if group.serial is None or block is None or block.reason is not Reason.SERIAL_KEY_TAKEN:
                continue
            name, line = (group.team, group.serial.key), group.lines[0]
            if block.taken is None or not block.taken.is_elsewhere or name not in self._keys:
                continue
            waiter = Waiter(
                resource=self._here, job_id=line.job_id, priority=line.priority, arrived=line.arrived
            )
            known = found.get(name)
            found[name] = waiter if known is None else min(known, waiter, key=lambda each: each.place)
        return dict([*found.items()][:WAITERS_AT_ONCE])


def keys_elsewhere(
    documents: Documents, name: ResourceName, lines: Iterable[Waiting]
) -> Mapping[KeyName, SerialKey]:
    """For those who only look: who has the keys of these jobs at other resources."""
    names = [*_named(lines)][:SHOWN]
    if not names:
        return {}
    found = documents.read([serial_key_path(each) for each in names])
    keys = {each: read_serial_key(d.fields) for each, d in zip(names, found, strict=True)}
    return {each: key.elsewhere(name.key) for each, key in keys.items()}


def _gone(before: Resource, after: Resource) -> Iterator[Reservation]:
    """Reservations with a key that are not there any more."""
    return (
        each
        for token, each in before.reservations.items()
        if each.serial is not None and token not in after.reservations
    )


def _named(those: Iterable[Reservation | Waiting]) -> dict[KeyName, None]:
    return {(each.team, each.serial.key): None for each in those if each.serial is not None}


def _holders(resource: Resource, name: KeyName, here: str) -> list[Holder]:
    """All that have the key at the resource: it is always written as the reservations say."""
    return [
        holder(each, each.serial, resource=here)
        for each in resource.reservations.values()
        if each.serial is not None and (each.team, each.serial.key) == name
    ]
