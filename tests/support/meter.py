"""Counts what handlers cost: Firestore reads and writes, Vertex AI calls, messages of our own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.support.installation import Installation


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Per job, when divided by their number. Messages are those published, outcomes excluded."""

    reads: float = 0
    writes: float = 0
    vertex_calls: float = 0
    messages: float = 0

    def per(self, jobs: int) -> Cost:
        return Cost(
            reads=self.reads / jobs,
            writes=self.writes / jobs,
            vertex_calls=self.vertex_calls / jobs,
            messages=self.messages / jobs,
        )


class Meter:
    """Adds up what happens inside `running()`; what a test looks at in between is not counted."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self.cost = Cost()

    @contextmanager
    def running(self) -> Iterator[None]:
        documents, calls, messages = self._now()
        yield
        documents_after, calls_after, messages_after = self._now()
        used = documents_after - documents
        self.cost = Cost(
            reads=self.cost.reads + used.reads,
            writes=self.cost.writes + used.writes + used.deletes,
            vertex_calls=self.cost.vertex_calls + calls_after - calls,
            messages=self.cost.messages + messages_after - messages,
        )

    def _now(self):
        installation = self._installation
        calls = len(installation.events("request"))
        ours = [m for m in installation.publisher.messages if not m.topic.endswith("/job-outcomes")]
        return installation.documents.counts, calls, len(ours)
