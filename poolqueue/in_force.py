"""Which settings are in force: what was applied last, else the file that the functions are deployed with.

Every process keeps what it read for a while, so that settings cost a read now and then and not one a message.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from poolqueue.config import Settings, SettingsError, parse_settings
from poolqueue.ports import Conflict, Document, Documents, StoreUnavailable
from poolqueue.records import SettingsVersion, read_settings_version
from poolqueue.records.names import SCHEMA
from poolqueue.records.settings import CURRENT, DEPLOYED, digest_of

KEPT_FOR = timedelta(seconds=30)
NEVER = datetime.min.replace(tzinfo=UTC)

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class InForce:
    """Settings and the version they are; `applied` is None for the file of the deployment, version 0."""

    settings: Settings
    applied: SettingsVersion | None = None

    @property
    def version(self) -> int:
        return 0 if self.applied is None else self.applied.version


class SettingsSource:
    """The settings in force, as one process knows them. Threads may share it.

    They are read again after `KEPT_FOR`. A read that fails keeps what was read last; the first one raises
    `StoreUnavailable`, because an older file's rules are no answer. Settings that this version of the code
    cannot read are as good as none: the deployed ones serve, and the log says so at each read. `text` is the
    deployed file's, `project` that of texts which name none.
    """

    def __init__(
        self,
        documents: Documents,
        deployed: Settings,
        *,
        text: str = "",
        project: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._documents = documents
        self._deployed = InForce(settings=deployed)
        self._deployed_text = text
        self._is_noted = False
        self._project = project
        self._clock = clock
        self._reading = threading.Lock()
        self._last: InForce | None = None
        self._read_again = NEVER

    def in_force(self, *, at_least: int = 0) -> InForce:
        """What is in force; read now if what is known is older than version `at_least`, or old."""
        last = self._last
        if last is not None and self._is_good(last, at_least):
            return last
        if not self._reading.acquire(blocking=last is None or last.version < at_least):
            assert last is not None
            return last  # another thread is reading; what was good until now will do
        try:
            return self._read_anew(at_least)
        finally:
            self._reading.release()

    def read_now(self) -> tuple[Document, InForce]:
        """The document as it is now, and what it means: that it may be replaced by compare and set."""
        document = self._documents.read([CURRENT])[0]
        return document, self._of(document, self._last)

    def forget(self) -> None:
        """Read again at the next call: other settings were put in force."""
        self._read_again = NEVER

    def note_deployed(self) -> None:
        """Record the file that the functions are deployed with, once per process, so that it can be seen."""
        if self._is_noted or not self._deployed_text:
            return
        document = self._documents.read([DEPLOYED])[0]
        digest = digest_of(self._deployed_text)
        if document.fields is None or document.fields["digest"] != digest:
            fields = {"schema": SCHEMA, "text": self._deployed_text, "digest": digest, "at": self._clock()}
            with suppress(Conflict):  # another process notes the same
                self._documents.commit([document.written(fields)])
        self._is_noted = True

    def _read_anew(self, at_least: int) -> InForce:
        last = self._last
        if last is None or not self._is_good(last, at_least):
            last = self._last = self._read(last)
            self._read_again = self._clock() + KEPT_FOR
        return last

    def _is_good(self, last: InForce, at_least: int) -> bool:
        return self._clock() < self._read_again and last.version >= at_least

    def _read(self, last: InForce | None) -> InForce:
        try:
            document = self._documents.read([CURRENT])[0]
        except StoreUnavailable as error:
            if last is None:
                raise
            log.warning("settings_not_read", extra={"kept": last.version, "error": str(error)})
            return last
        return self._of(document, last)

    def _of(self, document: Document, last: InForce | None) -> InForce:
        if document.fields is None:
            return self._deployed
        applied = read_settings_version(document.fields)
        if last is not None and last.applied == applied:
            return last
        return self._parsed(applied)

    def _parsed(self, applied: SettingsVersion) -> InForce:
        try:
            settings = parse_settings(applied.text, project=self._project)
        except SettingsError as error:
            log.error("settings_not_readable", extra={"version": applied.version, "error": str(error)[:2000]})  # noqa: TRY400
            return self._deployed
        log.info("settings_in_force", extra={"version": applied.version})
        return InForce(settings=settings, applied=applied)
