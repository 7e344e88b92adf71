"""Each claim that `make run` makes is denied when it does not hold."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from infra.local.checker import CustomJobLife, Finding, FindingKind, Report, Step
from infra.local.run.demo import Entry
from infra.local.run.progress import JobProgress, progress
from infra.local.run.results import Result
from infra.local.run.verdicts import verdicts
from infra.local.stack import Announcement
from poolqueue.scheduling.jobs import Outcome

START = datetime(2026, 11, 23, 18, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def life(taken: float) -> CustomJobLife:
    return CustomJobLife(
        custom_job="1",
        display_name="a",
        resource="gpu-demo",
        labels={},
        demands={"cpu": 1},
        state="SUCCEEDED",
        error=None,
        created=at(taken),
        taken=at(taken),
        started=at(taken),
        ended=at(taken + 1),
        created_on=1,
        taken_on=2,
        ended_on=3,
    )


def said(*states: str, **last: Any) -> JobProgress:
    """Announcements of these states, one a second."""
    bodies: list[dict[str, Any]] = [
        {"job_id": "a", "state": state, "sequence": number, "at": at(number).isoformat()}
        for number, state in enumerate(states, start=1)
    ]
    for body in bodies[1:]:
        body.update(reason="needs_replicas" if body["state"] == "queued" else None)
    bodies[-1].update(last)
    return JobProgress(job_id="a", announced=tuple(bodies))


GOOD = {
    "program": "digits",
    "score": 0.9,
    "baseline": 0.1,
    "beats_baseline": True,
    "world_size": 3,
    "parameters_agree": True,
    "gradients_by_replica": [5, 5, 5],
}


def result(job: str, *, taken: float = 1.0, **changes: Any) -> Result:
    expected = changes.pop("expected", {})
    entry = Entry.model_validate(
        {"job": job, "file": "a.json", "outcome": "succeeded", "about": "a test", **expected}
    )
    return replace(
        Result(
            entry=entry,
            job_id=job,
            job=None,
            progress=said("queued", "queued", "ended", outcome="succeeded"),
            waited=timedelta(seconds=1),
            lives=(life(taken),),
            learnt=GOOD,
        ),
        **changes,
    )


def started(note: str) -> JobProgress:
    """What was said at its start."""
    progress = said("queued", "queued", "reserved", "ended", outcome="succeeded")
    progress.announced[2]["note"] = note
    return progress


GOES_AHEAD = "goes ahead of research.wide, planned for 18:10:00Z, expected to delay it by 0 s"
KEPT = "starts 590 s earlier than first planned (2026-11-23 18:10:00Z); 1 went ahead, the last research.quick"


def all_well() -> dict[str, Result]:
    refusal = said("ended", outcome="rejected", problems=[{"path": "x", "problem": "y"}])
    return {
        "older": result("older", taken=9, expected={"copies": 2}),
        "urgent": result("urgent", taken=5, expected={"before": ("older",)}),
        "wide": result("wide", progress=started(KEPT)),
        "quick": result("quick", progress=started(GOES_AHEAD), expected={"overtakes": "wide"}),
        "together": result("together", learnt={**GOOD, "program": "distributed"}),
        "refused": result(
            "refused", expected={"outcome": "rejected"}, progress=refusal, lives=(), learnt=None
        ),
    }


REPORT = Report(
    jobs={},
    foreign=(),
    pools={("demo-x.us-central1.gpu-demo", "cpu"): (Step(at=START, taken=2, capacity=3),)},
    findings=(),
)


def problems(results: dict[str, Result], report: Report = REPORT) -> list[str]:
    found = verdicts(list(results.values()), report, resource="gpu-demo")
    return [problem for verdict in found for problem in verdict.problems]


def test_nothing_is_denied_when_all_is_well() -> None:
    assert problems(all_well()) == []


@pytest.mark.parametrize(
    ("job", "changes", "problem"),
    [
        ("older", {"progress": None}, "older did not end, expected succeeded"),
        ("older", {"progress": said("queued", "ended", outcome="failed")}, "older is failed, expected"),
        ("older", {"learnt": None}, "older left no result.json"),
        ("older", {"learnt": {**GOOD, "beats_baseline": False}}, "older: 0.9 against 0.1"),
        ("older", {"lives": (life(9), life(12))}, "older, published 2 times, became 2 custom jobs"),
        ("older", {"lives": (life(4),)}, "an older job got its replicas before urgent"),
        ("older", {"lives": (life(1),)}, "no older job was waiting when urgent came"),
        ("urgent", {"lives": ()}, "urgent never got replicas"),
        ("together", {"learnt": GOOD}, "there is no result of a distributed job"),
        (
            "together",
            {"learnt": {**GOOD, "program": "distributed", "world_size": 1}},
            "1 replicas, agreeing: True",
        ),
        (
            "together",
            {"learnt": {**GOOD, "program": "distributed", "gradients_by_replica": [9, 0, 9]}},
            "gradients by replica: [9, 0, 9]",
        ),
        ("quick", {"progress": started("")}, "quick did not go ahead of wide"),
        ("wide", {"progress": started("")}, "wide had no planned start"),
        ("wide", {"progress": started("starts 61 s later than first planned (x)")}, "wide starts 61 s later"),
        ("refused", {"lives": (life(1),)}, "refused has 1 custom jobs"),
        ("refused", {"progress": said("ended", outcome="rejected")}, "gives no problems"),
        (
            "older",
            {"progress": said("queued", "queued", "queued", "ended", outcome="succeeded", sequence=9)},
            "of older only [1, 2, 3, 9] were announced",
        ),
    ],
)
def test_what_is_not_so_is_said(job: str, changes: dict[str, Any], problem: str) -> None:
    results = all_well()
    results[job] = replace(results[job], **changes)
    assert any(problem in found for found in problems(results)), problems(results)


def test_a_job_requeued_without_a_reason_is_said() -> None:
    progress_without = said("queued", "queued", "ended", outcome="succeeded")
    progress_without.announced[1].pop("reason")
    results = {**all_well(), "older": result("older", taken=9, progress=progress_without)}
    assert "older was requeued without a reason" in problems(results)


def test_what_the_checker_finds_is_said() -> None:
    finding = Finding(kind=FindingKind.OVER_CAPACITY, detail="4 of 3")
    assert problems(all_well(), replace(REPORT, findings=(finding,))) == ["over_capacity: 4 of 3"]


def test_progress_counts_a_repeated_announcement_once_and_in_order() -> None:
    def announcement(sequence: int, state: str, **more: str) -> Announcement:
        return Announcement(
            body={
                "job_id": "a",
                "state": state,
                "sequence": sequence,
                "at": at(sequence).isoformat(),
                **more,
            },
            attributes={},
        )

    heard = [
        announcement(3, "ended", outcome="succeeded"),
        announcement(1, "queued"),
        announcement(1, "queued"),
        announcement(2, "reserved"),
    ]
    found = progress(heard)["a"]
    assert [body["state"] for body in found.announced] == ["queued", "reserved", "ended"]
    assert found.is_complete
    assert found.outcome is Outcome.SUCCEEDED
    assert not progress(heard[1:3])["a"].is_considered


def test_an_older_job_admitted_by_the_same_decision_may_reach_vertex_ai_first() -> None:
    """Another older job, admitted later, is what the urgent one passed."""
    together = said("queued", "queued", "reserved", "ended", outcome="succeeded")
    results = all_well()
    results["urgent"] = replace(
        result("urgent", taken=5, expected={"before": ("older", "beside")}), progress=together
    )
    results["beside"] = result("beside", taken=4, progress=together)

    assert problems(results) == []
