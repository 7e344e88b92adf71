from __future__ import annotations

import json
import random
import zlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poolqueue.adapters.memory import MemoryDocuments
from poolqueue.ports import Create
from poolqueue.records import Queue, ResourceName, queue_path, queues, read_queue, write_queue
from poolqueue.scheduling.alternatives import Alternative
from poolqueue.scheduling.jobs import Demand, Hold, Reason
from poolqueue.scheduling.traits import Traits
from poolqueue.scheduling.waiting import Waiting
from tests.unit.scheduling.building import CPU, GPU

NAME = ResourceName(project="demo-p", location="us-central1", id="shared")
START = datetime(2026, 11, 23, tzinfo=UTC)


def lines(many: int, *, machine_characters: int = 0) -> list[Waiting]:
    """Ids as random as they can be; with `machine_characters`, machines too."""
    chance = random.Random(0)

    def demands() -> tuple[Demand, ...]:
        if machine_characters:
            machine = "".join(
                chance.choices("abcdefghijklmnopqrstuvwxyz0123456789ABCDEF", k=machine_characters)
            )
            return (Demand(index=0, machine=machine, disk=CPU.disk, replicas=1),)
        key = chance.choice([CPU, GPU])
        return (Demand(index=0, machine=key.machine, disk=key.disk, replicas=chance.randint(1, 8)),)

    return [
        Waiting(
            team="research",
            job_id=f"{chance.getrandbits(160):040x}",
            priority=chance.randint(0, 100),
            arrived=START + timedelta(microseconds=chance.getrandbits(36)),
            demands=demands(),
        )
        for _ in range(many)
    ]


def written(queue: Queue) -> Queue:
    """As a strict store takes it and gives it back."""
    documents = MemoryDocuments()
    paths = [queue_path(NAME, shard) for shard in range(queue.shards)]
    for shard, path in enumerate(paths):
        documents.commit([Create(path=path, fields=write_queue(queue, shard))])
    return read_queue(document.fields for document in documents.read(paths))


def grown(many: list[Waiting], at_once: int = 50) -> Queue:
    queue = Queue()
    for start in range(0, len(many), at_once):
        queue = written(queue.changed(add=many[start : start + at_once])[0])
    return queue


def test_20_000_lines_fit_one_document() -> None:
    queue = grown(lines(20_000), at_once=20_000)

    assert queue.shards == 1
    assert len(queue.lines) == 20_000


def test_a_line_takes_less_than_50_bytes() -> None:
    queue = grown(lines(5_000), at_once=5_000)

    assert len(write_queue(queue, 0)["lines"]) / 5_000 < 50


def test_a_line_whose_traits_are_nobody_elses_takes_less_than_70_bytes() -> None:
    chance = random.Random(0)
    shared = tuple(f"{number:08x}" for number in range(4))
    many = [
        replace(line, traits=Traits(keys=(f"{chance.getrandbits(32):08x}", *shared), timeout=86_400))
        for line in lines(5_000)
    ]

    assert len(write_queue(grown(many, at_once=5_000), 0)["lines"]) / 5_000 < 70


def test_a_document_from_before_there_were_traits_can_be_read() -> None:
    demand = [0, CPU.machine, CPU.disk, 2]
    old = {
        "demands": [[demand]],
        "lines": [["research", "a", 50, 1_700_000_000_000_000, 0, 1, None, 1]],
    }
    packed = zlib.compress(json.dumps(old).encode())

    queue = read_queue([{"schema": 1, "shard": 0, "count": 1, "lines": packed}])

    assert queue.waiting() == [
        Waiting(
            team="research",
            job_id="a",
            priority=50,
            arrived=datetime.fromtimestamp(1_700_000_000, UTC),
            demands=(Demand(index=0, machine=CPU.machine, disk=CPU.disk, replicas=2),),
            attempt=1,
            is_new=True,
        )
    ]


def test_past_the_limit_of_lines_it_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queues, "SHARD_LINES", 30)

    queue = grown(lines(100), at_once=7)

    assert queue.shards == 4
    assert len(queue.lines) == 100


def test_a_full_document_takes_no_more_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queues, "SHARD_BYTES", 1_000)
    some, more = lines(40)[:39], lines(40)[39:]

    queue, dirty = (grown(some)).changed(add=more)

    assert dirty == {1}
    assert queue.shards == 2


def test_a_removed_line_makes_only_its_own_document_dirty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queues, "SHARD_LINES", 10)
    queue = grown(lines(25), at_once=5)
    of_second = next(line.waiting.key for line in queue.lines.values() if line.shard == 1)

    after, dirty = queue.changed(remove=[of_second])

    assert dirty == {1}
    assert of_second not in after.lines


def test_removing_what_is_not_there_changes_nothing() -> None:
    assert grown(lines(3)).changed(remove=["research.other"])[1] == set()


def test_a_line_that_is_there_already_stays_in_its_document(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queues, "SHARD_LINES", 10)
    many = lines(25)
    queue = grown(many, at_once=5)

    after, dirty = queue.changed(add=[many[0]])

    assert dirty == {0}
    assert len(after.lines) == 25


def test_an_emptied_document_takes_lines_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queues, "SHARD_LINES", 10)
    many = lines(21)
    queue, _ = (grown(many[:20], at_once=5)).changed(remove=[line.key for line in many[:10]])

    after, dirty = written(queue).changed(add=[many[20]])

    assert (dirty, after.shards) == ({0}, 2)


def test_lines_that_hardly_compress_never_outgrow_a_document() -> None:
    """A request of 256 KB may hold little but the names of machines."""
    queue = grown(lines(24, machine_characters=240_000), at_once=12)

    assert len(queue.lines) == 24


def test_alternatives_that_hardly_compress_never_outgrow_a_document() -> None:
    chance = random.Random(0)
    many = [
        replace(
            line, alternatives=tuple(Alternative(resource=f"{chance.getrandbits(800):x}") for _ in range(10))
        )
        for line in lines(1_500)
    ]

    queue = grown(many, at_once=500)

    assert len(queue.lines) == 1_500


def test_held_lines_keep_their_place_and_are_not_offered() -> None:
    hold = Hold(reason=Reason.ON_HOLD, at=START, note="ada: the data is late")
    first, second, third = lines(3)

    queue = grown([first, replace(second, holds=(hold,)), replace(third, moves=2, moved_at=START)])

    assert {line.key for line in queue.waiting()} == {first.key, third.key}
    assert queue.held() == [replace(second, holds=(hold,))]
    assert queue.lines[third.key].waiting.moves == 2


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queues, "SHARD_LINES", 5)


def test_a_shard_counts_its_lines_by_team(small_shards: None) -> None:
    mixed = [replace(line, team="vision") if n % 3 == 0 else line for n, line in enumerate(lines(12))]
    queue = grown(mixed, at_once=5)
    shards = [write_queue(queue, shard) for shard in range(queue.shards)]

    assert [sum(queues.waiting_of(fields, team) for fields in shards) for team in ("research", "vision")] == [
        8,
        4,
    ]
    before = [{name: value for name, value in fields.items() if name != "teams"} for fields in shards]
    assert sum(queues.waiting_of(fields, "vision") for fields in before) == 4


def test_a_shard_tells_of_the_next_one_even_when_it_has_room_again(small_shards: None) -> None:
    queue = grown(lines(6), at_once=5)
    first, second = (write_queue(queue, shard) for shard in range(2))
    assert (queues.has_successor(first), queues.has_successor(second)) == (True, False)

    gone = next(key for key, line in queue.lines.items() if line.shard == 0)
    emptier, _ = queue.changed(remove=[gone])

    assert queues.has_successor(write_queue(emptier, 0))


MANY = lines(60)


@given(st.lists(st.integers(0, 30), max_size=8), st.randoms(use_true_random=False))
@settings(max_examples=30)
def test_no_line_is_lost_or_doubled_by_any_changes(sizes, chance) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(queues, "SHARD_LINES", 9)
        queue, expected = Queue(), {}
        for size in sizes:
            add = chance.sample(MANY, size)
            remove = chance.sample(sorted(expected), min(len(expected), size // 2))
            remove = [key for key in remove if key not in {line.key for line in add}]
            queue, _ = queue.changed(add=add, remove=remove)
            expected |= {line.key: line for line in add}
            expected = {key: line for key, line in expected.items() if key not in remove}
            queue = written(queue)
            counts = [fields["count"] for fields in (write_queue(queue, n) for n in range(queue.shards))]
            assert max(counts) <= 9

    assert {line.key: line for line in queue.waiting()} == expected
