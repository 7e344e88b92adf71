"""What a decision came to: what is to be done now, and why the others wait."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime

from poolqueue.scheduling.board import Board, Group
from poolqueue.scheduling.jobs import Reason
from poolqueue.scheduling.planning import PlannedStart
from poolqueue.scheduling.turns import in_turn
from poolqueue.scheduling.verdicts import (
    Admit,
    Block,
    Expire,
    Preempt,
    Reject,
    Relocate,
    Verdict,
    Wait,
)
from poolqueue.scheduling.waiting import Waiting, is_awake


class Decision:
    """What is to be done now, on a board that must not change while the decision is looked at.

    `planned` are the planned starts, the most urgent first; `joined` by how much the use of teams that begin
    to wait is raised; `competing` are the teams whose jobs wait for what others hold or are to get;
    `at_maximum` the lines of which enough members of their arrays hold replicas. Who is relocated is decided
    apart, with a view of other resources (`relocating.py`). `blocks` says why the groups that were considered
    wait, `block_of_rest` why one of the others does.
    """

    def __init__(self, board: Board, *, now: datetime) -> None:
        self._board = board
        self._now = now
        self.admits: list[Admit] = []
        self.rejects: list[Reject] = []
        self.expires: list[Expire] = []
        self.relocates: list[Relocate] = []
        self.preempts: list[Preempt] = []
        self.planned: list[PlannedStart] = []
        self.joined: Mapping[str, float] = {}
        self.competing: set[str] = set()
        self.obstacle: Block | None = None
        self.blocks: dict[int, Block] = {}
        self.block_of_rest: Callable[[Group], Block] | None = None
        self.paced: set[str] = set()
        self.at_maximum: set[str] = set()

    @property
    def board(self) -> Board:
        return self._board

    def waits(self) -> Iterator[Wait]:
        """Why each of the others waits, in no particular order; the members of an array together."""
        gone = {line.key for line in self.leaving()}
        for group in self._board.groups.values():
            for line in group.lines:
                left = self.left_of(line)
                if left is not None and line.key not in gone:
                    yield self._wait(left, group)

    def left_of(self, line: Waiting) -> Waiting | None:
        """The array with those of its members that stay, None if none does; any other line as it is."""
        if not line.members:
            return line
        leaving = [each.key for each in self.leaving() if not each.members and each.array == line.key]
        return line.without(leaving)

    def leaving(self) -> Iterator[Waiting]:
        """Those that do not wait any more once all of it is done."""
        yield from (admit.waiting for admit in self.admits)
        yield from (reject.waiting for reject in self.rejects)
        yield from (expire.waiting for expire in self.expires)
        yield from (relocate.waiting for relocate in self.relocates)

    def due(self) -> datetime | None:
        """When time alone changes something, if it does."""
        times = [block.until for block in self.blocks.values() if block.until is not None]
        for line in self._board.timed.values():
            times += [at for at in (line.not_before, line.expires) if at is not None and at > self._now]
        return min(times, default=None)

    def verdicts(self, lines: Iterable[Waiting] | None = None) -> Iterator[Verdict]:
        """Of every job of the board, in the order of their turns, which are those of `lines` if given."""
        over: dict[str, Verdict] = {}
        over |= {each.waiting.key: each for each in self.admits}
        over |= {each.waiting.key: each for each in self.rejects}
        over |= {each.waiting.key: each for each in self.expires}
        for line in in_turn(self._board, now=self._now) if lines is None else lines:
            yield over.get(line.key) or over.get(line.of or "") or self.wait_of(line)

    def wait_of(self, line: Waiting) -> Wait:
        """Why this job waits, which it must."""
        return self._wait(self.left_of(line) or line, self._board.group_of(line))

    def _wait(self, line: Waiting, group: Group) -> Wait:
        block = self.obstacle or _sleep(line, self._now) or self._paced(line) or self._kept_back(line)
        block = block or self._block(group)
        has_pools = self.obstacle is None and bool(group.wanted) and is_awake(line, self._now)
        return Wait(waiting=line, block=block, has_pools=has_pools)

    def _kept_back(self, line: Waiting) -> Block | None:
        if not self.at_maximum.intersection((line.key, line.of)):
            return None
        most = self._board.maximums[line.array or ""]
        note = f"as many members of its array hold replicas as its max_parallel allows, {most}"
        return Block(reason=Reason.ARRAY_AT_MAXIMUM, said=note)

    def _block(self, group: Group) -> Block:
        known = self.blocks.get(id(group))
        if known is None:
            assert self.block_of_rest is not None, "every group was walked by"
            known = self.block_of_rest(group)
        return known

    def _paced(self, line: Waiting) -> Block | None:
        if not self.paced or line.nth(0).key not in self.paced:
            return None
        note = "its replicas are free; it waits for the pace of requests to Vertex AI"
        return Block(reason=Reason.PACED, said=note)


def _sleep(line: Waiting, now: datetime) -> Block | None:
    if line.not_before is None or line.not_before <= now:
        return None
    if line.attempt == 0:
        note = "its request asks to start no earlier"
        return Block(reason=Reason.NOT_YET, said=note, until=line.not_before)
    note = "an earlier attempt was refused or failed; the next one may start then"
    return Block(reason=Reason.BACKING_OFF, said=note, until=line.not_before)
