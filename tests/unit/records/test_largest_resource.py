"""The largest resource there may be still fits one document."""

from __future__ import annotations

import random
import string
from datetime import UTC, datetime

from poolqueue.adapters.memory import MemoryDocuments
from poolqueue.cycle.round import UNANNOUNCED_LIMIT
from poolqueue.ports import Create
from poolqueue.records import read_resource, write_resource
from poolqueue.requests.commands import LONGEST_AUTHOR, LONGEST_REASON
from poolqueue.scheduling.last_words import Word
from poolqueue.scheduling.pools import (
    OUTCOMES_LIMIT,
    RESERVATIONS_LIMIT,
    WORDS_LIMIT,
    PoolKey,
    Ran,
    Reservation,
    Resource,
    Unannounced,
)
from poolqueue.scheduling.traits import Traits

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
KEYS = [PoolKey(f'{{"machineType":"n1-standard-{n}"}}', '{"bootDiskSizeGb":100}') for n in (4, 8)]


def longest_name(chance: random.Random) -> str:
    return "".join(chance.choices(string.ascii_lowercase + string.digits, k=63))


def longest_traits(chance: random.Random) -> Traits:
    return Traits(
        keys=tuple(f"{chance.getrandbits(40):010x}" for _ in range(7)),
        timeout=chance.randrange(604_800),
        claimed=chance.randrange(604_800),
    )


def test_all_reservations_and_all_unannounced_changes_fit_one_document() -> None:
    """Names as long as may be, and the entries of jobs that began before the limit was reached."""
    chance = random.Random(11)
    team = longest_name(chance)
    reservations = [
        Reservation(
            token=f"{chance.getrandbits(128):032x}",
            team=team,
            job_id=longest_name(chance),
            attempt=99,
            replicas=dict.fromkeys(KEYS, 1),
            reserved_at=NOW,
            submit_by=NOW,
            number=str(10**18 + number),
            running=True,
            absent_since=NOW,
            cancelled_at=NOW,
            priority=100,
            traits=longest_traits(chance),
            started=NOW,
            preemptions=3,
        )
        for number in range(RESERVATIONS_LIMIT)
    ]
    entries = UNANNOUNCED_LIMIT + RESERVATIONS_LIMIT
    resource = Resource(
        name="projects/p/locations/us-central1/persistentResources/r",
        reservations={reservation.token: reservation for reservation in reservations},
        outcomes={
            f"{chance.getrandbits(128):032x}": Ran(
                traits=longest_traits(chance),
                since=NOW,
                seconds=chance.random() * 1e6,
                by_itself=True,
                team=team,
                replicas=dict.fromkeys(KEYS, 1),
            )
            for _ in range(OUTCOMES_LIMIT)
        },
        last_words={
            longest_name(chance): Word(
                kind="resume",
                command=longest_name(chance),
                author="\U0001f600" * LONGEST_AUTHOR,
                reason="\U0001f600" * LONGEST_REASON,
                published=NOW,
            )
            for _ in range(WORDS_LIMIT)
        },
        unannounced={
            f"{team}.{longest_name(chance)}": Unannounced(first=7, last=9, at=NOW) for _ in range(entries)
        },
    )
    documents = MemoryDocuments()

    documents.commit([Create(path="resources/r", fields=write_resource(resource))])

    fields = documents.read(["resources/r"])[0].fields
    assert fields is not None
    assert read_resource(fields) == resource
