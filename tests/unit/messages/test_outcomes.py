from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

from poolqueue.messages import Problem, outcome_message

AT = datetime(2026, 11, 23, 17, 30, 1, 250_000, tzinfo=UTC)


def test_a_change_of_state_says_what_is_known_and_leaves_out_the_rest() -> None:
    body, attributes = outcome_message(job_id="j", team="t", state="queued", sequence=1, at=AT)

    assert json.loads(body) == {
        "job_id": "j",
        "team": "t",
        "state": "queued",
        "sequence": 1,
        "at": "2026-11-23T17:30:01.250Z",
    }
    assert attributes == {"job_id": "j", "team": "t", "state": "queued", "sequence": "1"}


def test_an_end_says_how_and_when() -> None:
    body, attributes = outcome_message(
        job_id="j",
        team="t",
        state="ended",
        outcome="failed",
        sequence=5,
        at=AT,
        attempt=2,
        error="Ü" * 5_000,
        custom_job="projects/1/locations/l/customJobs/2",
        ended=AT.astimezone(timezone(timedelta(hours=9))),
    )

    said = json.loads(body)
    assert (said["outcome"], said["attempt"], len(said["error"])) == ("failed", 2, 4_000)
    assert said["ended"] == said["at"]
    assert attributes["outcome"] == "failed"


def test_a_refusal_carries_its_problems() -> None:
    problem = Problem(path="job_id", value="J", problem="is not a job id", remedy="use another")

    body, _ = outcome_message(
        job_id="j", team="t", state="ended", outcome="rejected", sequence=1, at=AT, problems=[problem]
    )

    assert json.loads(body)["problems"] == [
        {"path": "job_id", "value": "J", "problem": "is not a job id", "remedy": "use another"}
    ]
