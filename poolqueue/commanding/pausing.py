"""Pauses and unpauses teams: what is paused is one document, and each resource's document has a copy of it.

The copy is what decides, so that a paused team costs no cycle a read, and no commit can admit what is paused.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from poolqueue.commanding.records import Result, refused
from poolqueue.cycle import settle
from poolqueue.cycle.retrying import until_settled
from poolqueue.messages import Command, CommandKind
from poolqueue.ports import Query
from poolqueue.records import (
    PAUSES_PATH,
    ResourceName,
    commands_of,
    read_pauses,
    region_key,
    write_pauses,
)
from poolqueue.scheduling.events import Paused
from poolqueue.scheduling.pools import Pause, Pauses
from poolqueue.system import System

RESOURCES_LIMIT = 500


def pause_or_unpause(system: System, command: Command, *, deadline: datetime) -> Result:
    """Carried out again, it tells the resources again, which changes nothing the second time."""
    team = command.team or ""
    pauses = until_settled(system, lambda: _recorded(system, command, team))
    if isinstance(pauses, Result):
        return pauses
    for name in _known(system):
        settle(system, name, [], events=[Paused(pauses=pauses)], deadline=deadline)
    if command.kind is CommandKind.UNPAUSE:
        return _done(f"jobs of team {team} are admitted again")
    return _done(f"nothing more of team {team} is admitted; what runs goes on")


def _recorded(system: System, command: Command, team: str) -> Pauses | Result:
    document = system.documents.read([PAUSES_PATH])[0]
    before, commands = read_pauses(document.fields), commands_of(document.fields)
    if command.id in commands:
        return before
    teams = dict(before.teams)
    if command.kind is CommandKind.UNPAUSE:
        if teams.pop(team, None) is None:
            return _done(f"team {team} is not paused") if _is_known(system, team) else _unknown(system, team)
    elif not _is_known(system, team):
        return _unknown(system, team)
    elif team in teams:
        return _done(f"team {team} is paused already, by {teams[team].author}: {teams[team].reason}")
    else:
        teams[team] = Pause(reason=command.reason, author=command.author, at=system.clock())
    after = replace(before, version=before.version + 1, teams=teams)
    fields = write_pauses(after, commands=(*commands, command.id))
    system.documents.commit([document.written(fields)])
    return after


def _known(system: System) -> list[ResourceName]:
    """All resources that have decided yet, in the regions of the settings."""
    names = []
    for region in system.settings.regions():
        where = {"region": region_key(*region)}
        query = Query(collection="resources", where=where, select=("name",), limit=RESOURCES_LIMIT)
        names += [each.fields["name"] for each in system.documents.find(query) if each.fields]
    return [ResourceName.from_full(name) for name in names]


def _is_known(system: System, team: str) -> bool:
    return system.settings.team_named(team) is not None


def _unknown(system: System, team: str) -> Result:
    return refused(f"team: {team} is none of {', '.join(each.name for each in system.settings.teams)}")


def _done(message: str) -> Result:
    return Result(status="done", message=message)
