"""Drains, stops and resumes a pool or a whole persistent resource, unless a later command has decided."""

from __future__ import annotations

from datetime import datetime

from poolqueue.commanding.last_word import overtaken, word_of
from poolqueue.commanding.records import Result, refused
from poolqueue.commanding.stopping import stop_what_runs
from poolqueue.cycle import settle
from poolqueue.messages import Command, CommandKind
from poolqueue.records import ResourceName, read_resource, resource_path
from poolqueue.scheduling.events import Drained, Event, Resumed
from poolqueue.scheduling.last_words import Word
from poolqueue.scheduling.pools import WHOLE_RESOURCE, Drain, Resource
from poolqueue.system import System


def drain_stop_or_resume(
    system: System, command: Command, *, published: datetime, deadline: datetime
) -> Result:
    """Carried out again, or after a later command about the same, it changes nothing."""
    name = _resource_name(system, command.persistent_resource or "")
    resource = _read(system, name)
    if resource is None:
        return refused(f"no job ever named {name.full}; see poolctl pools")
    ids = [id_ for pool in resource.pools for id_ in pool.ids]
    if command.pool is not None and command.pool not in {*ids, *resource.drained}:
        return refused(f"{name.id} has no pool {command.pool}; it has {', '.join(ids) or 'none'}")
    pool = command.pool or WHOLE_RESOURCE
    event = _event(command, pool, published=published, now=system.clock())
    settle(system, name, [], events=[event], deadline=deadline)
    what = name.id if command.pool is None else f"pool {command.pool} of {name.id}"
    after = _read(system, name) or resource
    last = after.last_words.get(pool)
    if last is not None and _is_overtaken(command, last, is_drained=pool in after.drained):
        return overtaken(command, published, what=what, by=last)
    match command.kind:
        case CommandKind.STOP:
            return stop_what_runs(system, name, command, deadline=deadline)
        case CommandKind.DRAIN:
            return Result(
                status="done", message=f"nothing more is admitted to {what}; what runs there goes on"
            )
        case _:
            return Result(status="done", message=f"{what} admits jobs again")


def _is_overtaken(command: Command, last: Word, *, is_drained: bool) -> bool:
    """A stop also by a drain: there may have been a resume between, and what started then is to go on."""
    if command.kind is CommandKind.STOP:
        return last.command != command.id
    return is_drained == (command.kind is CommandKind.RESUME)


def _event(command: Command, pool: str, *, published: datetime, now: datetime) -> Event:
    word = word_of(command, published)
    if command.kind is CommandKind.RESUME:
        return Resumed(pool=pool, word=word)
    drain = Drain(reason=command.reason, author=command.author, at=now)
    return Drained(pool=pool, drain=drain, word=word)


def _read(system: System, name: ResourceName) -> Resource | None:
    fields = system.documents.read([resource_path(name)])[0].fields
    return None if fields is None else read_resource(fields)


def _resource_name(system: System, given: str) -> ResourceName:
    try:
        return ResourceName.from_full(given)
    except ValueError:
        return ResourceName(project=system.settings.project, location=system.settings.location, id=given)
