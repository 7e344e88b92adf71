"""Arrays: one job that stands for many, its members, numbered from 0; and what has become of each of them.

Sets of members are bits of whole numbers: ten thousand of them take little more than a kilobyte, and are
counted and compared at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from poolqueue.scheduling.serial_keys import Serial

MOST_MEMBERS = 10_000

Ranges = tuple[tuple[int, int], ...]
"""Members in order, as pairs of the first and the one after the last."""

_MAXIMUM_OF = "max_parallel of "  # no serial key of a publisher has a space
_MEMBER_ID = re.compile(r"([a-z0-9][a-z0-9_-]{0,62})\.(0|[1-9][0-9]{0,3})")
_ONES = re.compile("1+")


@dataclass(frozen=True, kw_only=True)
class Array:
    """What the job of an array knows of its members.

    At most `max_parallel` hold replicas at a time, any number if it is None. `apart` are those that have a
    job of their own; `ended`, by outcome, those that have ended, some without ever having had one.
    """

    size: int
    max_parallel: int | None = None
    apart: int = 0
    ended: Mapping[str, int] = field(default_factory=dict)

    @property
    def waiting(self) -> int:
        """Those that have neither a job of their own nor an end yet."""
        return _all(self.size) & ~self.apart & ~self.over

    @property
    def active(self) -> int:
        """Those that have a job of their own which has not ended."""
        return self.apart & ~self.over

    @property
    def over(self) -> int:
        return _united(self.ended.values())

    @property
    def is_over(self) -> bool:
        return self.over == _all(self.size)

    def counts(self) -> dict[str, int]:
        """How many have ended, by outcome."""
        return {outcome: members.bit_count() for outcome, members in self.ended.items() if members}

    def with_apart(self, index: int) -> Array:
        return replace(self, apart=self.apart | 1 << index)

    def with_end(self, index: int, outcome: str | None) -> Array:
        """That member has ended so; None: it goes on after all."""
        ended = {each: members & ~(1 << index) for each, members in self.ended.items()}
        if outcome is not None:
            ended[outcome] = ended.get(outcome, 0) | 1 << index
        return replace(self, ended={each: members for each, members in ended.items() if members})

    def with_all_but(self, outcome: str) -> Array:
        """All that have not ended so wait again."""
        kept = self.ended.get(outcome, 0)
        return replace(self, apart=self.apart & kept, ended={outcome: kept} if kept else {})

    def with_waiting_ended(self, outcome: str) -> Array:
        """All that still wait have ended so."""
        if not self.waiting:
            return self
        return replace(self, ended={**self.ended, outcome: self.ended.get(outcome, 0) | self.waiting})


def _all(size: int) -> int:
    return (1 << size) - 1


def _united(sets: Iterable[int]) -> int:
    union = 0
    for each in sets:
        union |= each
    return union


# --- members by number -----------------------------------------------------------------------------------


def ranges_of(members: int) -> Ranges:
    return tuple(found.span() for found in _ONES.finditer(f"{members:b}"[::-1]))


def members_of(ranges: Ranges) -> int:
    return _united(_all(end - first) << first for first, end in ranges)


def numbers_of(members: int) -> list[int]:
    return [n for first, end in ranges_of(members) for n in range(first, end)]


# --- ids -------------------------------------------------------------------------------------------------


def member_id(array_id: str, index: int) -> str:
    """Unlike any id that a publisher may give: those have no dot."""
    return f"{array_id}.{index}"


def member_of(job_id: str) -> tuple[str, int] | None:
    """The array's id and the member's number, if it is the id of a member."""
    found = _MEMBER_ID.fullmatch(job_id) if "." in job_id else None
    return None if found is None else (found[1], int(found[2]))


def array_key(key: str) -> str | None:
    """The key of the array of which the job of this key is a member, if it is one."""
    team, _, job_id = key.partition(".")
    found = member_of(job_id)
    return None if found is None else f"{team}.{found[0]}"


def maximum_key(array_id: str, most: int) -> Serial:
    """The serial key by which an array keeps its `max_parallel` where its members may run elsewhere."""
    return Serial(key=f"{_MAXIMUM_OF}{array_id}", limit=most)


def is_maximum_key(serial: Serial | None) -> bool:
    return serial is not None and serial.key.startswith(_MAXIMUM_OF)
