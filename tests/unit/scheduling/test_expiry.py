from __future__ import annotations

from dataclasses import replace

from tests.unit.scheduling.building import NOW, at, job


def test_a_job_without_a_deadline_or_a_longest_wait_never_expires() -> None:
    assert job().expires is None


def test_a_job_expires_at_its_deadline_if_that_comes_first() -> None:
    assert replace(job(), created=NOW, deadline=at(60), max_wait=61).expires == at(60)


def test_a_job_expires_when_it_waited_too_long_if_that_comes_first() -> None:
    assert replace(job(), created=NOW, deadline=at(60), max_wait=59).expires == at(59)
