"""Builders of journals: lines as the stand-in writes them, valid unless a test spoils them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

BEGIN = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)
POOLS = {"small": 3, "large": 8}
PLACE = {"resource": "gpu-a", "project": "demo-checker", "location": "us-central1"}

Line = dict[str, Any]


def moment(second: float) -> datetime:
    return BEGIN + timedelta(seconds=second)


@dataclass
class JournalBuilder:
    """Writes lines one second apart, so that every moment is one line's."""

    lines: list[Line] = field(default_factory=list)
    numbers: int = 0

    def write(self, event: str, **fields: Any) -> None:
        at = moment(len(self.lines)).isoformat(timespec="microseconds").replace("+00:00", "Z")
        self.lines.append({"at": at, "event": event, **fields})

    def pools(self, capacities: dict[str, int] = POOLS, *, event: str = "resource_created") -> None:
        pools = [
            {"id": name, "machine_spec": {}, "disk_spec": {}, "capacity": n} for name, n in capacities.items()
        ]
        self.write(event, **PLACE, pools=pools)

    def create(self, job: str | None, demands: dict[str, int], *, token: str | None = None) -> str:
        self.numbers += 1
        number = str(3_958_704_668_489_547_000 + self.numbers)
        ours = {
            "pool_queue_team": "vision",
            "pool_queue_job": job,
            "pool_queue_token": token or f"token-{number}",
        }
        self.write(
            "custom_job_created",
            custom_job=number,
            name=f"projects/1/locations/us-central1/customJobs/{number}",
            **PLACE,
            display_name=job or "somebody's",
            labels=ours if job else {},
            demands=demands_of(demands),
        )
        self.state(number, None, "QUEUED")
        return number

    def state(self, number: str, before: str | None, state: str) -> None:
        self.write(
            "custom_job_state",
            custom_job=number,
            before=f"JOB_STATE_{before}" if before else None,
            state=f"JOB_STATE_{state}",
            error=None,
        )

    def claim(self, event: str, number: str, demands: dict[str, int]) -> None:
        self.write(event, custom_job=number, **PLACE, demands=demands_of(demands))

    def begin(self, number: str, demands: dict[str, int]) -> None:
        self.claim("replicas_taken", number, demands)
        self.state(number, "QUEUED", "PENDING")
        self.state(number, "PENDING", "RUNNING")
        self.write("replica_started", custom_job=number, replica="workerpool0-0", pid=1000 + self.numbers)

    def finish(self, number: str, demands: dict[str, int], *, pid: int, state: str = "SUCCEEDED") -> None:
        self.write("replica_ended", custom_job=number, replica="workerpool0-0", pid=pid, exit_code=0)
        self.state(number, "RUNNING", state)
        self.claim("replicas_released", number, demands)

    def whole(self, job: str | None, demands: dict[str, int], *, token: str | None = None) -> str:
        """A custom job from creation to end, alone on its resource."""
        number = self.create(job, demands, token=token)
        self.begin(number, demands)
        self.finish(number, demands, pid=1000 + self.numbers)
        return number


def demands_of(replicas: dict[str, int]) -> list[dict[str, Any]]:
    return [{"pool": pool, "replicas": count} for pool, count in replicas.items()]


def written(*, capacities: dict[str, int] = POOLS) -> JournalBuilder:
    journal = JournalBuilder()
    journal.pools(capacities)
    return journal


@st.composite
def valid_journals(draw: st.DrawFn) -> list[Line]:
    """Jobs that start when their replicas are free and end in any order, some tried again after an end that
    was no success.
    """
    journal = written()
    running: dict[str, tuple[str | None, dict[str, int], int]] = {}
    ended_jobs: list[str] = []
    for step in range(draw(st.integers(min_value=1, max_value=12))):
        taken: Counter[str] = Counter()
        for _, demands, _ in running.values():
            taken.update(demands)
        free = {pool: capacity - taken[pool] for pool, capacity in POOLS.items()}
        pools = [pool for pool in free if free[pool] > 0]
        if running and (not pools or draw(st.booleans())):
            number = draw(st.sampled_from(sorted(running)))
            job, demands, pid = running.pop(number)
            state = draw(st.sampled_from(["SUCCEEDED", "FAILED", "CANCELLED"]))
            journal.finish(number, demands, pid=pid, state=state)
            ended_jobs += [job] if job and state != "SUCCEEDED" else []
        else:
            used = draw(st.lists(st.sampled_from(pools), min_size=1, unique=True))
            demands = {pool: draw(st.integers(min_value=1, max_value=free[pool])) for pool in used}
            again = draw(st.sampled_from([None, *ended_jobs]))
            job = draw(st.sampled_from([f"job-{step}", again]))
            if job in ended_jobs:
                ended_jobs.remove(job)
            number = journal.create(job, demands)
            journal.begin(number, demands)
            running[number] = (job, demands, 1000 + journal.numbers)
    for number, (_, demands, pid) in running.items():
        journal.finish(number, demands, pid=pid)
    return journal.lines


def events(lines: Sequence[Line], event: str) -> list[Line]:
    return [line for line in lines if line["event"] == event]
