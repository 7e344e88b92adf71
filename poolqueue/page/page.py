"""What each question is answered with: read within bounds, worked out by the deciding code, shared by all."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, assert_never

from poolqueue.config import Settings
from poolqueue.learned_run_times import LearnedRunTimes
from poolqueue.page.asks import (
    BadAsk,
    Detail,
    Estimates,
    OneJob,
    Outcomes,
    Overview,
    Question,
    QueuePage,
    Told,
)
from poolqueue.page.fields import (
    Fields,
    accuracy_fields,
    attempt_fields,
    chart_fields,
    ended_fields,
    estimate_fields,
    move_fields,
    problem_lines,
    reasons_fields,
    resource_fields,
    team_fields,
    waiting_fields,
)
from poolqueue.page.kept import Kept
from poolqueue.page.past import RecentlyEnded, ended_before
from poolqueue.ports import Documents
from poolqueue.records import ResourceName, forecasts_path, job_path, read_job, read_scorecard
from poolqueue.scheduling.arrays import Array, member_of
from poolqueue.scheduling.forecast import JOBS_LIMIT
from poolqueue.scheduling.jobs import Job, State, job_key
from poolqueue.scheduling.pools import Resource
from poolqueue.scheduling.scorecard import Scorecard
from poolqueue.scheduling.smallest import HIGHEST_PRIORITY
from poolqueue.scheduling.waiting import is_among
from poolqueue.viewing.as_json import time_text
from poolqueue.viewing.explained import Explained, explained_in, facts_of
from poolqueue.viewing.links import custom_job_link, log_link
from poolqueue.viewing.making import Snapshot, ended_view, expected_of, resource_view
from poolqueue.viewing.reading import Reader
from poolqueue.viewing.stays import PastStays, Stay, current_stays, holdings_of, planned_stays
from poolqueue.viewing.teams import team_views
from poolqueue.viewing.text import safe
from poolqueue.viewing.views import JobView, ResourceView

READ_SECONDS = 5.0
PLAN_SECONDS = 0.0  # as long as what it is made of, unless it costs more
ESTIMATES_SECONDS = 30.0
SCORES_SECONDS = 30.0
HORIZON = timedelta(days=2)

PAGE_SIZE = 25
OUTCOMES_SIZE = 15
SPECS_SHOWN = 20


@dataclass(frozen=True, kw_only=True)
class _Seen:
    snapshot: Snapshot
    view: ResourceView
    at: datetime

    @property
    def resource(self) -> Resource:
        return self.snapshot.resource


class Page:
    """One installation as one process shows it. Threads share it. It reads Firestore, and nothing else."""

    def __init__(
        self,
        *,
        documents: Documents,
        settings: Callable[[], Settings],
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
        cpu: Callable[[], float],
    ) -> None:
        self._documents = documents
        self._settings = settings
        self.clock = clock
        self._run_times = LearnedRunTimes()
        self._ended = RecentlyEnded(documents)
        self._overviews = Kept[Told](READ_SECONDS, monotonic=monotonic, cpu=cpu)
        self._seen = Kept[_Seen | None](READ_SECONDS, monotonic=monotonic, cpu=cpu)
        self._past = Kept[list[Job]](READ_SECONDS, monotonic=monotonic, cpu=cpu)
        self._details = Kept[Told](READ_SECONDS, monotonic=monotonic, cpu=cpu)
        self._plans = Kept[list[Stay]](PLAN_SECONDS, monotonic=monotonic, cpu=cpu)
        self._scores = Kept[Scorecard](SCORES_SECONDS, monotonic=monotonic, cpu=cpu)
        self._estimates = Kept[Told](ESTIMATES_SECONDS, monotonic=monotonic, cpu=cpu)
        self._outcomes = Kept[Told](READ_SECONDS, monotonic=monotonic, cpu=cpu)
        self._jobs = Kept[Told](READ_SECONDS, monotonic=monotonic, cpu=cpu)

    def tell(self, question: Question) -> Told:
        """Raises `BadAsk` when it asks for what is not there, and `StoreUnavailable`."""
        match question:
            case Overview():
                return self._overviews.of("", self._overview)
            case Detail(name=name):
                return self._details.of(name, lambda: self._detail(self._look(name)))
            case QueuePage():
                return self._queue(question)
            case Estimates(name=name):
                return self._estimates.of(name, lambda: self._foretold(self._look(name)))
            case Outcomes(until=until):
                return self._outcomes.of(until, lambda: self._outcomes_until(until))
            case OneJob(team=team, job_id=job_id):
                return self._jobs.of((team, job_id), lambda: self._job(team, job_id))
            case unreachable:
                assert_never(unreachable)

    # --- resources

    def _reader(self) -> Reader:
        return replace(Reader.of(self._documents, self._settings()), run_times=self._run_times)

    def _overview(self) -> Told:
        now, settings = self.clock(), self._settings()
        known = sorted(self._reader().known(), key=lambda each: each.name)
        views = [resource_view(Snapshot(resource=each), now=now) for each in known]
        fields = {
            "installation": settings.installation,
            "teams": [team.name for team in settings.teams],
            "resources": [
                resource_fields(view, each, waiting=each.waiting)
                for view, each in zip(views, known, strict=True)
            ],
        }
        return Told(fields=fields, read_at=now)

    def _look(self, name: ResourceName) -> _Seen:
        seen = self._seen.of(name, lambda: self._see(name))
        if seen is None:
            raise _unknown("name", name.full, "no job ever asked for this persistent resource")
        return seen

    def _see(self, name: ResourceName) -> _Seen | None:
        now = self.clock()
        snapshot = self._reader().snapshot(name, now=now)
        if snapshot is None:
            return None
        return _Seen(snapshot=snapshot, view=resource_view(snapshot, now=now), at=now)

    def _detail(self, seen: _Seen) -> Told:
        view, resource, now = seen.view, seen.resource, seen.at
        board = seen.snapshot.board(now)
        past = PastStays(resource).of(self._recently_ended())
        stays = [*past, *current_stays(board, now=now), *self._planned(seen)]
        teams = team_views(board, [team.name for team in self._settings().teams], now=now)
        fields = resource_fields(view, resource, waiting=len(view.waiting))
        fields |= {
            "charts": chart_fields(resource, stays, now=now),
            "history_since": time_text(self._history_since()),
            "reasons": reasons_fields((*view.waiting, *view.held)),
            "more_arrivals": view.more_arrivals,
            "teams": [team_fields(each) for each in teams],
            "accuracy": accuracy_fields(self._card(view.name), now=now),
        }
        return Told(fields=fields, read_at=now)

    def _recently_ended(self) -> list[Job]:
        return self._past.of("", lambda: self._ended.look(now=self.clock()))

    def _history_since(self) -> datetime | None:
        """Since when all is known that ended; None if nothing is missing."""
        jobs = self._recently_ended()
        return jobs[-1].ended if len(jobs) >= self._ended.most else None

    def _planned(self, seen: _Seen) -> list[Stay]:
        """Kept for longer; who has started since is planned no more."""
        name, now = seen.view.name, seen.at
        plan = self._plans.of(
            name, lambda: planned_stays(seen.snapshot.board(now), now=now, horizon=now + HORIZON)
        )
        still_waits = is_among(seen.snapshot.waiting)
        return [
            replace(stay, start=max(now, stay.start))
            for stay in plan
            if still_waits(job_key(stay.team, stay.job_id))
        ]

    def _card(self, name: ResourceName) -> Scorecard:
        path = forecasts_path(name)
        return self._scores.of(name, lambda: read_scorecard(self._documents.read([path])[0].fields))

    # --- the queue

    def _queue(self, ask: QueuePage) -> Told:
        seen = self._look(ask.name)
        found = [job for job in (*seen.view.waiting, *seen.view.held) if _fits(job, ask)]
        pages = max(1, -(-len(found) // PAGE_SIZE))
        page = min(ask.page, pages)
        shown = found[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
        fields = {
            "name": ask.name.full,
            "found": len(found),
            "waiting": len(seen.view.waiting),
            "held": len(seen.view.held),
            "page": page,
            "pages": pages,
            "page_size": PAGE_SIZE,
            "jobs": [waiting_fields(job, now=seen.at) for job in shown],
        }
        return Told(fields=fields, read_at=seen.at)

    def _foretold(self, seen: _Seen) -> Told:
        """Of the first in turn, which may take seconds to work out."""
        snapshot = replace(seen.snapshot, correction=self._reader().correction_of(seen.view.name))
        first = [job.key for job in seen.view.waiting[:JOBS_LIMIT]]
        found = expected_of(snapshot, snapshot.board(seen.at), now=seen.at, of=first)
        fields = {
            "name": seen.view.name.full,
            "as_of": time_text(seen.at),
            "jobs": {key: estimate_fields(each.estimate, now=seen.at) for key, each in found.items()},
        }
        return Told(fields=fields, read_at=seen.at)

    # --- jobs

    def _outcomes_until(self, until: datetime | None) -> Told:
        now = self.clock()
        if until is None:
            jobs = self._recently_ended()
        else:
            jobs = ended_before(self._documents, until, limit=OUTCOMES_SIZE + 1)
        shown = jobs[:OUTCOMES_SIZE]
        older = jobs[OUTCOMES_SIZE].ended if len(jobs) > OUTCOMES_SIZE else None
        fields = {
            "jobs": [ended_fields(job, ended_view(job).shares) for job in shown],
            "older": time_text(older),
        }
        return Told(fields=fields, read_at=now)

    def _job(self, team: str, job_id: str) -> Told:
        now = self.clock()
        job = self._record(team, job_id)
        explained = self._explained(job, now)
        fields = {
            **ended_fields(job, explained.job.shares),
            "state": explained.job.state.value,
            "reason": explained.job.reason and explained.job.reason.value,
            "note": safe(explained.job.note, limit=LONG_NOTE),
            "priority": job.priority,
            "position": explained.job.position,
            "deadline": time_text(job.expires),
            "not_before": time_text(job.not_before),
            "custom_job": job.custom_job,
            "links": _links(job.custom_job),
            "array": None if job.array is None else _array(job.array),
            "specs": _specs(job.custom_job_body),
            "problems": problem_lines(job.problems),
            "facts": [[word, told] for word, told in facts_of(explained)],
            "attempted": [attempt_fields(each) for each in holdings_of(job)],
            "history": [move_fields(entry) for entry in job.history],
        }
        return Told(fields=fields, read_at=now)

    def _record(self, team: str, job_id: str) -> Job:
        """Of a member that has none yet, its array's."""
        member = member_of(job_id)
        ids = [job_id] if member is None else [job_id, member[0]]
        for found in self._documents.read([job_path(job_key(team, each)) for each in ids]):
            if found.fields is not None:
                return read_job(found.fields)
        raise _unknown("job_id", job_id, f"team {safe(team, limit=80)} has no such job")

    def _explained(self, job: Job, now: datetime) -> Explained:
        if job.state is State.ENDED:
            return Explained(job=ended_view(job), now=now, array=job.array)
        seen = self._seen.of(name := ResourceName.from_key(job.resource), lambda: self._see(name))
        if seen is None:
            return Explained(job=ended_view(job), now=now, array=job.array)
        team = self._settings().team_named(job.team)
        highest = HIGHEST_PRIORITY if team is None else team.priority.maximum
        snapshot = replace(seen.snapshot, jobs={job.key: job})
        return explained_in(snapshot, job, now=seen.at, highest_priority=highest)


LONG_NOTE = 1_000


def _fits(job: JobView, ask: QueuePage) -> bool:
    if ask.team and job.team != ask.team:
        return False
    if ask.reason and (job.reason is None or job.reason.value != ask.reason):
        return False
    text = ask.text.lower()
    return not text or text in job.job_id.lower() or text in job.team.lower()


def _links(custom_job: str | None) -> Fields:
    """Into Google Cloud's console, which knows nothing of what runs on one machine."""
    if custom_job is None or custom_job.startswith("projects/demo-"):
        return {}
    return {"custom_job": custom_job_link(custom_job), "log": log_link(custom_job)}


def _array(array: Array) -> Fields:
    return {
        "members": array.size,
        "waiting": array.waiting.bit_count(),
        "active": array.active.bit_count(),
        "max_parallel": array.max_parallel,
        "ended": array.counts(),
    }


def _specs(body: str) -> list[Fields]:
    """What each worker pool spec runs: its image, and never its environment or its arguments."""
    try:
        job_spec = json.loads(body).get("jobSpec", {})
        specs: Sequence[Any] = job_spec.get("workerPoolSpecs", [])
        return [_spec(each) for each in specs[:SPECS_SHOWN]]
    except (ValueError, AttributeError, TypeError):
        return []


def _spec(spec: Any) -> Fields:
    container, package = spec.get("containerSpec") or {}, spec.get("pythonPackageSpec") or {}
    image = container.get("imageUri") or package.get("executorImageUri") or ""
    return {"image": safe(image, limit=300), "replicas": safe(spec.get("replicaCount", 1), limit=20)}


def _unknown(field: str, value: str, problem: str) -> BadAsk:
    return BadAsk(
        status=404,
        field=field,
        value=value,
        problem=problem,
        remedy="go back to the list, which shows what is there",
    )
