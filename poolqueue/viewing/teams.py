"""What each team has of a persistent resource: its share, its use, what it holds, and what waits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from poolqueue.scheduling.board import Board
from poolqueue.scheduling.pools import PoolKey
from poolqueue.scheduling.sharing import most_of


@dataclass(frozen=True, kw_only=True)
class TeamPool:
    """What a team holds of a pool; `maximum` is None where nothing but the pool's capacity limits it."""

    pool: str
    held: int
    guaranteed: int = 0
    maximum: int | None = None


@dataclass(frozen=True, kw_only=True)
class TeamView:
    """`share`: its part by weight among these teams. `used`: its part of what these teams used lately, of
    which half is forgotten per half-life. `holds`: its part of the resource now. `next_by`: by this number
    the lowest is considered next, at equal priority.
    """

    name: str
    weight: float
    share: float
    used: float
    holds: float
    next_by: float
    waiting: int
    pools: tuple[TeamPool, ...] = ()


def team_views(board: Board, names: Iterable[str], *, now: datetime) -> tuple[TeamView, ...]:
    """Of the teams named, and of others that hold or wait here."""
    waiting = Counter(line.team for line in board.lines())
    others = {team for team, _ in board.held} | waiting.keys()
    teams = [*dict.fromkeys([*names, *sorted(others)])]
    uses, quotas = board.uses(now), board.quotas()
    weights = {team: board.policy.weights.get(team, 1.0) for team in teams}
    used = {team: uses.used(team) * weights[team] for team in teams}
    return tuple(
        TeamView(
            name=team,
            weight=weights[team],
            share=_part(weights[team], weights.values()),
            used=_part(used[team], used.values()),
            holds=_held_part(board, team),
            next_by=uses.position(team),
            waiting=waiting[team],
            pools=tuple(
                TeamPool(
                    pool=board.names[key],
                    held=board.held[team, key],
                    guaranteed=quotas.of(team, key).guaranteed,
                    maximum=most_of(quotas.of(team, key)),
                )
                for key in board.capacity
            ),
        )
        for team in teams
    )


def _part(one: float, of: Collection[float]) -> float:
    whole = sum(of)
    return one / whole if whole > 0 else 0.0


def _held_part(board: Board, team: str) -> float:
    """Mean over the pools, as shares count it."""
    parts = [_of_pool(board, team, key) for key, capacity in board.capacity.items() if capacity > 0]
    return sum(parts) / len(parts) if parts else 0.0


def _of_pool(board: Board, team: str, key: PoolKey) -> float:
    return board.held[team, key] / board.capacity[key]
