"""Learned run times come back from their document, and always fit it."""

from __future__ import annotations

import random

import pytest

from poolqueue.adapters.memory import MemoryDocuments
from poolqueue.ports import Create
from poolqueue.records import ResourceName, read_run_times, run_times_path, write_run_times
from poolqueue.scheduling.buckets import COUNT
from poolqueue.scheduling.evidence import Evidence
from poolqueue.scheduling.pools import RESERVATIONS_LIMIT
from poolqueue.scheduling.run_times import KEYS_LIMIT, Going, Outcome, RunTimes
from tests.unit.scheduling.learning import DAY, HOUR, cut, learned, traits

NAME = ResourceName(project="demo-p", location="us-central1", id="shared")
DOCUMENT_BYTES = 700_000  # of the 1,048,576 that there may be


def stored(run_times: RunTimes) -> RunTimes:
    """As the strictest store gives it back."""
    documents = MemoryDocuments()
    documents.commit([Create(path=run_times_path(NAME), fields=write_run_times(run_times))])
    return read_run_times(documents.read([run_times_path(NAME)])[0].fields)


def some() -> RunTimes:
    run_times = learned((traits("a"), HOUR), (traits("b", replicas=4), 5.0), times=300)
    cut(run_times, traits("c"), [DAY] * 7)
    for n in range(20):
        run_times.started(f"token-{n}", traits("d"), 1_000.0 * n)
    run_times.advance(50_000.0)
    return run_times


@pytest.mark.parametrize("name", ["a", "b", "c", "d", "unseen"])
def test_what_they_say_is_the_same(name: str) -> None:
    before = some()

    after = stored(before)

    asked = traits(name)
    assert after.distribution(asked).hazards == pytest.approx(before.distribution(asked).hazards, abs=2e-4)
    assert after.distribution(asked).basis == before.distribution(asked).basis


def test_what_they_learn_afterwards_is_the_same() -> None:
    before = some()
    after = stored(before)

    for run_times in (before, after):
        run_times.advance(90_000.0)
        run_times.ended("token-3", Outcome(traits=traits("d"), seconds=80_000.0))
        learned((traits("d"), 100.0), times=5, into=run_times)

    asked = traits("d")
    assert after.going == before.going
    assert after.distribution(asked).hazards == pytest.approx(before.distribution(asked).hazards, abs=2e-4)


def test_a_run_whose_keys_were_forgotten_comes_back_too() -> None:
    run_times = RunTimes(keys_limit=30)
    run_times.started("old", traits("old"), 0.0)
    for n in range(26):
        learned((traits(chr(97 + n)), HOUR), into=run_times)
    assert traits("old").keys[0] not in run_times.evidence

    assert stored(run_times).going == run_times.going


def test_without_a_document_nothing_was_learned() -> None:
    assert not read_run_times(None).evidence


def test_evidence_in_other_buckets_is_begun_anew() -> None:
    fields = {**write_run_times(some()), "buckets": COUNT + 1}

    assert not read_run_times(fields).evidence


def test_the_most_that_there_may_be_fits_a_document_well() -> None:
    chance = random.Random(7)
    keys = [f"{chance.getrandbits(40):08x}" for _ in range(KEYS_LIMIT)]
    evidence = [(key, _any_evidence(chance)) for key in keys]
    going = {
        f"{chance.getrandbits(128):032x}": Going(
            tuple(chance.choices(keys, k=8)),
            tuple(chance.randrange(10**7) for _ in range(8)),
            chance.randrange(10**8),
            1.7e9 + chance.randrange(10**7),
            chance.randrange(COUNT),
        )
        for _ in range(RESERVATIONS_LIMIT)
    }

    fields = write_run_times(RunTimes(evidence, going))

    assert len(fields["keys"]) + len(fields["weights"]) < DOCUMENT_BYTES
    assert read_run_times(fields).going == going


def _any_evidence(chance: random.Random) -> Evidence:
    return Evidence.restored(
        5,
        starts=chance.randrange(10**7),
        runs=chance.randrange(10**7),
        since=chance.randrange(10**8),
        used=chance.randrange(10**8),
        unit=chance.random() + 1.0,
        weights=[chance.random() * 20 for _ in range(2 * COUNT)],
    )
