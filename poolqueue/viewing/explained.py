"""What there is to say of a job, and of why it waits: facts in words, each under a word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from poolqueue.scheduling.arrays import Array
from poolqueue.scheduling.happenings import (
    AttemptEnds,
    Happening,
    JobStarts,
    KeyComesFree,
    Resumption,
    SettingsChange,
    SlotComesFree,
    Sweep,
    TimeComes,
    Unpausing,
)
from poolqueue.scheduling.jobs import Job, Reason, State
from poolqueue.scheduling.pools import PoolKey
from poolqueue.scheduling.reasons import Explainer, Explanation, Jobs, PoolNumbers
from poolqueue.viewing import wording
from poolqueue.viewing.after_end import next_told
from poolqueue.viewing.array_members import members_told
from poolqueue.viewing.attempts import NO_ATTEMPTS, Attempts, attempts_of, attempts_told
from poolqueue.viewing.making import Snapshot, ended_view, expected_of, resource_view
from poolqueue.viewing.remedies_told import none_told, remedy_told
from poolqueue.viewing.text import clock_time, safe, short_time
from poolqueue.viewing.views import JobView


@dataclass(frozen=True, kw_only=True)
class Explained:
    """A job, and what the next decision says of it if it waits. `names`: the ids of each pool. `array`: of an
    array, what is known of its members.
    """

    job: JobView
    now: datetime
    attempts: Attempts = NO_ATTEMPTS
    explanation: Explanation | None = None
    names: Mapping[PoolKey, str] = field(default_factory=dict)
    array: Array | None = None


Fact = tuple[str, str]


def explained_in(snapshot: Snapshot, job: Job, *, now: datetime, highest_priority: int) -> Explained:
    """As the snapshot of its resource has it, where it may be on its way between queue and reservation."""
    view = resource_view(replace(snapshot, estimates=0), now=now)
    known = (*view.holding, *view.waiting, *view.held, *view.arrays)
    shown = next((each for each in known if each.key == job.key), ended_view(job))
    line = next((each for each in snapshot.waiting if each.key == job.key), None)
    if line is None:
        return Explained(job=shown, now=now, attempts=attempts_of(job), array=job.array)
    board = snapshot.board(now)
    explainer = Explainer(board, now=now, slots=snapshot.slots)
    explanation = explainer.explain(line, highest_priority=highest_priority)
    expected = expected_of(snapshot, board, now=now, of={line.key}).get(line.key)
    shown = replace(shown, expected=expected)
    return Explained(
        job=shown,
        now=now,
        attempts=attempts_of(job),
        explanation=explanation,
        names=board.names,
        array=job.array,
    )


def explained_alone(job: Job, *, now: datetime) -> Explained:
    """Of a job that ended, or whose resource is not known."""
    return Explained(job=ended_view(job), now=now, attempts=attempts_of(job), array=job.array)


def facts_of(explained: Explained) -> Iterator[Fact]:
    """Each under its word; the word is empty where the fact goes on with the one before."""
    yield "job", _headline(explained.job)
    if told := wording.reason(explained.job):
        yield "reason", told
    if explained.array is not None:
        yield from members_told(explained.job.job_id, explained.array)
    if explained.attempts.are_news:
        yield from _listed("attempts", [*attempts_told(explained.attempts, explained.now)])
    if explained.explanation is not None:
        yield from _waiting(explained, explained.explanation)
    elif explained.job.state is State.HELD and explained.job.reason is Reason.ON_HOLD:
        yield "could start", "when somebody releases it; it keeps its place, and its times go on"
    if next_step := next_told(explained.job):
        yield "next", next_step


def _headline(job: JobView) -> str:
    at = "" if job.state is State.ENDED else f" for {wording.time(job)}"
    priority = "" if job.priority is None else f", priority {job.priority}"
    return (
        f"{wording.name(job.job_id)} of team {wording.name(job.team)}: {wording.state(job)}{at} "
        f"on {wording.name(job.resource)}{priority}; asks for {wording.shares(job)}"
    )


def _waiting(explained: Explained, explanation: Explanation) -> Iterator[Fact]:
    names, now = explained.names, explained.now
    for numbers in explanation.pools:
        yield safe(names[numbers.pool], limit=24), _pool(numbers)
        if held := _held(numbers):
            yield "", held
    yield "turn", _turn(explanation)
    if explained.job.planned is not None:
        yield "planned", f"to start by {_when(explained.job.planned, now)}; later ones do not delay it"
    if explained.job.expected is not None:
        yield "expected", wording.expected(explained.job.expected)
    yield from _listed("could start", [happening_told(each, now) for each in explanation.happenings])
    remedies = [remedy_told(each, explanation, names, explained.job, now) for each in explanation.remedies]
    if remedies:
        yield from _listed("remedies", remedies)
    elif explanation.block is not None:
        yield "remedies", "no single change that was tried is enough"
    if tried := [none_told(each) for each in explanation.none_found]:
        yield "not enough", "; ".join(tried)


def _listed(word: str, told: list[str]) -> Iterator[Fact]:
    yield from ((word if number == 0 else "", each) for number, each in enumerate(told))


def _pool(numbers: PoolNumbers) -> str:
    told = f"needs {numbers.needs:,} of {numbers.capacity:,}; {max(0, numbers.free):,} free"
    if numbers.taken_first:
        told += f", of which jobs before it take {numbers.taken_first:,} now"
    return f"{told}; short by {numbers.short_by:,}" if numbers.short_by else told


def _held(numbers: PoolNumbers) -> str:
    parts = [f"held by {jobs_told(numbers.holders)}"] if numbers.holders.count else []
    parts += [f"foreign use {numbers.foreign:,}"] if numbers.foreign else []
    parts += [f"surplus {numbers.surplus:,}"] if numbers.surplus else []
    return "; ".join(parts)


def _turn(explanation: Explanation) -> str:
    place = explanation.place
    told = f"{place.position:,} of {place.of:,}"
    if not place.ahead.count:
        return f"{told}; nobody before it wants its pools"
    return f"{told}; before it, for its pools: {jobs_told(place.ahead)}"


def jobs_told(jobs: Jobs) -> str:
    """`research/a x4, vision/b x2 … and 3 more, 9 replicas in all`."""
    named = ", ".join(f"{job_name(each.key)} x{each.replicas:,}" for each in jobs.first)
    more = jobs.count - len(jobs.first)
    return named + (f" … and {more:,} more, {jobs.replicas:,} replicas in all" if more else "")


def job_name(key: str) -> str:
    return wording.name(key.replace(".", "/", 1))


def happening_told(happening: Happening, now: datetime) -> str:  # noqa: C901  one case per kind
    match happening:
        case AttemptEnds(key=key, at=at, others=others):
            first = f" and {others:,} before it" if others else ""
            verb = "have ended" if others else "ends"
            return f"when {job_name(key)}{first} {verb}, expected by {_when(at, now)}"
        case JobStarts(key=key, at=None):
            return f"when {job_name(key)} has started, which waits for foreign use"
        case JobStarts(key=key, at=at):
            return f"when {job_name(key)} has started, planned for {_when(at, now)}"
        case TimeComes(at=at):
            return f"at {_when(at, now)}"
        case Resumption():
            return "when somebody resumes it"
        case Unpausing():
            return "when somebody unpauses its team"
        case Sweep():
            return "when a sweep, every minute, sees that Vertex AI has room for it"
        case SettingsChange():
            return "when somebody changes the quotas"
        case KeyComesFree(holders=holders):
            return f"when {safe(', '.join(holders), limit=160)} ends"
        case SlotComesFree():
            return "within a minute, as the pace of requests to Vertex AI allows"


def _when(at: datetime | None, now: datetime) -> str:
    assert at is not None
    left = at - now
    return clock_time(at, now) + (f", in {short_time(left)}" if left > timedelta() else "")
