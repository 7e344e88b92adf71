"""What a process has announced and not yet noted in the documents that list unannounced changes.

A note is a write. While other invocations of the process work on the same resource, theirs carry it along;
the last one to leave writes it. What a process takes with it when it dies, the sweep announces once more.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Span:
    """The announced changes `first`..`last` of a job."""

    first: int
    last: int


class AnnouncedChanges:
    """By resource and job. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spans: dict[str, dict[str, Span]] = {}
        self._at_work: Counter[str] = Counter()

    def enter(self, resource: str) -> None:
        with self._lock:
            self._at_work[resource] += 1

    def has_company(self, resource: str) -> bool:
        """Are several invocations of this process at work on the resource?"""
        with self._lock:
            return self._at_work[resource] > 1

    def leave(self, resource: str) -> bool:
        """True when nobody else is at work on the resource, and something is left to note."""
        with self._lock:
            self._at_work[resource] -= 1
            return not self._at_work[resource] and bool(self._spans.get(resource))

    def add(self, resource: str, spans: Mapping[str, Span]) -> None:
        with self._lock:
            kept = self._spans.setdefault(resource, {})
            for key, span in spans.items():
                known = kept.get(key)
                kept[key] = span if known is None else _joined(known, span)

    def pending(self, resource: str) -> dict[str, Span]:
        with self._lock:
            return dict(self._spans.get(resource, {}))

    def noted(self, resource: str, spans: Mapping[str, Span]) -> None:
        with self._lock:
            kept = self._spans.get(resource, {})
            for key, span in spans.items():
                if kept.get(key) == span:
                    del kept[key]


def _joined(known: Span, span: Span) -> Span:
    """Both as one, in whichever order they came. With a gap between them the later one: what lies in the gap
    was not announced, and the earlier one may well be again.
    """
    first, second = sorted((known, span), key=lambda each: each.first)
    if first.last + 1 < second.first:
        return second
    return Span(first=first.first, last=max(first.last, second.last))
