from __future__ import annotations

from dataclasses import replace

from tests.unit.scheduling.building import NOW, at, job


def test_a_job_without_a_deadline_or_a_longest_wait_never_expires() -> None:
    assert job().expires is None


def test_a_job_expires_at_its_deadline_if_that_comes_first() -> None:
    assert replace(job(), created=NOW, deadline=at(60), max_wait=61).expires == at(60)


def test_a_job_expires_when_it_waited_too_long_if_that_comes_first() -> None:
    assert replace(job(), created=NOW, deadline=at(60), max_wait=59).expires == at(59)


def test_a_job_that_was_preempted_had_not_waited_too_long() -> None:
    """It started in time; what it waits for since is not its publisher's limit, its deadline is."""
    preempted = replace(job(), created=NOW, max_wait=59, preemptions=1)

    assert preempted.expires is None
    assert replace(preempted, deadline=at(60)).expires == at(60)
