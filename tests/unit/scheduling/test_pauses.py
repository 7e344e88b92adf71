"""Teams that are paused: what is decided of their jobs, and of the others."""

from __future__ import annotations

from poolqueue.scheduling.cases import Case
from poolqueue.scheduling.events import Paused, apply
from poolqueue.scheduling.happenings import Unpausing
from poolqueue.scheduling.jobs import Reason
from poolqueue.scheduling.pools import Pause, Pauses, Resource
from poolqueue.scheduling.reasons import explain
from poolqueue.scheduling.remedies import Unpause
from poolqueue.scheduling.verdicts import Admit, Wait
from tests.unit.scheduling.building import NOW, board, decided, demand, resource, waiting

PAUSE = Pause(reason="budget is spent", author="ann", at=NOW)


def paused(*teams: str, version: int = 1) -> Pauses:
    return Pauses(version=version, teams=dict.fromkeys(teams, PAUSE))


def of(*teams: str) -> Resource:
    return resource(pauses=paused(*teams))


def test_a_job_of_a_paused_team_waits_with_who_and_why() -> None:
    (verdict,) = decided(of("research"), waiting())

    assert isinstance(verdict, Wait)
    assert (verdict.reason, verdict.note) == (Reason.TEAM_PAUSED, "team research, by ann: budget is spent")


def test_it_has_no_planned_start_that_others_would_have_to_respect() -> None:
    wide, other = waiting("wide", demand(9), age=60), waiting("other", demand(4), team="vision")

    verdicts = decided(of("research"), wide, other)

    assert [type(each) for each in verdicts if each.waiting.team == "vision"] == [Admit]


def test_it_is_told_what_lets_it_start() -> None:
    line = waiting()

    explanation = explain(board(of("research"), line), line, now=NOW, slots=9)

    assert explanation.happenings == (Unpausing(),)
    assert explanation.remedies == (Unpause(team="research"),)
    case = Case(board=board(of("research", "vision"), line), line=line, now=NOW, slots=9)
    assert Unpause(team="research").apply(case).starts
    assert not Unpause(team="vision").apply(case).starts


def test_a_later_version_is_not_undone_by_an_earlier_one_that_comes_late() -> None:
    later = apply(resource(), Paused(pauses=paused(version=3)))

    assert apply(later, Paused(pauses=paused("research", version=2))) == later
    assert "research" in apply(later, Paused(pauses=paused("research", version=4))).pauses.teams
