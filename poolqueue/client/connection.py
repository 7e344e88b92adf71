"""What a queue's handles share: where it is, and the ways there."""

from __future__ import annotations

from dataclasses import dataclass

from poolqueue.client.place import Outside, Place
from poolqueue.client.watching import Installation
from poolqueue.ports import Publisher


@dataclass(frozen=True, kw_only=True)
class Connection:
    """`installation` is None where Firestore is not read. `team` and `command_topic` are those given."""

    place: Place
    outside: Outside
    publisher: Publisher
    installation: Installation | None
    team: str | None = None
    command_topic: str | None = None
