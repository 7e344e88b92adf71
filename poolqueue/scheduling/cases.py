"""A decision to be made in thought: the board it is made on, and the one job that it is asked about."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from poolqueue.scheduling.admission import decide
from poolqueue.scheduling.board import Board
from poolqueue.scheduling.decision import Decision
from poolqueue.scheduling.matching import Assignment, Matched, PoolSpec, match_pools
from poolqueue.scheduling.policies import Policy
from poolqueue.scheduling.pools import Pool, PoolKey, Resource
from poolqueue.scheduling.serial_keys import Holder
from poolqueue.scheduling.waiting import Waiting


@dataclass(frozen=True, kw_only=True)
class Case:
    """`line` is one of the jobs of `board`, which stays as it is: a change makes another case. `known` is the
    decision on it, if that was made already.
    """

    board: Board
    line: Waiting
    now: datetime
    slots: int
    known: Decision | None = None

    @cached_property
    def decision(self) -> Decision:
        return self.known or decide(self.board, now=self.now, slots=self.slots)

    @property
    def starts(self) -> bool:
        """Does the next decision start the job?"""
        key = self.line.key
        return any(key in (admit.waiting.key, admit.waiting.of) for admit in self.decision.admits)

    @cached_property
    def assignments(self) -> tuple[Assignment, ...]:
        """The kind of pool of each of its worker pool specs, however large that is; none if it has none."""
        pools = [_of_any_size(pool) for pool in self.board.resource.pools]
        match = match_pools(self.line.demands, pools)
        return match.assignments if isinstance(match, Matched) else ()

    @cached_property
    def wanted(self) -> dict[PoolKey, int]:
        """Replicas that it asks for, per pool."""
        replicas = {demand.index: demand.replicas for demand in self.line.demands}
        wanted: dict[PoolKey, int] = {}
        for each in self.assignments:
            wanted[each.key] = wanted.get(each.key, 0) + replicas[each.index]
        return wanted

    @property
    def key_holders(self) -> list[Holder]:
        """Who has its serial key, if it has one."""
        serial = self.line.serial
        return [] if serial is None else self.board.keys(self.now).holders((self.line.team, serial.key))

    # --- changed

    def of_resource(self, resource: Resource) -> Case:
        return self._on(self.board.copy(resource=resource, now=self.now))

    def of_policy(self, policy: Policy) -> Case:
        return self._on(self.board.copy(policy=policy, now=self.now))

    def asked_anew(self, **changes: Any) -> Case:
        """The job is cancelled and asked for anew with these changes: it arrives now, without a promise."""
        line = replace(
            self.line,
            arrived=self.now,
            is_new=True,
            attempt=0,
            preemptions=0,
            not_before=self.line.not_before if self.line.attempt == 0 else None,
            **changes,
        )
        promises = {key: p for key, p in self.board.resource.promises.items() if key != self.line.key}
        board = self.board.copy(resource=replace(self.board.resource, promises=promises), now=self.now)
        board.remove(self.line)
        board.add(line)
        return self._on(board, line=line)

    def with_priority(self, priority: int) -> Case:
        line = replace(self.line, priority=priority)
        board = self.board.copy(now=self.now)
        board.remove(self.line)
        board.add(line)
        return self._on(board, line=line)

    def at(self, now: datetime) -> Case:
        """The same later, with nothing changed but that the resource was looked at again."""
        resource = replace(self.board.resource, observed_at=now)
        return self._on(self.board.copy(resource=resource, now=now), now=now)

    def _on(self, board: Board, **changes: Any) -> Case:
        return replace(self, board=board, known=None, **changes)


def _of_any_size(pool: Pool) -> PoolSpec:
    return PoolSpec(id=", ".join(pool.ids), machine=pool.key.machine, disk=pool.key.disk)
