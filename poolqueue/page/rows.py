"""Puts stays into the rows of a chart: a row per replica of a pool, and never two stays on one at a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from poolqueue.viewing.stays import Kind, Stay

NEVER = datetime.max.replace(tzinfo=UTC)
ALWAYS = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Block:
    """So many rows one below the other, from `row` on."""

    row: int
    rows: int


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A stay, and the rows that it takes: one block where there is room for it, else several."""

    stay: Stay
    blocks: tuple[Block, ...]


@dataclass
class _Segment:
    """Rows that come free at one time."""

    row: int
    rows: int
    free: datetime

    @property
    def end(self) -> int:
        return self.row + self.rows


def placed(stays: Iterable[Stay], capacity: int) -> list[Placed]:
    """In the order of their starts. What does not fit into `capacity`, as after a pool has shrunk, or what is
    planned though something else is seen to run longer, gets rows below.
    """
    rows = _Rows(capacity)
    return [
        Placed(stay=stay, blocks=rows.take(stay.replicas, stay.start, stay.end or NEVER))
        for stay in sorted(stays, key=_in_order)
    ]


def _in_order(stay: Stay) -> tuple[datetime, bool, str, str, int]:
    return stay.start, stay.kind is Kind.OTHERS, stay.team, stay.job_id, stay.attempt


class _Rows:
    def __init__(self, capacity: int) -> None:
        self._segments = [_Segment(0, capacity, ALWAYS)] if capacity > 0 else []

    def take(self, rows: int, start: datetime, until: datetime) -> tuple[Block, ...]:
        self._join(start)
        fits = next((each for each in self._segments if each.free <= start and each.rows >= rows), None)
        if fits is not None:
            return (self._occupy(fits, rows, until),)
        return self._scattered(rows, start, until)

    def _join(self, start: datetime) -> None:
        """Neighbours that are all free by now are one."""
        joined: list[_Segment] = []
        for each in self._segments:
            if joined and each.free <= start and joined[-1].free <= start:
                joined[-1].rows += each.rows
            else:
                joined.append(each)
        self._segments = joined

    def _scattered(self, rows: int, start: datetime, until: datetime) -> tuple[Block, ...]:
        blocks = []
        for each in [*self._segments]:
            if each.free <= start and rows:
                taken = min(rows, each.rows)
                blocks.append(self._occupy(each, taken, until))
                rows -= taken
        if rows:
            end = self._segments[-1].end if self._segments else 0
            self._segments.append(_Segment(end, rows, until))
            blocks.append(Block(row=end, rows=rows))
        return tuple(blocks)

    def _occupy(self, segment: _Segment, rows: int, until: datetime) -> Block:
        at = self._segments.index(segment)
        taken = _Segment(segment.row, rows, until)
        rest = _Segment(segment.row + rows, segment.rows - rows, segment.free)
        self._segments[at : at + 1] = [taken, rest] if rest.rows else [taken]
        return Block(row=taken.row, rows=rows)
