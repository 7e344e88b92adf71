"""Ports that fail: a process that dies at a chosen call, a store whose commits meet rivals."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from poolqueue.announced import AnnouncedChanges
from poolqueue.learned_run_times import LearnedRunTimes
from poolqueue.ports import Conflict, Document, Documents, Query, Write
from poolqueue.system import System


class Killed(BaseException):
    """The process is dead: nothing that it still calls has any effect."""


@dataclass
class Death:
    """Kills at the call number `at`, before its effect or after it; counts the calls of all ports, and keeps
    their names.
    """

    at: int
    after_effect: bool = False
    calls: int = 0
    died: bool = False
    names: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()

    def call(self, name: str, effect: Callable[..., Any], *args: Any, **named: Any) -> Any:
        with self._lock:
            if self.died:
                raise Killed
            self.calls += 1
            self.names.append(name)
            self.died = self.calls >= self.at
            if self.died:
                if self.after_effect:
                    effect(*args, **named)
                raise Killed
        return effect(*args, **named)


class _Mortal:
    def __init__(self, port: Any, death: Death) -> None:
        self._port = port
        self._death = death

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._port, name)
        return lambda *args, **named: self._death.call(name, method, *args, **named)


def mortal(system: System, death: Death) -> System:
    """The same installation as seen by a process that will die."""
    return replace(
        system,
        documents=_Mortal(system.documents, death),
        publisher=_Mortal(system.publisher, death),
        submitter=_Mortal(system.submitter, death),
        observer=_Mortal(system.observer, death),
        announced=AnnouncedChanges(),
        run_times=LearnedRunTimes(),
    )


class Rivalry:
    """Documents whose commits fail now and then, as if a rival had been first."""

    def __init__(self, documents: Documents, *, seed: int, probability: float) -> None:
        self._documents = documents
        self._random = random.Random(seed)
        self._probability = probability

    def read(self, paths: Sequence[str]) -> list[Document]:
        return self._documents.read(paths)

    def find(self, query: Query) -> list[Document]:
        return self._documents.find(query)

    def commit(self, writes: Sequence[Write]) -> list[object]:
        if self._random.random() < self._probability:
            raise Conflict("a rival was first")
        return self._documents.commit(writes)
