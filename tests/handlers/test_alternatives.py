"""A waiting job goes to the queue of a resource that it may use instead; it is in one queue at a time."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from handlers import job_requested, swept
from poolqueue.records import ResourceName, queue_path, read_queue
from poolqueue.scheduling.jobs import Job, Outcome, Reason, State
from tests.support.faults import Death, Killed, mortal
from tests.support.installation import GPU, LOCATION, Installation, pool, request, worker_pool_spec
from tests.support.meter import Meter
from tests.support.soundness import WITH_RESERVATION

Installing = Callable[..., Installation]

ANY_LATER = {"persistent_resource": "any", "after": "30m"}
WAITS = ["queued", "queued"]
MOVES_ON = ["queued", "reserved", "submitted"]


def resources(project: str, **pools: Any) -> list[dict[str, Any]]:
    return [{"project": project, "location": LOCATION, "id": id_, "pools": has} for id_, has in pools.items()]


@pytest.fixture
def installation(installing: Installing, demo_project: str) -> Installation:
    """`a` and `b`, one small machine each, both known and swept."""
    has = resources(demo_project, a=[pool(replicas=1)], b=[pool(replicas=1)], c=[pool(GPU, 1)])
    here = installing(persistent_resources=has)
    fill(here, "a", "b")
    return here


def ask(installation: Installation, job_id: str, *specs: Any, on: str = "a", **settings: Any) -> Job:
    installation.ask(request(job_id, *specs, **settings, job_spec={"persistentResourceId": on}))
    return installation.job(job_id)


def fill(installation: Installation, *names: str) -> None:
    for name in names:
        ask(installation, f"on-{name}", on=name)
        installation.wait_running(f"on-{name}")


def where(installation: Installation, job_id: str) -> tuple[str, State]:
    job = installation.job(job_id)
    return ResourceName.from_key(job.resource).id, job.state


def started_on(installation: Installation, job_id: str) -> str | None:
    """Where it has replicas, if it has."""
    id_, state = where(installation, job_id)
    return id_ if state in WITH_RESERVATION else None


def queued(installation: Installation, name: str) -> list[str]:
    path = queue_path(replace(installation.name, id=name), 0)
    lines = read_queue([installation.documents.read([path])[0].fields]).waiting()
    return sorted(line.job_id for line in lines)


def last_move(job: Job) -> str:
    return next(entry.note or "" for entry in reversed(job.history) if entry.reason is Reason.MOVED)


# --- it goes ---------------------------------------------------------------------------------------------


def test_a_job_that_cannot_start_at_its_home_starts_where_it_can(installation: Installation) -> None:
    installation.finish("on-b")

    ask(installation, "j", alternatives=["b"])
    installation.run_asked_cycles()

    assert started_on(installation, "j") == "b"
    assert last_move(installation.job("j")) == "from a to b, where it can start now"
    assert installation.states("j") == ["queued", *MOVES_ON]
    name = installation.job("j").custom_job
    assert name is not None
    seen = installation.system.observer.custom_job(name)
    assert seen is not None
    assert seen.persistent_resource == "b"


def test_a_job_that_can_start_at_its_home_stays(installation: Installation) -> None:
    installation.finish("on-a")
    installation.finish("on-b")

    ask(installation, "j", alternatives=["b"])

    assert started_on(installation, "j") == "a"


def test_what_comes_free_elsewhere_takes_a_waiting_job_without_a_sweep(installation: Installation) -> None:
    ask(installation, "j", alternatives=["b"])
    assert where(installation, "j") == ("a", State.QUEUED)
    assert installation.resource("b").suitors == (installation.job("j").resource,)

    installation.finish("on-b")
    installation.run_asked_cycles()

    assert started_on(installation, "j") == "b"
    assert queued(installation, "a") == queued(installation, "b") == []
    assert installation.resource("b").suitors == ()


def test_an_alternative_is_not_used_before_its_time(installation: Installation) -> None:
    ask(installation, "j", alternatives=[{"persistent_resource": "b", "after": "30m"}])
    installation.finish("on-b")
    for minutes in (0, 29):
        installation.clock.advance(minutes=minutes)
        installation.sweep()
        assert installation.run_asked_cycles() == []
    assert where(installation, "j") == ("a", State.QUEUED)

    installation.clock.advance(minutes=1)
    installation.sweep()
    installation.sweep()
    installation.run_asked_cycles()

    assert started_on(installation, "j") == "b"


def test_a_cycle_lingers_for_an_alternative_that_opens_soon(installation: Installation) -> None:
    installation.finish("on-b")

    ask(installation, "j", alternatives=[{"persistent_resource": "b", "after": "20s"}])
    installation.run_asked_cycles()

    assert started_on(installation, "j") == "b"


def test_alternatives_are_taken_in_the_asked_order(installing: Installing, demo_project: str) -> None:
    one = [pool(replicas=1)]
    here = installing(persistent_resources=resources(demo_project, a=one, b=one, c=one))
    fill(here, "a", "b", "c")
    here.finish("on-b")
    here.finish("on-c")

    ask(here, "first", alternatives=["c", "b"])
    ask(here, "second", alternatives=["c", "b"])
    here.run_asked_cycles()

    assert started_on(here, "first") == "c"
    here.sweep()
    here.run_asked_cycles()
    assert started_on(here, "second") == "b"


def test_any_is_whichever_matches_and_has_room(installing: Installing, demo_project: str) -> None:
    has = resources(demo_project, a=[pool()], b=[pool(replicas=1)], c=[pool(GPU, 1)], d=[pool(replicas=1)])
    here = installing(persistent_resources=has)
    fill(here, "a", "b", "d")
    ask(here, "known", worker_pool_spec(machine=GPU), on="c")
    here.finish("on-d")

    ask(here, "j", worker_pool_spec(), worker_pool_spec(), alternatives=["any"])
    ask(here, "k", worker_pool_spec(), alternatives=[ANY_LATER])
    ask(here, "l", worker_pool_spec(), alternatives=["any"])
    here.run_asked_cycles()

    assert where(here, "j") == ("a", State.QUEUED), "only a could ever run it"
    assert started_on(here, "l") == "d"


def test_a_disk_that_is_left_out_is_that_of_where_it_runs(installing: Installing, demo_project: str) -> None:
    other = {"bootDiskType": "pd-standard", "bootDiskSizeGb": 200}
    has = resources(demo_project, a=[pool(replicas=1)], b=[pool(replicas=1, disk_spec=other)])
    here = installing(persistent_resources=has)
    fill(here, "a")
    ask(here, "known", worker_pool_spec(disk=other), on="b")
    here.finish("known")

    ask(here, "j", worker_pool_spec(disk=None), alternatives=["b"])
    here.run_asked_cycles()

    assert started_on(here, "j") == "b"
    sent = here.call("GET", str(here.job("j").custom_job))
    assert sent["jobSpec"]["workerPoolSpecs"][0]["diskSpec"] == {
        "bootDiskType": "pd-standard",
        "bootDiskSizeGb": 200,
    }


def test_an_alternative_that_nobody_named_before_becomes_known(
    installing: Installing, demo_project: str
) -> None:
    one = [pool(replicas=1)]
    here = installing(persistent_resources=resources(demo_project, a=one, b=one))
    fill(here, "a")

    ask(here, "j", alternatives=["b"])
    assert where(here, "j") == ("a", State.QUEUED)
    here.sweep()
    here.run_asked_cycles()

    assert started_on(here, "j") == "b"


def test_a_job_goes_to_wait_where_it_is_expected_to_start_earlier(
    installing: Installing, demo_project: str
) -> None:
    one = [pool(replicas=1)]
    here = installing(persistent_resources=resources(demo_project, a=one, b=one))
    for name, timeout in (("a", "36000s"), ("b", "3600s")):
        here.ask(
            request(
                f"on-{name}",
                job_spec={"persistentResourceId": name, "scheduling": {"timeout": timeout}},
            )
        )

    ask(here, "j", alternatives=["b"])
    here.run_asked_cycles()

    assert where(here, "j") == ("b", State.QUEUED)
    assert "expected to start at" in last_move(here.job("j"))
    assert queued(here, "a") == []
    assert queued(here, "b") == ["j"]
    assert [*here.resource("b").promises] == ["research.j"]
    assert here.resource("a").promises == {}


def test_a_job_that_its_home_cannot_run_goes_where_it_can(installation: Installation) -> None:
    installation.sweep()

    ask(installation, "gpu", worker_pool_spec(machine=GPU), alternatives=["c"])
    installation.sweep()
    installation.run_asked_cycles()
    ask(installation, "none", worker_pool_spec(machine=GPU), alternatives=["b"])

    assert started_on(installation, "gpu") == "c"
    none = installation.job("none")
    assert (none.outcome, none.reason) == (Outcome.REJECTED, Reason.NO_MATCHING_POOL)


# --- it stays --------------------------------------------------------------------------------------------


def test_where_both_are_full_a_job_waits_in_one_queue_with_one_planned_start(
    installation: Installation,
) -> None:
    ask(installation, "j", alternatives=["b"])
    for _ in range(20):
        installation.clock.advance(minutes=1)
        installation.sweep()
        installation.run_asked_cycles()

    lines = [*queued(installation, "a"), *queued(installation, "b")]
    promised = [*installation.resource("a").promises, *installation.resource("b").promises]
    assert lines == ["j"]
    assert promised == ["research.j"]
    assert installation.states("j") == WAITS


def test_a_place_that_filled_up_meanwhile_is_one_more_to_wait_in(installation: Installation) -> None:
    installation.finish("on-b")
    ask(installation, "j", alternatives=["b"])
    ask(installation, "quicker", on="b", priority=90)

    installation.run_asked_cycles()
    assert where(installation, "j") == ("b", State.QUEUED)
    assert queued(installation, "b") == ["j"]

    installation.clock.advance(seconds=20)
    installation.finish("on-a")
    installation.run_asked_cycles()
    installation.sweep()
    installation.run_asked_cycles()
    assert started_on(installation, "j") == "a"


def test_jobs_without_alternatives_cost_no_look_elsewhere(installation: Installation) -> None:
    def reads(job_id: str) -> int:
        meter = Meter(installation)
        with meter.running():
            ask(installation, job_id)
        return int(meter.cost.reads)

    ask(installation, "waits")
    before = reads("without")
    ask(installation, "mover", alternatives=["b"])

    assert reads("beside") == before


def test_a_move_costs_a_bounded_number_of_calls(installation: Installation) -> None:
    installation.finish("on-b")
    installation.sweep()
    meter = Meter(installation)

    with meter.running():
        ask(installation, "j", alternatives=["b"])
        installation.run_asked_cycles()
    installation.finish_quietly("j")
    with meter.running():
        installation.deliver_log_lines()

    assert meter.cost.reads <= 20  # one of them of the learned run times
    assert meter.cost.writes <= 14
    assert meter.cost.vertex_calls <= 3
    assert meter.cost.messages == 1


# --- it is followed --------------------------------------------------------------------------------------


def test_every_step_of_a_move_is_announced(installation: Installation) -> None:
    installation.finish("on-b")
    ask(installation, "j", alternatives=["b"])
    installation.run_asked_cycles()
    installation.finish("j")

    told = installation.outcomes("j")
    assert [body["sequence"] for body in told] == [entry.sequence for entry in installation.job("j").history]
    assert [body.get("reason") for body in told][1] == "moved"
    assert told[-1]["persistent_resource"].endswith("/b")
    assert not installation.resource("a").unannounced
    assert not installation.resource("b").unannounced


def test_a_job_is_cancelled_where_it_went(installation: Installation) -> None:
    installation.finish("on-b")
    ask(installation, "j", alternatives=["b"])

    assert installation.command(kind="cancel", job_id="j")["result"] == "done"
    installation.run_asked_cycles()

    job = installation.job("j")
    assert (ResourceName.from_key(job.resource).id, job.outcome) == ("b", Outcome.CANCELLED)
    assert queued(installation, "b") == []


def test_a_move_while_a_cancel_is_on_its_way_does_not_save_the_job(installation: Installation) -> None:
    ask(installation, "j", alternatives=["b"])
    installation.finish("on-b")
    moving = _MovesAfterRead(installation, "j")
    system = installation.system
    installation.system = replace(system, documents=moving)

    result = installation.command(kind="cancel", job_id="j")

    installation.system = system
    assert (result["result"], result["message"]) == ("done", "cancelled; it will not run")
    assert moving.moved
    assert installation.job("j").outcome is Outcome.CANCELLED


class _MovesAfterRead:
    """Documents of a command: once it has read where the job is, the job goes elsewhere."""

    def __init__(self, installation: Installation, job_id: str) -> None:
        self._installation = installation
        self._path = f"jobs/research.{job_id}"
        self.moved = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._installation.documents, name)

    def read(self, paths: list[str]) -> Any:
        found = self._installation.documents.read(paths)
        if paths == [self._path] and not self.moved:
            self.moved = True
            here = self._installation
            asked = json.dumps({"resource": replace(here.name, id="a").full, "elsewhere": True}).encode()
            here.system = replace(here.system, documents=here.documents)
            swept.handle(here.system, here.delivery("sweeps", asked))
            assert where(here, self._path.rsplit(".", 1)[-1])[0] == "b"
        return found


def test_whoever_died_while_moving_a_job_lost_nothing(installing: Installing, demo_project: str) -> None:
    one = [pool(replicas=1)]
    here = installing(persistent_resources=resources(demo_project, a=one, b=one))
    fill(here, "a", "b")
    here.finish("on-b")
    for at in range(1, 30):
        for after_effect in (False, True):
            death = Death(at=at, after_effect=after_effect)
            job_id = f"j{at}-{after_effect:d}"
            body = request(job_id, alternatives=["b"], job_spec={"persistentResourceId": "a"})
            delivery = here.delivery("job-requests", json.dumps(body).encode())
            with suppress(Killed):
                job_requested.handle(mortal(here.system, death), delivery)
            if death.died:
                job_requested.handle(here.system, delivery)
            _until_it_runs(here, job_id)
            assert queued(here, "a") == queued(here, "b") == []
            here.finish(job_id)
            if not death.died:
                _everything_was_announced(here)
                return
    pytest.fail("a request took more than 30 calls")


def _until_it_runs(here: Installation, job_id: str) -> None:
    for _ in range(8):
        here.run_asked_cycles()
        if started_on(here, job_id) == "b":
            return
        here.clock.advance(minutes=4)  # past the time for which a lost answer is looked for
        here.sweep()
    pytest.fail(f"{job_id} is {where(here, job_id)}")


def _everything_was_announced(here: Installation) -> None:
    for _ in range(3):
        here.clock.advance(minutes=3)
        here.sweep()
    for body in {body["job_id"]: None for body in here.outcome_messages()}:
        said = {each["sequence"] for each in here.outcomes(body)}
        assert {entry.sequence for entry in here.job(body).history} <= said
