"""What teams get of a resource that is never idle, in virtual time, by seeds: each run is always the same."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from poolqueue.scheduling.admission import decide
from poolqueue.scheduling.policies import Ordering, Policy, Quota
from poolqueue.scheduling.pools import Use, decayed_seconds
from poolqueue.scheduling.reckoning import reckon
from poolqueue.scheduling.sharing import LONGEST_CREDIT
from poolqueue.scheduling.waiting import Waiting
from tests.support.watched_time import WatchedTime
from tests.unit.scheduling.building import CPU, NOW, at, board, demand, lasting, pool, resource, waiting

CAPACITY = 12
MINUTE, HOUR, DAY = 60, 3_600, 86_400
WEIGHTS = {"a": 1.0, "b": 3.0}


@dataclass(frozen=True)
class Mix:
    """What jobs a team has: how long they run, how many replicas they take, and how far off their timeouts
    are, which is all that is known: a week if nothing is.
    """

    shortest: float
    longest: float
    replicas: tuple[int, ...] = (1,)
    off: tuple[float, ...] = ()

    def job(self, chance: random.Random, team: str, number: int, arrived: datetime) -> tuple[Waiting, float]:
        runs = round(chance.uniform(self.shortest, self.longest))
        known = round(runs * chance.choice(self.off)) if self.off else 7 * DAY
        line = waiting(
            f"{team}{number}",
            demand(chance.choice(self.replicas)),
            team=team,
            age=(NOW - arrived).total_seconds(),
            traits=lasting(max(1, known)),
        )
        return line, float(runs)


class Backlog:
    """Each of these teams has always a few jobs more waiting than could run."""

    def __init__(self, mixes: dict[str, Mix], *, seed: int, **policy) -> None:
        self._chance = random.Random(seed)
        self._mixes = mixes
        self._number = 0
        self.time = WatchedTime(
            resource(pools=(pool(CPU, CAPACITY),)),
            now=NOW,
            policy=Policy(**{"weights": WEIGHTS, **policy}),
            again=lambda time, line: self._job(line.team, time.now),
        )

    def begin(self, *teams: str, after: float = 0) -> None:
        for team in teams:
            for _ in range(CAPACITY + 3):
                line, runs = self._job(team, at(after))
                self.time.arrives(line, runs=runs)

    def part_of(self, team: str, *, since: float, until: float) -> float:
        """The percentage of all replica-seconds."""
        self.time.run(until=at(until))
        seconds = self.time.replica_seconds(since=at(since), until=at(until))
        return 100 * seconds[team] / seconds.total()

    def _job(self, team: str, arrived: datetime) -> tuple[Waiting, float]:
        self._number += 1
        return self._mixes[team].job(self._chance, team, self._number, arrived)


SHORT = Mix(20 * MINUTE, 60 * MINUTE)
LONG = Mix(5 * HOUR, 20 * HOUR)
WIDE = Mix(1 * HOUR, 3 * HOUR, (2, 4))
WRONG = Mix(20 * MINUTE, 3 * HOUR, (1, 2), off=(0.1, 1.0, 10.0))
KNOWN = Mix(1 * HOUR, 3 * HOUR, off=(1.0,))


@pytest.mark.parametrize(
    ("of_a", "of_b"),
    [
        (SHORT, SHORT),
        (SHORT, LONG),
        (LONG, SHORT),
        (LONG, LONG),
        (WIDE, SHORT),
        (SHORT, WIDE),
        (WRONG, KNOWN),
    ],
    ids=["alike", "b long", "a long", "both long", "a wide", "b wide", "a wrongly known"],
)
def test_teams_of_weight_1_and_3_get_25_and_75_percent(of_a, of_b) -> None:
    backlog = Backlog({"a": of_a, "b": of_b}, seed=1)
    backlog.begin("a", "b")

    assert backlog.part_of("a", since=1 * DAY, until=6 * DAY) == pytest.approx(25, abs=5)


def test_shares_hold_under_expected_too_though_jobs_of_one_team_are_shorter() -> None:
    mixes = {"a": replace(SHORT, off=(1.0,)), "b": replace(KNOWN, off=(1.0,))}
    backlog = Backlog(mixes, seed=1, ordering=Ordering.EXPECTED)
    backlog.begin("a", "b")

    assert backlog.part_of("a", since=6 * HOUR, until=2 * DAY) == pytest.approx(25, abs=5)


def test_a_weight_that_changes_changes_the_shares_from_then_on() -> None:
    backlog = Backlog({"a": SHORT, "b": SHORT}, seed=1)
    backlog.begin("a", "b")
    backlog.time.run(until=at(DAY))
    backlog.time.change_policy(Policy(weights={"a": 3.0, "b": 1.0}))

    assert backlog.part_of("a", since=4 * DAY, until=6 * DAY) == pytest.approx(75, abs=5)


# --- who was away ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("weights", [{}, WEIGHTS, {"a": 300.0, "b": 100.0}])
def test_a_team_idle_for_a_day_gets_ahead_by_no_more_than_its_share_of_half_an_hour(weights) -> None:
    backlog = Backlog({"a": SHORT, "b": SHORT}, seed=1, weights=weights)
    backlog.begin("b")
    backlog.begin("a", after=DAY)
    share = weights.get("a", 1.0) / (weights.get("a", 1.0) + weights.get("b", 1.0))
    backlog.time.run(until=at(DAY))

    ahead = [backlog_ahead(backlog, share, hours) for hours in range(1, 13)]

    credit = share * LONGEST_CREDIT.total_seconds() * CAPACITY
    one_job_each = SHORT.longest * CAPACITY * share
    assert max(ahead) <= credit + one_job_each
    assert backlog.part_of("a", since=DAY + 2 * HOUR, until=DAY + 14 * HOUR) == pytest.approx(
        100 * share, abs=7
    )


def backlog_ahead(backlog: Backlog, share: float, hours: int) -> float:
    """The replica-seconds that team a had more than its share of the hours since it came back."""
    until = at(DAY + hours * HOUR)
    backlog.time.run(until=until)
    seconds = backlog.time.replica_seconds(since=at(DAY), until=until)
    return seconds["a"] - share * seconds.total()


def test_the_others_go_on_starting_jobs_while_a_team_comes_back() -> None:
    backlog = Backlog({"a": SHORT, "b": SHORT}, seed=1, weights={})
    backlog.begin("b")
    backlog.begin("a", after=DAY)
    backlog.time.run(until=at(DAY + 6 * HOUR))

    starts = sorted(
        began for key, began in backlog.time.log.started.items() if key.startswith("b.") and began > at(DAY)
    )
    gaps = [later - earlier for earlier, later in zip([at(DAY), *starts], starts, strict=False)]
    assert max(gaps) <= timedelta(minutes=45)


def test_two_teams_that_come_to_an_unwaited_for_resource_begin_level() -> None:
    """Whoever had it all to itself took nothing from anybody."""
    used = resource(pools=(pool(CPU, CAPACITY),), uses={"a": Use(at=NOW, seconds=DAY)})
    queue = [waiting(f"{team}{n}", team=team) for team in "ab" for n in range(CAPACITY)]

    decision = decide(board(used, *queue), now=NOW, slots=99)

    teams = [admit.waiting.team for admit in decision.admits]
    assert teams.count("a") >= CAPACITY // 2 - 1


def test_a_job_that_only_waits_for_its_time_earns_its_team_nothing() -> None:
    asleep = waiting("asleep", team="idle", not_before=at(DAY))
    queue = [asleep, waiting("awake", team="busy")]
    on = board(resource(foreign={CPU: 4}), *queue)

    decision = decide(on, now=NOW, slots=99)

    assert decision.competing == {"busy"}


def test_a_team_at_its_maximum_does_not_wait_for_the_others() -> None:
    quotas = {"a": {"cpu": Quota(maximum=0)}}
    on = board(resource(foreign={CPU: 4}), waiting("a", team="a"), waiting("b", team="b"), quotas=quotas)

    assert decide(on, now=NOW, slots=99).competing == {"b"}


# --- bursts ----------------------------------------------------------------------------------------------


def test_a_burst_of_1000_jobs_delays_another_teams_next_job_by_one_job_of_it_at_most() -> None:
    """The other team asks for a quarter of the resource, half of which is its share, every half hour."""
    burst, others = Mix(10 * MINUTE, 10 * MINUTE), Mix(15 * MINUTE, 15 * MINUTE, (CAPACITY // 4,))
    backlog = Backlog({"burst": burst, "other": others}, seed=1, weights={})
    backlog.time.forget_successors()
    for number in range(1_000):
        line, runs = burst.job(random.Random(1), "burst", number, NOW)
        backlog.time.arrives(line, runs=runs)
    asked = [at(n * 30 * MINUTE + 1) for n in range(24)]
    for number, when in enumerate(asked):
        line, runs = others.job(random.Random(1), "other", number, when)
        backlog.time.arrives(line, runs=runs)

    log = backlog.time.run()

    assert log.started["burst.burst999"] > asked[-1], "the burst lasts longer than all that is looked at"
    waits = [log.started[f"other.other{n}"] - when for n, when in enumerate(asked)]
    assert max(waits) <= timedelta(minutes=10)


def test_jobs_that_arrive_together_start_by_weight_at_once() -> None:
    queue = [waiting(f"{team}{n}", team=team) for team in "ab" for n in range(50)]
    on = board(resource(pools=(pool(CPU, CAPACITY),)), *queue, weights=WEIGHTS)

    teams = [admit.waiting.team for admit in decide(on, now=NOW, slots=99).admits]

    assert (teams.count("a"), teams.count("b")) == (CAPACITY // 4, CAPACITY * 3 // 4)


@pytest.mark.parametrize("kinds", [1, 100])
def test_a_backlog_of_10000_jobs_costs_a_look_at_each_kind_of_them_and_hides_nobody(kinds) -> None:
    backlog = [waiting(f"{n}", team="many", age=9, traits=lasting(1_000 + n % kinds)) for n in range(10_000)]
    used = {"many": Use(at=NOW, seconds=DAY, waiting=True)}
    on = board(resource(pools=(pool(CPU, 2),), uses=used), *backlog, waiting("one", team="few"))

    decision = decide(on, now=NOW, slots=99)

    assert decision.admits[0].waiting.key == "few.one"
    assert len(decision.blocks) + len(decision.admits) <= kinds + 3


# --- how use is counted ----------------------------------------------------------------------------------


def test_half_of_a_use_is_forgotten_per_half_life() -> None:
    use = Use(at=NOW, seconds=800)

    assert [use.decayed(at(days * DAY), timedelta(days=1)) for days in (0, 1, 3)] == [800, 400, 100]


def test_what_lasted_long_is_partly_forgotten_at_its_end() -> None:
    day = timedelta(days=1)

    assert decayed_seconds(60, day) == pytest.approx(60, abs=0.1)
    assert decayed_seconds(2 * DAY, day) == pytest.approx(1.5 * decayed_seconds(1 * DAY, day))


def test_an_end_changes_nothing_of_what_was_used() -> None:
    """What runs is counted by the same rule as what has ended."""
    backlog = Backlog({"a": Mix(10 * HOUR, 10 * HOUR)}, seed=1)
    backlog.time.forget_successors()
    backlog.begin("a")
    backlog.time.run(until=at(10 * HOUR - 1))
    before = backlog.time.board.uses(at(10 * HOUR)).used("a")
    for token in [*backlog.time.running]:
        backlog.time.end(token, when=at(10 * HOUR))

    assert backlog.time.board.uses(at(10 * HOUR)).used("a") == pytest.approx(before)


def test_a_decision_that_changes_nothing_leaves_the_uses_as_they_are() -> None:
    held = resource(foreign={CPU: 4})
    queue = [waiting("a", team="a"), waiting("b", team="b"), waiting("c", demand(9), team="c")]

    def reckoned(on, now):
        decision = decide(board(on, *queue), now=now, slots=9)
        event = reckon(on, decision, admits=(), is_waiting=lambda _key: True, policy=Policy(), now=now)
        return replace(on, uses=event.uses, promises=event.promises)

    first = reckoned(held, NOW)

    assert reckoned(first, at(60)) == first
    assert {team for team, use in first.uses.items() if use.waiting} == {"a", "b"}
