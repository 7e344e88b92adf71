"""`Documents` on Firestore: reads in one round trip, and compare-and-set commits that settle lost answers."""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from google.api_core import exceptions as errors

from poolqueue.adapters.counts import Counts, Meter
from poolqueue.adapters.firestore_requests import (
    Client,
    Version,
    commit_request,
    create_client,
    document_of,
    query_request,
    version_of,
)
from poolqueue.adapters.limits import accept, check_path
from poolqueue.adapters.queries import shape_of
from poolqueue.ports import (
    Conflict,
    Create,
    Delete,
    Document,
    Query,
    Replace,
    StoreUnavailable,
    Write,
)

__all__ = ["FirestoreDocuments", "create_client"]

# A precondition failed: of this request, or of its repetition after the first one succeeded unheard.
_REFUSED = (errors.AlreadyExists, errors.FailedPrecondition, errors.NotFound)
_TRANSIENT = (
    errors.Aborted,
    errors.Cancelled,
    errors.DeadlineExceeded,
    errors.InternalServerError,
    errors.ResourceExhausted,
    errors.ServiceUnavailable,
    errors.Unknown,
)

_Answer = TypeVar("_Answer")


class FirestoreDocuments:
    """Each request has a timeout and is sent up to `attempts` times, with jittered pauses between.

    A commit is sent again unchanged: its preconditions name versions that can never come back, so that it is
    applied at most once. When the answer is lost or a refusal, the owner's tokens kept in the documents tell
    whether it was applied, and whether it is our own success that stands in the way.
    """

    def __init__(
        self,
        client: Client,
        *,
        timeout_seconds: float = 10.0,
        attempts: int = 4,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._timeout_seconds = timeout_seconds
        self._attempts = attempts
        self._pause = pause
        self._meter = Meter()

    @property
    def counts(self) -> Counts:
        return self._meter.total

    def read(self, paths: Sequence[str]) -> list[Document]:
        for path in paths:
            check_path(path)
        if not paths:
            return []
        found = self._insist(lambda: self._get(paths))
        return [found.get(path) or Document(path=path) for path in paths]

    def find(self, query: Query) -> list[Document]:
        shape_of(query)
        return self._insist(lambda: self._run(query))

    def commit(self, writes: Sequence[Write]) -> list[object]:
        """As the port promises. If the answer was lost and others have since written some of the documents,
        the versions of those are given as overtaken: a commit against one is a `Conflict`.

        A commit of deletes alone leaves no token behind: after a lost answer, gone counts as deleted by us.
        """
        copies = accept(writes)
        if not writes:
            return []
        token = secrets.token_urlsafe(6)
        request = commit_request(self._client.database, writes, copies, token)
        return self._send(request, writes, token)

    def _send(self, request: Any, writes: Sequence[Write], token: str) -> list[object]:
        last: Exception | None = None
        for attempt in range(self._attempts):
            self._wait(attempt)
            self._meter.add(Counts(round_trips=1))
            try:
                answer = self._client.api.commit(request, retry=None, timeout=self._timeout_seconds)
            except (*_REFUSED, *_TRANSIENT) as error:
                was_refused = isinstance(error, _REFUSED)
                versions = self._settled(writes, token, may_be_gone=not was_refused or last is not None)
                if versions is None and was_refused:
                    self._meter.add(Counts(conflicts=1))
                    raise Conflict(str(error)) from error
                last = error
            else:
                results = type(answer).pb(answer).write_results
                versions = [_written(*each, token) for each in zip(writes, results, strict=True)]
            if versions is not None:
                self._count(writes)
                return versions
        raise StoreUnavailable(str(last)) from last

    def _settled(self, writes: Sequence[Write], token: str, *, may_be_gone: bool) -> list[object] | None:
        """The versions if the documents tell that the commit was applied; None if not, or not yet.

        Asked at once, before many others write: a token survives only so many later writes.
        """
        found = self.read([write.path for write in writes])
        if all(isinstance(write, Delete) for write in writes):
            is_ours = may_be_gone and not any(now.exists for now in found)
        else:
            is_ours = any(token in now.version.commits for now in found if isinstance(now.version, Version))
        return [_surviving(*each, token) for each in zip(writes, found, strict=True)] if is_ours else None

    def _get(self, paths: Sequence[str]) -> dict[str, Document]:
        names = {f"{self._client.database}/documents/{path}": path for path in paths}
        self._meter.add(Counts(reads=len(names), round_trips=1))
        answers = self._client.api.batch_get_documents(
            {"database": self._client.database, "documents": list(names)},
            retry=None,
            timeout=self._timeout_seconds,
        )
        found = (type(answer).pb(answer).found for answer in answers)
        return {names[each.name]: document_of(each, names[each.name]) for each in found if each.name}

    def _run(self, query: Query) -> list[Document]:
        request = query_request(self._client.database, query)
        answers = self._client.api.run_query(request, retry=None, timeout=self._timeout_seconds)
        found = [each for each in (type(answer).pb(answer).document for answer in answers) if each.name]
        self._meter.add(Counts(reads=max(1, len(found)), round_trips=1))
        return [document_of(each, "/".join(each.name.split("/")[-2:])) for each in found]

    def _insist(self, ask: Callable[[], _Answer]) -> _Answer:
        last: Exception | None = None
        for attempt in range(self._attempts):
            self._wait(attempt)
            try:
                return ask()
            except _TRANSIENT as error:
                last = error
        raise StoreUnavailable(str(last)) from last

    def _wait(self, attempt: int) -> None:
        if attempt:
            self._pause(random.uniform(0, min(2.0, 0.1 * 2**attempt)))  # noqa: S311 - jitter is no secret

    def _count(self, writes: Sequence[Write]) -> None:
        deletes = sum(isinstance(write, Delete) for write in writes)
        self._meter.add(Counts(writes=len(writes) - deletes, deletes=deletes))


def _written(write: Write, result: Any, token: str) -> object:
    return None if isinstance(write, Delete) else version_of(result.update_time, write, token)


def _surviving(write: Write, now: Document, token: str) -> object:
    match write, now.version:
        case Delete(), _:
            return None
        case ((Create() | Replace()), Version(commits=(latest, *_))) if latest == token:
            return now.version
        case _:
            return Version.overtaken()
