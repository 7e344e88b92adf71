"""A job with a deadline, as it is recorded and as it is sent."""

from __future__ import annotations

from datetime import timedelta

import pytest

from poolqueue.scheduling.jobs import Outcome
from tests.support.installation import Installation, request


def sent_timeout(installation: Installation, job_id: str) -> str:
    name = installation.job(job_id).custom_job
    assert name is not None
    return installation.call("GET", name)["jobSpec"]["scheduling"]["timeout"]


@pytest.mark.parametrize(("hours", "own", "least", "most"), [(1, None, 3500, 3600), (1, 600, 600, 600)])
def test_an_attempts_timeout_ends_it_by_the_deadline_and_is_never_lengthened(
    installation: Installation, hours: int, own: int | None, least: int, most: int
) -> None:
    deadline = installation.clock() + timedelta(hours=hours)
    job_spec = {} if own is None else {"scheduling": {"timeout": f"{own}s"}}

    installation.ask(request("j", deadline=deadline.isoformat(), job_spec=job_spec))

    assert least <= int(sent_timeout(installation, "j").removesuffix("s")) <= most


def test_without_a_deadline_the_timeout_is_the_teams(installation: Installation) -> None:
    installation.ask(request("j"))

    assert sent_timeout(installation, "j") == "86400s"


def test_a_deadline_that_has_passed_is_no_malformed_request(installation: Installation) -> None:
    """The message may have been late through nobody's fault."""
    passed = installation.clock() - timedelta(hours=1)
    installation.ask(request("j", deadline=passed.isoformat()))

    assert installation.job("j").outcome is not Outcome.REJECTED
