"""Keeps what a subscription to `job-outcomes` has said, for all who wait in this process."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace

from poolqueue.client.place import Place
from poolqueue.client.report import JobReport, report_of_outcome
from poolqueue.client.troubles import pulling
from poolqueue.ports import Subscription
from poolqueue.scheduling.jobs import Outcome, State

KEPT_JOBS = 10_000

log = logging.getLogger(__name__)


class OutcomeReader:
    """Whoever looks first pulls, the others wait for what that brings. Safe to share between threads.

    Every message is acknowledged once it is noted: a subscription serves one process, for what one has taken
    no other sees.
    """

    def __init__(self, subscription: Subscription, *, name: str, place: Place) -> None:
        self._subscription = subscription
        self._name = name
        self._place = place
        self._pulling = threading.Lock()
        self._noting = threading.Lock()
        self._latest: OrderedDict[str, dict[str, JobReport]] = OrderedDict()

    def latest(
        self, job_ids: Sequence[str], *, team: str | None, seen: JobReport | None, wait_seconds: float
    ) -> JobReport | None:
        """What was last said of a job by one of its ids, the last of these first. If the caller has seen
        that, it first waits up to `wait_seconds` for news of any job. Raises `NotReadable`.
        """
        known = self._known(job_ids, team)
        if known == seen:
            with self._pulling:
                if self._known(job_ids, team) == seen:
                    self._pull(wait_seconds)
            known = self._known(job_ids, team)
        return known

    def _known(self, job_ids: Sequence[str], team: str | None) -> JobReport | None:
        with self._noting:
            found = [
                report
                for job_id in reversed(job_ids)
                for whose, report in self._latest.get(job_id, {}).items()
                if team in {None, whose}
            ]
        return found[0] if found else None

    def _pull(self, wait_seconds: float) -> None:
        with pulling(self._place, self._name):
            pulled = self._subscription.pull(wait_seconds=wait_seconds)
            for message in pulled:
                self._note(message.body)
            if pulled:
                self._subscription.acknowledge([each.ack_id for each in pulled])

    def _note(self, body: bytes) -> None:
        """Copies, and what comes late, change nothing."""
        try:
            report = report_of_outcome(body)
        except (ValueError, TypeError, KeyError) as error:
            log.warning("outcome_unreadable", extra={"subscription": self._name, "error": str(error)[:200]})
            return
        with self._noting:
            by_team = self._latest.setdefault(report.job_id, {})
            known = by_team.get(report.team or "")
            if known is None or known.sequence < report.sequence:
                by_team[report.team or ""] = _with_note(report, known)
                self._latest.move_to_end(report.job_id)
            while len(self._latest) > KEPT_JOBS:
                self._latest.popitem(last=False)


def _with_note(report: JobReport, known: JobReport | None) -> JobReport:
    """Why a job was cancelled is said when that begins."""
    is_cancelled = report.outcome is Outcome.CANCELLED
    if is_cancelled and known is not None and known.state is State.CANCELLING:
        return replace(report, note=known.note)
    return report
