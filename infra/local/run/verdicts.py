"""Whether all is as it should be: what the checker finds in the journal, and what the demo expects."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from rich.console import Console
from rich.text import Text

from infra.local.checker import Report
from infra.local.run.demo import TEAM
from infra.local.run.results import Result
from poolqueue.scheduling.jobs import Outcome, State
from poolqueue.scheduling.reckoning import ON_TIME


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One thing that should be so; `problems` say in what it is not."""

    claim: str
    problems: tuple[str, ...]

    @property
    def holds(self) -> bool:
        return not self.problems


def verdicts(results: Sequence[Result], report: Report, *, resource: str) -> list[Verdict]:
    learning = [each for each in results if each.entry.outcome is Outcome.SUCCEEDED]
    waiting = [each for each in results if each.progress is not None and each.progress.requeued]
    return [
        _verdict(f"{len(results)} jobs ended as expected", _outcomes(results)),
        _verdict(_peaks(report, resource), map(str, report.findings)),
        _verdict(f"{len(learning)} models beat their baseline on held-out data", _scores(learning)),
        _verdict(
            "the replicas of the distributed job agree, and each computed gradients", _together(results)
        ),
        _verdict("the urgent job got its replicas before the older ones", _order(results)),
        *([_verdict(_backfill(results), _overtakings(results))] if _goes_ahead(results) else []),
        _verdict("a request published twice is one job", _copies(results)),
        _verdict("what was refused never reached Vertex AI, and says why", _refusals(results)),
        _verdict(f"{len(waiting)} jobs that did not fit were requeued, with the reason", _requeued(waiting)),
        _verdict("every change of state was announced, in one unbroken sequence", _announced(results)),
    ]


def show_verdicts(found: Iterable[Verdict], console: Console) -> None:
    for each in found:
        sign, style = ("ok", "green") if each.holds else ("NO", "bold red")
        console.print(Text.assemble((f"{sign}  ", style), each.claim), highlight=False)
        for problem in each.problems:
            console.print(Text(f"    {problem}", "red"), highlight=False)


def _verdict(claim: str, problems: Iterable[str]) -> Verdict:
    return Verdict(claim=claim, problems=tuple(problems))


def _peaks(report: Report, resource: str) -> str:
    pools = sorted(pool for name, pool in report.pools if name.endswith(f".{resource}"))
    parts = [
        f"{report.peak_occupancy(resource, pool)} of "
        f"{max(step.capacity for step in report.steps(resource, pool))} {pool}"
        for pool in pools
    ]
    return f"{', '.join(parts)} in use at most; no token sent twice, nothing left over"


def _outcomes(results: Iterable[Result]) -> Iterator[str]:
    for each in results:
        if each.outcome is not each.entry.outcome:
            found = "did not end" if each.outcome is None else f"is {each.outcome.value}"
            yield f"{each.job_id} {found}, expected {each.entry.outcome.value}: {each.why}"


def _scores(results: Iterable[Result]) -> Iterator[str]:
    for each in results:
        if each.learnt is None:
            yield f"{each.job_id} left no result.json"
        elif not each.learnt["beats_baseline"]:
            yield f"{each.job_id}: {each.learnt['score']} against {each.learnt['baseline']}"


def _together(results: Iterable[Result]) -> Iterator[str]:
    found = [each.learnt for each in results if each.learnt and each.learnt["program"] == "distributed"]
    if not found:
        yield "there is no result of a distributed job"
    for learnt in found:
        if learnt["world_size"] < 2 or not learnt["parameters_agree"]:  # noqa: PLR2004  one alone is not distributed
            yield f"{learnt['world_size']} replicas, agreeing: {learnt['parameters_agree']}"
        if min(learnt["gradients_by_replica"]) == 0:
            yield f"gradients by replica: {learnt['gradients_by_replica']}"


def _order(results: Sequence[Result]) -> Iterator[str]:
    """Older jobs that had no replicas yet when the urgent one was considered must get theirs later.

    Those admitted by the same decision are submitted side by side: which Vertex AI takes first is chance.
    """
    by_name = {each.entry.job: each for each in results}
    for each in results:
        if not each.entry.before:
            continue
        considered = each.progress.at(2) if each.progress else None
        taken = _taken(each)
        older = [
            _taken(by_name[name]) for name in each.entry.before if not _together_with(each, by_name[name])
        ]
        if considered is None or taken is None:
            yield f"{each.job_id} never got replicas"
            continue
        later = [at for at in older if at is None or at > considered]
        if not later:
            yield f"no older job was waiting when {each.job_id} came: this machine is too slow to show it"
        elif any(at is not None and at < taken for at in later):
            yield f"an older job got its replicas before {each.job_id}"


def _together_with(one: Result, other: Result) -> bool:
    moments = [each.progress.reserved if each.progress else None for each in (one, other)]
    return moments[0] is not None and moments[0] == moments[1]


def _taken(result: Result) -> datetime | None:
    return min((life.taken for life in result.lives if life.taken), default=None)


def _goes_ahead(results: Iterable[Result]) -> bool:
    return any(each.entry.overtakes for each in results)


def _backfill(results: Iterable[Result]) -> str:
    passing = ", ".join(each.entry.job for each in results if each.entry.overtakes)
    passed = ", ".join(dict.fromkeys(each.entry.overtakes for each in results if each.entry.overtakes))
    return f"{passing} went ahead of {passed}, which had a planned start and was not late for that"


def _overtakings(results: Sequence[Result]) -> Iterator[str]:
    """By what was announced of their starts."""
    by_name = {each.entry.job: each for each in results}
    for each in results:
        if each.entry.overtakes is None:
            continue
        passed = by_name[each.entry.overtakes]
        if f"goes ahead of {TEAM}.{passed.job_id}, planned for " not in _start_note(each):
            how = _start_note(each) or "it just started"
            yield f"{each.job_id} did not go ahead of {passed.job_id}: {how}"
        elif not _is_on_time(_start_note(passed)):
            yield f"{passed.job_id} {_start_note(passed) or 'had no planned start'}"


def _is_on_time(note: str) -> bool:
    """To the minute, as the queue itself counts promises that it did not keep."""
    found = re.search(r"starts (\d+) s (earlier|later) than first planned", note)
    if found is None:
        return False
    return found[2] == "earlier" or timedelta(seconds=int(found[1])) <= ON_TIME


def _start_note(result: Result) -> str:
    """What was announced when its replicas were last set aside."""
    announced = result.progress.announced if result.progress else ()
    starts = [said.get("note") for said in announced if said["state"] == State.RESERVED.value]
    return str(starts[-1] or "") if starts else ""


def _copies(results: Iterable[Result]) -> Iterator[str]:
    for each in results:
        if each.entry.copies > 1 and len(each.lives) != 1:
            yield f"{each.job_id}, published {each.entry.copies} times, became {len(each.lives)} custom jobs"


def _refusals(results: Iterable[Result]) -> Iterator[str]:
    for each in results:
        if each.entry.outcome is Outcome.REJECTED and each.progress is not None:
            if each.lives:
                yield f"{each.job_id} has {len(each.lives)} custom jobs"
            if not each.progress.last.get("problems"):
                yield f"the refusal of {TEAM}/{each.job_id} gives no problems"


def _requeued(waiting: Sequence[Result]) -> Iterator[str]:
    if not waiting:
        yield "no job was requeued"
    for each in waiting:
        assert each.progress is not None
        if not all(said.get("reason") for said in each.progress.requeued):
            yield f"{each.job_id} was requeued without a reason"


def _announced(results: Iterable[Result]) -> Iterator[str]:
    for each in results:
        if each.progress is not None and not each.progress.is_complete:
            numbers = [said["sequence"] for said in each.progress.announced]
            yield f"of {each.job_id} only {numbers} were announced"
