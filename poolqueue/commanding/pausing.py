"""Pauses and unpauses teams: what is paused is one document, and each resource's document has a copy of it.

The copy is what decides, so that a paused team costs no cycle a read, and no commit can admit what is paused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from poolqueue.commanding.last_word import overtaken, word_of
from poolqueue.commanding.records import Result, refused
from poolqueue.cycle import settle
from poolqueue.cycle.retrying import until_settled
from poolqueue.messages import Command, CommandKind
from poolqueue.ports import Query
from poolqueue.records import (
    PAUSES_PATH,
    ResourceName,
    read_pauses,
    read_words_on_teams,
    region_key,
    write_pauses,
)
from poolqueue.scheduling.events import Paused
from poolqueue.scheduling.last_words import LastWords, with_word
from poolqueue.scheduling.pools import Pause, Pauses
from poolqueue.system import System

RESOURCES_LIMIT = 500
WORDS_LIMIT = 200


def pause_or_unpause(system: System, command: Command, *, published: datetime, deadline: datetime) -> Result:
    """Carried out again, or after a later command about the team, it only tells the resources again what is
    so, which changes nothing the second time.
    """
    team = command.team or ""
    recorded = until_settled(system, lambda: _recorded(system, command, team, published))
    if recorded is None:
        names = ", ".join(each.name for each in system.settings.teams)
        return refused(f"team: {team} is none of {names}")
    for name in _known(system):
        settle(system, name, [], events=[Paused(pauses=recorded.pauses)], deadline=deadline)
    if (team in recorded.pauses.teams) == (command.kind is CommandKind.UNPAUSE):
        return overtaken(command, published, what=f"team {team}", by=recorded.words[team])
    return Result(status="done", message=recorded.already or _told(command.kind, team))


@dataclass(frozen=True, kw_only=True)
class _Recorded:
    """What is so after a command, and the last words; `already` says how, if it was so before."""

    pauses: Pauses
    words: LastWords
    already: str | None = None


def _recorded(system: System, command: Command, team: str, published: datetime) -> _Recorded | None:
    """None for a team that nobody knows."""
    document = system.documents.read([PAUSES_PATH])[0]
    before, words = read_pauses(document.fields), read_words_on_teams(document.fields)
    if system.settings.team_named(team) is None and team not in {*before.teams, *words}:
        return None
    spoken = with_word(words, team, word_of(command, published), limit=WORDS_LIMIT)
    if spoken is None:
        return _Recorded(pauses=before, words=words)
    after, already = _steered(before, command, team, now=system.clock())
    system.documents.commit([document.written(write_pauses(after, spoken))])
    return _Recorded(pauses=after, words=spoken, already=already)


def _steered(before: Pauses, command: Command, team: str, *, now: datetime) -> tuple[Pauses, str | None]:
    """The pauses after the command, and what is told if they were so before."""
    paused = before.teams.get(team)
    teams = {name: each for name, each in before.teams.items() if name != team}
    if command.kind is CommandKind.PAUSE:
        if paused is not None:
            return before, f"team {team} is paused already, by {paused.author}: {paused.reason}"
        teams[team] = Pause(reason=command.reason, author=command.author, at=now)
    elif paused is None:
        return before, f"team {team} is not paused"
    return replace(before, version=before.version + 1, teams=teams), None


def _told(kind: CommandKind, team: str) -> str:
    if kind is CommandKind.UNPAUSE:
        return f"jobs of team {team} are admitted again"
    return f"nothing more of team {team} is admitted; what runs goes on"


def _known(system: System) -> list[ResourceName]:
    """All resources that have decided yet, in the regions of the settings."""
    names = []
    for region in system.settings.regions():
        where = {"region": region_key(*region)}
        query = Query(collection="resources", where=where, select=("name",), limit=RESOURCES_LIMIT)
        names += [each.fields["name"] for each in system.documents.find(query) if each.fields]
    return [ResourceName.from_full(name) for name in names]
