"""A job with all that a publisher and Vertex AI can say of it stays within Firestore's limit."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from poolqueue.adapters.limits import MAX_DOCUMENT_BYTES, copied
from poolqueue.records import job_path, write_job
from poolqueue.requests.limits import MOST_BODY_BYTES
from poolqueue.scheduling.jobs import HISTORY_LIMIT, Demand, Outcome, Reason, State, move
from tests.unit.scheduling.building import NOW, job

WIDEST = "\N{PILE OF POO}"  # four bytes


def test_a_job_of_the_largest_size_that_was_requeued_for_ever_can_be_stored() -> None:
    problem = dict.fromkeys(("value", "problem"), WIDEST * 120) | dict.fromkeys(("path", "remedy"), "x" * 300)
    demand = Demand(index=0, machine="m" * MOST_BODY_BYTES, disk=None, replicas=1)
    large = replace(
        job(),
        custom_job_body="x" * MOST_BODY_BYTES,
        demands=(demand,),
        problems=(problem,) * 51,
        variant="v" * 16,
    )
    for number in range(HISTORY_LIMIT + 1):
        at = NOW + timedelta(minutes=number)
        large = move(large, State.QUEUED, at=at, reason=Reason.SUBMISSION_UNRESOLVED, note=WIDEST * 5_000)
    ended = move(large, State.ENDED, at=NOW, outcome=Outcome.REJECTED, error=WIDEST * 100_000)

    assert (
        copied(job_path(ended.key), write_job(ended, retention=timedelta(days=30))).size < MAX_DOCUMENT_BYTES
    )
