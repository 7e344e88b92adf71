"""The live picture fits the terminal, and names who holds what and why others wait."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from infra.local.run.progress import JobProgress
from infra.local.run.screen import Screen
from poolqueue.records import ResourceName
from poolqueue.scheduling.jobs import Reason, State
from poolqueue.viewing.views import Holder, JobView, PoolView, ResourceView, Share

NOW = datetime(2026, 11, 23, 18, 0, tzinfo=UTC)


def pool(*holders: tuple[str, int], capacity: int, foreign: int = 0) -> PoolView:
    taken = sum(replicas for _, replicas in holders)
    return PoolView(
        ids=("cpu",),
        machine="n1-standard-4",
        disk="",
        capacity=capacity,
        reserved=taken,
        foreign=foreign,
        surplus=0,
        free=capacity - taken - foreign,
        holders=tuple(Holder(team="research", job_id=name, replicas=n) for name, n in holders),
    )


def job(job_id: str, state: State, **more: object) -> JobView:
    shares = (Share(pool="cpu", replicas=1),)
    return JobView(team="research", job_id=job_id, state=state, resource="gpu-demo", shares=shares, **more)


def resource(*pools: PoolView, running: int = 0, waiting: int = 0) -> ResourceView:
    return ResourceView(
        name=ResourceName(project="demo-screen", location="us-central1", id="gpu-demo"),
        state="RUNNING",
        seen_at=NOW,
        observed_at=NOW,
        is_fresh=True,
        pools=pools,
        holding=tuple(job(f"runs-{n}", State.RUNNING, ran=timedelta(seconds=n)) for n in range(running)),
        waiting=tuple(
            job(f"waits-{n}", State.QUEUED, reason=Reason.NEEDS_REPLICAS, note="needs 1, 0 free", priority=50)
            for n in range(waiting)
        ),
    )


def ended(count: int) -> list[JobProgress]:
    return [
        JobProgress(
            job_id=f"ended-{n}",
            announced=(
                {"state": "ended", "outcome": "failed", "sequence": 1, "at": f"{n:03}", "error": "no\nluck"},
            ),
        )
        for n in range(count)
    ]


def drawn(*resources: ResourceView, jobs: list[JobProgress] | None = None, width: int, height: int) -> str:
    screen = Screen(
        title="Pool Queue", elapsed=timedelta(seconds=12), resources=resources, jobs=jobs or [], remarks={}
    )
    console = Console(file=io.StringIO(), width=width, height=height, color_system=None)
    with console.capture() as capture:
        console.print(screen)
    return capture.get()


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (60, 20)])
@pytest.mark.parametrize(("running", "waiting", "ended_jobs"), [(0, 0, 0), (5, 6, 6), (40, 500, 200)])
def test_it_fits_the_terminal(width: int, height: int, running: int, waiting: int, ended_jobs: int) -> None:
    two_pools = (pool(("a", 2), capacity=3), pool(capacity=2))
    text = drawn(
        resource(*two_pools, running=running, waiting=waiting),
        jobs=ended(ended_jobs),
        width=width,
        height=height,
    )
    lines = text.splitlines()
    assert len(lines) <= height
    assert max(map(len, lines)) <= width


def test_a_pool_names_who_holds_each_replica() -> None:
    text = drawn(resource(pool(("digits", 1), ("wide", 2), capacity=5, foreign=1)), width=80, height=24)
    line = next(line for line in text.splitlines() if line.startswith("cpu"))
    assert " ".join(line.split()) == "cpu 4/5 digits wide others free"


def test_a_pool_too_large_for_cells_is_drawn_in_proportion_with_its_holders() -> None:
    text = drawn(resource(pool(("digits", 10), capacity=40)), width=80, height=24)
    line = next(line for line in text.splitlines() if line.startswith("cpu"))
    assert "███···" in line
    assert line.rstrip().endswith("digits")


def test_the_queue_says_why_and_how_many_more_there_are() -> None:
    text = drawn(resource(pool(capacity=1), waiting=50), width=80, height=24)
    assert "waits-0" in text
    assert "needs 1, 0 free" in text
    shown = text.count("waits-")
    assert f"… {50 - shown} more" in text


def test_the_queue_says_when_a_start_is_planned() -> None:
    planned = job(
        "wide",
        State.QUEUED,
        priority=50,
        planned=datetime(2026, 11, 23, 18, 10, tzinfo=UTC),
        note="needs 2, 1 free",
    )
    view = replace(resource(pool(capacity=1)), waiting=(planned,))
    assert "planned for 18:10:00Z  needs 2, 1 free" in drawn(view, width=120, height=24)


def test_the_latest_end_stands_first_and_its_text_on_one_line() -> None:
    lines = drawn(resource(pool(capacity=1)), jobs=ended(3), width=80, height=24).splitlines()
    names = [line.split()[0] for line in lines if line.startswith("ended-")]
    assert names == ["ended-2", "ended-1", "ended-0"]
    assert r"no\nluck" in "\n".join(lines)


def test_before_a_resource_is_known_the_recorded_jobs_are_named() -> None:
    recorded = JobProgress(job_id="digits", announced=({"state": "queued", "sequence": 1, "at": "1"},))
    text = drawn(jobs=[recorded], width=80, height=24)
    assert "no persistent resource is known yet" in text
    assert "recorded: digits" in text
