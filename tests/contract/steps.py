"""What the contract suites do with documents again and again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from poolqueue.ports import Conflict, Create, Document, Documents, Replace

JOB = "jobs/blue.resnet"


def create(documents: Documents, path: str = JOB, **fields: Any) -> object:
    (version,) = documents.commit([Create(path=path, fields=fields)])
    return version


def read(documents: Documents, path: str = JOB) -> Document:
    (document,) = documents.read([path])
    return document


def fields(documents: Documents, path: str = JOB) -> Any:
    return read(documents, path).fields


def compare_and_set(documents: Documents, decide: Callable[[Any], dict[str, Any]], path: str = JOB) -> int:
    """Read, decide, commit until there is no conflict; how often it was decided."""
    for decisions in range(1, 1000):
        seen = read(documents, path)
        try:
            documents.commit([Replace(path=path, fields=decide(seen.fields), version=seen.version)])
        except Conflict:
            continue
        return decisions
    raise AssertionError("a thousand conflicts in a row")


def together(count: int, act: Callable[[int], Any]) -> list[Any]:
    """Run `act(0)`, `act(1)`, ... in threads that start at once."""
    barrier = threading.Barrier(count)

    def started(number: int) -> Any:
        barrier.wait()
        return act(number)

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(started, range(count)))
