"""A whole stack whose functions die when they are told to, with persistent resources of one replica."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.local.processes import ROOT
from infra.local.stack import Plan, Stack, pool, resource, start_stack
from infra.local.stack.plan import LOCATION
from poolqueue.ports import Query
from poolqueue.records import job_path, read_job, read_resource
from poolqueue.scheduling.jobs import Job, job_key
from tests.end_to_end.killing.deadly import Death, Orders
from tests.end_to_end.killing.ground import TEAM, wait_for
from tests.end_to_end.killing.main import ORDERS
from tests.support.installation import SMALL, request

# Short enough to wait for, long enough for a busy machine to submit in.
TIMING = {
    "submit_within": "3s",
    "call_timeout": "3s",
    "quiet_period": "0.5s",
    "bell_lease": "1s",
    "announce_grace": "0.1s",
}
UNTIL_SETTLED_SECONDS = 3 + 3 + 0.5 + 0.5


class KilledStack:
    def __init__(self, stack: Stack, orders: Orders) -> None:
        self.stack = stack
        self._orders = orders

    def order(self, death: Death) -> None:
        """Whichever function of those meant comes first to that call dies of it. Nobody is at work on what
        happened before.
        """
        wait_for(lambda: not self._unannounced(), "all that was announced to be noted")
        self._orders.give(death)

    def wait_for_death(self) -> None:
        wait_for(lambda: self._orders() is None, "a process to die")

    def ask(self, job_id: str, resource: str) -> None:
        self.stack.publish("job-requests", request(job_id, job_spec={"persistentResourceId": str(resource)}))

    def sweep_after_quiet_period(self) -> None:
        time.sleep(UNTIL_SETTLED_SECONDS)  # what passes is the quiet period; nothing is waited for
        self.stack.sweep()

    def job(self, job_id: str) -> Job | None:
        fields = self.stack.documents.read([job_path(job_key(TEAM, job_id))])[0].fields
        return None if fields is None else read_job(fields)

    def wait_running(self, job_id: str) -> None:
        """Until we know its custom job, and that runs."""
        wait_for(lambda: self._runs(job_id), f"{job_id} to run")

    def finish(self, job_id: str) -> None:
        """End its custom job at Vertex AI."""
        self.wait_running(job_id)
        job = self.job(job_id)
        assert job is not None
        self.stack.command_stand_in("finish", custom_job=job.custom_job, state="JOB_STATE_SUCCEEDED")

    def wait_ended(self, job_id: str) -> None:
        wait_for(lambda: (job := self.job(job_id)) and job.outcome, f"{job_id} to end")

    def lives(self, job_id: str) -> list[str]:
        """The states of its custom jobs, as the journal alone shows them."""
        return [life.state for life in self.stack.report().jobs.get((TEAM, job_id), ())]

    def _unannounced(self) -> list[str]:
        region = {"region": f"{self.stack.project}.{LOCATION}"}
        found = self.stack.documents.find(Query(collection="resources", where=region))
        known = [read_resource(each.fields) for each in found if each.fields is not None]
        return [key for each in known for key in each.unannounced]

    def _runs(self, job_id: str) -> bool:
        job = self.job(job_id)
        known = job is not None and job.custom_job is not None
        return known and self.lives(job_id)[-1] == "RUNNING"


@contextmanager
def killed_stack(directory: Path, *, resources: Iterable[str]) -> Iterator[KilledStack]:
    """Without sweeps but those that a test asks for."""
    orders = directory / "orders"
    plan = Plan(
        persistent_resources=[resource(str(each), pool("cpu", SMALL, 1)) for each in resources],
        settings={"timing": TIMING},
        source=Path(__file__).with_name("main.py"),
        function_environment={ORDERS: str(orders), "PYTHONPATH": str(ROOT)},
        stand_in={"behaviour": {"run_processes": False}},
        sweep_seconds=None,
    )
    with start_stack(directory, plan) as stack:
        yield KilledStack(stack, Orders(orders))
