"""One walk over the waiting jobs in their turns: who starts, and who gets a planned start instead."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from heapq import merge

from poolqueue.scheduling.board import CANCELLED_SECONDS, Board, Group, seconds_of, time_of
from poolqueue.scheduling.decision import Decision
from poolqueue.scheduling.jobs import Reason
from poolqueue.scheduling.ordering import Order
from poolqueue.scheduling.planning import INFINITY, End, PlannedStart, Wanted, by_time, planned_start
from poolqueue.scheduling.policies import Ordering, Preemption
from poolqueue.scheduling.pools import RESERVATIONS_LIMIT, PoolKey, Resource, total
from poolqueue.scheduling.preemption import Claim, preemptions
from poolqueue.scheduling.turns import Turn, Turns
from poolqueue.scheduling.verdicts import (
    Admit,
    Block,
    Overtaken,
    Preempt,
    Reject,
)
from poolqueue.scheduling.waiting import Waiting, is_awake

_OWN_REASONS = {
    Reason.SERIAL_KEY_TAKEN,
    Reason.TEAM_AT_MAXIMUM,
    Reason.NO_MATCHING_POOL,
    Reason.ABOVE_CAPACITY,
    Reason.DRAINED,
    Reason.TEAM_PAUSED,
}
UNKNOWN_SECONDS = 3_600.0  # who goes ahead of a job that waits for foreign use ends within this time


class Walk:
    """One walk over the groups: what is free, what is planned, how many may still be admitted."""

    def __init__(self, board: Board, decision: Decision, *, now: datetime, slots: int) -> None:
        self._board = board
        self._decision = decision
        self._now = now
        self._slots = slots
        self._may_make_room = board.policy.preemption is not Preemption.OFF
        self._is_strict = board.policy.ordering is Ordering.FIFO
        self._room = RESERVATIONS_LIMIT - len(board.resource.reservations)
        self._free = dict(board.free)
        self._order = Order(board, now=now)
        self._passing = total(each.replicas for each in board.passers.values())
        self._widest = _widest(board)
        self._closed_pools = dict(_closed_pools(board.resource, now))
        self._paused = board.resource.pauses.teams
        self._quotas = board.quotas()
        self._keys = board.keys(now)
        self._begun: list[End] = []
        self._begun_by: dict[str, str] = {}
        self._within: dict[tuple[str, PoolKey], PlannedStart] = {}
        self._planned: dict[PoolKey, PlannedStart] = {}
        self._places: dict[PoolKey, str] = {}
        self._claimed: set[PoolKey] = set()
        self._open = {id(group): group for group in board.groups.values() if self._is_free_for(group)}

    def run(self) -> None:
        turns = Turns(
            self._board, self._order, self._quotas, now=self._now, is_worth=self._is_worth_considering
        )
        self._decision.joined = turns.joined
        while not self._is_settled() and (turn := turns.next()) is not None:
            block = self._pass_by(turn) if turn.passes else self._consider(turn.group, turn.line)
            if block is not None and not turn.passes:
                self._block(turn.group, block)
            turns.go_on(turn, admitted=block is None)
        self._decision.at_maximum = turns.at_maximum
        self._leave(turns.rest())
        self._tell_who_passed()

    def _is_worth_considering(self, group: Group) -> bool:
        """May it start now, or get a planned start?"""
        if self._may_make_room or self._quotas or self._order.is_head_firm(group):
            return True
        return id(group) in self._open

    def _block(self, group: Group, block: Block) -> None:
        self._open.pop(id(group), None)
        self._decision.blocks[id(group)] = block
        self._decision.competing |= set() if block.reason in _OWN_REASONS else {group.team}

    def _is_free_for(self, group: Group) -> bool:
        free = self._free
        for key, n in group.wanted:  # noqa: SIM110  asked of every group in every decision: thrice as fast
            if n > free[key]:
                return False
        return True

    def _is_any_open(self) -> bool:
        """Does any fit that was not considered? What does not fit now will not later in this walk."""
        while self._open:
            key, group = next(iter(self._open.items()))
            if self._is_free_for(group):
                return True
            del self._open[key]
        return False

    def _is_settled(self) -> bool:
        """None of the others fits, and whatever is done about one of them changes nothing for the rest."""
        if self._may_make_room or self._is_any_open():
            return False
        if not self._order.gives_places and not self._quotas:
            return True
        return all(key in self._places or key in self._closed_pools for key in self._widest)

    def _leave(self, groups: Iterable[Group]) -> None:
        """Those that need not be considered: why they wait is worked out when it is asked for."""
        self._decision.block_of_rest = self._block_of_rest
        for group in groups:
            if self._quotas or self._closed_pools or self._paused or group.serial is not None:
                self._block(group, self._block_of_rest(group))
            else:
                self._decision.competing.add(group.team)

    def _block_of_rest(self, group: Group) -> Block:
        line = self._board.first_of(group) or group.lines[0]
        block = self._closed(group) or self._key_taken(group, line) or self._above_maximum(group)
        return block or self._lacking(group, None)

    def _consider(self, group: Group, line: Waiting) -> Block | None:
        """Start this job, or say why neither it nor the rest of its group starts."""
        if not group.wanted:
            return self._unmatched(group)
        block = self._closed(group) or self._key_taken(group, line) or self._at_maximum(group, line)
        block = block or self._too_few(group, line) or self._behind(group, line) or self._full()
        if block is None:
            self._start(group, line)
        return block

    def _pass_by(self, turn: Turn) -> Block | None:
        """Start this job, which is surely short, ahead of firm places, if such jobs hold little."""
        group = turn.group
        if not group.wanted or not self._may_pass(group):
            return _NOT_PASSING
        block = self._closed(group) or self._key_taken(group, turn.line) or self._above_maximum(group)
        if block or self._full() or (self._quotas and self._kept(group)):
            return _NOT_PASSING
        for key, n in group.wanted:
            self._passing[key] += n
        self._start(group, turn.line, passes=True)
        return None

    def _may_pass(self, group: Group) -> bool:
        return all(
            n <= self._free[key]
            and self._passing[key] + n <= self._passing_limit(key, self._widest.get(key, 0))
            for key, n in group.wanted
        )

    # --- why not

    def _unmatched(self, group: Group) -> Block:
        above = all(problem.above_capacity for problem in group.problems)
        reason = Reason.ABOVE_CAPACITY if above else Reason.NO_MATCHING_POOL
        self._decision.rejects += [
            Reject(waiting=line, reason=reason, problems=group.problems)
            for line in group.lines
            if line.is_new and not line.alternatives and is_awake(line, self._now)
        ]
        return Block(reason=reason, said=group.problems[0].problem)

    def _closed(self, group: Group) -> Block | None:
        """Somebody, or a refusal of Vertex AI, keeps the group's team or one of its pools from starting."""
        if (pause := self._paused.get(group.team)) is not None:
            note = f"team {group.team}, by {pause.author}: {pause.reason}"
            return Block(reason=Reason.TEAM_PAUSED, said=note)
        if not self._closed_pools:
            return None
        return next((self._closed_pools[key] for key, _ in group.wanted if key in self._closed_pools), None)

    def _key_taken(self, group: Group, line: Waiting) -> Block | None:
        """Nothing is planned for a job that waits for its serial key: it holds nobody up."""
        if group.serial is None:
            return None
        taken = self._keys.taken(group.team, group.serial, (-line.priority, line.arrived))
        if taken is None:
            return None
        return Block(reason=Reason.SERIAL_KEY_TAKEN, taken=taken, until=taken.until)

    def _at_maximum(self, group: Group, line: Waiting) -> Block | None:
        block = self._above_maximum(group)
        if block is not None and self._is_reachable(group) and self._order.is_firm(line, group):
            self._plan_within_quota(group, line)
        return block

    def _above_maximum(self, group: Group) -> Block | None:
        over = self._quotas.exceeded(group.team, group.wanted) if self._quotas else None
        if over is None:
            return None
        n = dict(group.wanted)[over.pool]
        note = (
            f"{self._board.names[over.pool]}: needs {n}; team {group.team} has {over.used} "
            f"of the {over.most} that it may have"
        )
        short = {over.pool: over.used + n - over.most}
        return Block(reason=Reason.TEAM_AT_MAXIMUM, said=note, short_by=short, maximum=over)

    def _too_few(self, group: Group, line: Waiting) -> Block | None:
        if self._is_free_for(group):
            kept = self._kept(group) if self._quotas else None
            if kept is not None:
                self._plan(group, line, [])
            return kept
        return self._lacking(group, self._plan(group, line, self._make_room(group, line)))

    def _lacking(self, group: Group, plan: PlannedStart | None) -> Block:
        names, free = self._board.names, self._free
        return Block(
            reason=Reason.NEEDS_REPLICAS,
            lacks=tuple((names[key], n, free[key]) for key, n in group.wanted if n > free[key]),
            short_by={key: n - free[key] for key, n in group.wanted if n > free[key]},
            ahead=plan.key if plan else None,
            start=_start_of(plan),
        )

    def _kept(self, group: Group) -> Block | None:
        """Replicas that are free, but other teams' own, which they do not lend."""
        for key, n in group.wanted:
            free, kept = self._free[key], self._quotas.kept(group.team, key)
            if n > free - kept:
                note = (
                    f"{self._board.names[key]}: needs {n}, {free} free, "
                    f"of which {kept} are guaranteed to teams that do not lend them"
                )
                reason = Reason.REPLICAS_GUARANTEED
                return Block(reason=reason, said=note, short_by={key: n - (free - kept)}, kept=kept)
        return None

    def _behind(self, group: Group, line: Waiting) -> Block | None:
        """Would it delay a planned start? In strict FIFO, what shares a pool with an earlier job would."""
        if self._is_strict:
            own = next(self._plans_within(group.wanted, group.team), None)
            places = (self._places[key] for key, _ in group.wanted if key in self._places)
            ahead = own.key if own is not None else next(places, None)
            if ahead is None:
                return None
            self._take_place(group, line)
            return self._after(ahead, self._plan_of(ahead))
        until = self._until(group) if self._planned or self._within else 0.0
        for plan in self._plans_on(group.wanted, group.team):
            if plan.is_delayed_by(group.wanted, until):
                self._take_place(group, line)
                return self._after(plan.key, plan)
        return None

    def _after(self, ahead: str, plan: PlannedStart | None) -> Block:
        start = _start_of(plan)
        return Block(reason=Reason.BEHIND_PLANNED_START, ahead=ahead, start=start)

    def _full(self) -> Block | None:
        if self._room > 0:
            return None
        note = f"the resource already has {RESERVATIONS_LIMIT} reservations"
        return Block(reason=Reason.TOO_MANY_RESERVATIONS, said=note)

    # --- planned starts

    def _plan(self, group: Group, line: Waiting, ending: Sequence[Preempt]) -> PlannedStart | None:
        """The planned start that keeps others from delaying this job, if it is the first at all its pools.
        `ending` are the attempts that are ended for it.
        """
        is_first = self._take_place(group, line, is_sure=bool(ending))
        if not is_first:
            return None
        at, spare = self._planned_start(group, ending)
        is_known = at < INFINITY
        if not is_known:
            at = seconds_of(self._now) + UNKNOWN_SECONDS
        part = self._order.spare_part(group)
        spare = {key: int(n * part) for key, n in spare.items()}
        plan = PlannedStart(
            key=line.key, team=line.team, wanted=group.wanted, at=at, spare=spare, is_known=is_known
        )
        self._planned |= {key: plan for key, _ in group.wanted}
        self._decision.planned.append(plan)
        return plan

    def _take_place(self, group: Group, line: Waiting, *, is_sure: bool = False) -> bool:
        """Keep later jobs from getting a planned start at these pools before this one; was it the first?

        Without this, a job of several pools would wait for ever while others get planned starts at one of
        them after the other.
        """
        if all(key in self._places for key, _ in group.wanted):
            return False
        if not is_sure and not self._has_place(group, line):
            return False
        is_first = not any(key in self._places for key, _ in group.wanted)
        for key, _ in group.wanted:
            self._places.setdefault(key, line.key)
        return is_first

    def _has_place(self, group: Group, line: Waiting) -> bool:
        """Nobody knows how long foreign use lasts. A job that waits for that lets others pass, until it has
        waited for so long that its place is firm all the same; in strict FIFO nobody passes.
        """
        if not self._is_reachable(group):
            return False
        if self._is_strict:
            return True
        ours = _without_others(self._board.resource)
        is_own = all(n <= ours[key] for key, n in group.wanted)
        if not is_own and self._now - line.arrived < self._board.policy.firm_after:
            return False
        return self._order.is_firm(line, group) or self._quotas.is_guaranteed(group.team, group.wanted)

    def _planned_start(self, group: Group, ending: Sequence[Preempt]) -> tuple[float, dict[PoolKey, int]]:
        tokens = {each.token for each in ending}
        soon = seconds_of(self._now) + CANCELLED_SECONDS
        held = self._board.resource.reservations
        begun = [*self._begun, *((soon, token, held[token].replicas) for token in tokens)]
        free: Mapping[PoolKey, int] = self._free
        ends: Iterable[End] = (end for end in self._board.ends if end[1] not in tokens)
        ends = merge(ends, sorted(begun, key=by_time), key=by_time)
        if self._quotas:
            free = {key: free[key] - self._quotas.kept(group.team, key) for key, _ in group.wanted}
            ends = self._quotas.opened(group.team, ends, self._team_of)
        return planned_start(group.wanted, free, ends)

    def _plan_within_quota(self, group: Group, line: Waiting) -> None:
        """Its team has too much for this job: what the team gives back is left to it, if it is the first; for
        other teams that holds nothing up.
        """
        team = group.team
        if any((team, key) in self._within for key, _ in group.wanted):
            return
        left = {key: n for key, _ in group.wanted if (n := self._quotas.left(team, key)) is not None}
        wanted = [(key, n) for key, n in group.wanted if key in left]
        ends = merge(self._board.ends, sorted(self._begun, key=by_time), key=by_time)
        at, spare = planned_start(wanted, left, (end for end in ends if self._team_of(end[1]) == team))
        plan = PlannedStart(key=line.key, team=team, wanted=wanted, at=at, spare=spare, is_known=False)
        self._within |= {(team, key): plan for key, _ in wanted}

    def _team_of(self, token: str) -> str:
        reservation = self._board.resource.reservations.get(token)
        return self._begun_by[token] if reservation is None else reservation.team

    def _passing_limit(self, key: PoolKey, widest: int) -> int:
        """How many replicas may be held by passing: never so many that the widest firm job cannot start."""
        capacity = self._board.capacity[key]
        return min(int(self._order.passing_part * capacity), capacity - widest)

    def _make_room(self, group: Group, line: Waiting) -> list[Preempt]:
        """The attempts that are ended for this job, if it is the first that lacks replicas of these pools."""
        if not self._may_make_room:
            return []
        if not self._is_reachable(group) or any(key in self._claimed for key, _ in group.wanted):
            return []
        self._claimed |= {key for key, _ in group.wanted}
        claim = Claim(line=line, wanted=group.wanted)
        chosen = self._decision.preempts
        found = preemptions(self._board, claim, self._free, self._quotas, chosen=chosen, now=self._now)
        self._decision.preempts += found
        return found

    def _is_reachable(self, group: Group) -> bool:
        return all(self._quotas.may_ever_have(group.team, key, n) for key, n in group.wanted)

    def _plan_of(self, key: str) -> PlannedStart | None:
        return next((plan for plan in self._decision.planned if plan.key == key), None)

    def _plans_on(self, wanted: Wanted, team: str) -> Iterator[PlannedStart]:
        """Those that a job of this team must not delay."""
        yield from self._planned_on(wanted)
        yield from self._plans_within(wanted, team)

    def _planned_on(self, wanted: Wanted) -> Iterable[PlannedStart]:
        found = {id(plan): plan for key, _ in wanted if (plan := self._planned.get(key)) is not None}
        return found.values()

    def _plans_within(self, wanted: Wanted, team: str) -> Iterator[PlannedStart]:
        if self._within:
            found = (self._within.get((team, key)) for key, _ in wanted)
            yield from {id(plan): plan for plan in found if plan is not None}.values()

    def _until(self, group: Group) -> float:
        return seconds_of(self._now) + self._seconds(group)

    def _seconds(self, group: Group) -> float:
        return self._board.expectations.run_seconds(group.traits, self._order.sure)

    # --- starting

    def _start(self, group: Group, line: Waiting, *, passes: bool = False) -> None:
        """Its replicas are its own; without a slot left it starts as soon as there is one."""
        for key, n in group.wanted:
            self._free[key] -= n
            self._quotas.held[group.team, key] += n
        if group.serial is not None:
            self._keys.take(group.team, group.serial, line.job_id)
        until = self._until(group)
        self._begun.append((until, line.key, dict(group.wanted)))
        self._begun_by[line.key] = group.team
        for plan in self._plans_within(group.wanted, group.team):
            plan.let_ahead(group.wanted, until)
        overtakes = tuple(self._overtake(plan, group, until) for plan in self._planned_on(group.wanted))
        if self._slots <= 0:
            self._decision.paced.add(line.key)
            self._decision.competing.add(group.team)
            return
        self._slots -= 1
        self._room -= 1
        admit = Admit(
            waiting=line,
            replicas=dict(group.wanted),
            assignments=group.assignments,
            overtakes=overtakes,
            passes=passes,
        )
        self._decision.admits.append(admit)

    def _overtake(self, plan: PlannedStart, group: Group, until: float) -> Overtaken:
        delay = 0.0
        if plan.needs_any(group.wanted):
            room = plan.at - seconds_of(self._now)
            delay = self._board.expectations.excess_seconds(group.traits, room)
        plan.let_ahead(group.wanted, until)
        return Overtaken(key=plan.key, start=_start_of(plan), expected_delay=delay)

    def _tell_who_passed(self) -> None:
        """Who passed firm places started before these were planned. It may delay them no more than the plans
        allow for.
        """
        admits = self._decision.admits
        for place, admit in enumerate(admits):
            if admit.passes:
                plans = self._planned_on(tuple(admit.replicas.items()))
                passed = tuple(Overtaken(key=plan.key, start=_start_of(plan)) for plan in plans)
                admits[place] = replace(admit, overtakes=passed)


_NOT_PASSING = Block(reason=Reason.BEHIND_PLANNED_START, said="its proper turn comes later")


def _start_of(plan: PlannedStart | None) -> datetime | None:
    return time_of(plan.at) if plan is not None and plan.is_known else None


def _without_others(resource: Resource) -> dict[PoolKey, int]:
    """What is free of a pool once all that we know of has ended."""
    others = total((resource.foreign, resource.surplus))
    return {pool.key: pool.capacity - others[pool.key] for pool in resource.pools}


def _widest(board: Board) -> dict[PoolKey, int]:
    """The most replicas of each pool that any waiting job asks for."""
    widest: dict[PoolKey, int] = {}
    for group in board.groups.values():
        for key, n in group.wanted:
            widest[key] = max(n, widest.get(key, 0))
    return widest


def _closed_pools(resource: Resource, now: datetime) -> Iterable[tuple[PoolKey, Block]]:
    for pool in resource.pools:
        backoff = resource.backoffs.get(pool.key)
        drain = next((resource.drained[i] for i in pool.ids if i in resource.drained), None)
        if drain is not None:
            note = f"pool {', '.join(pool.ids)}, by {drain.author}: {drain.reason}"
            yield pool.key, Block(reason=Reason.DRAINED, said=note)
        elif backoff is not None and backoff.until > now:
            note = f"Vertex AI refused a job on pool {', '.join(pool.ids)}; the pool is left alone until then"
            yield pool.key, Block(reason=backoff.reason, said=note, until=backoff.until)
