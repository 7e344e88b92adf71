"""A random life of one installation: whatever went wrong, in the end every job has ended, each once."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from handlers import job_requested
from poolqueue.ports import CustomJobState, VertexUnavailable
from poolqueue.records import queue_path, read_queue
from poolqueue.scheduling.jobs import State
from tests.support.faults import Death, Killed, mortal
from tests.support.installation import (
    GPU,
    LOCATION,
    SMALL,
    Installation,
    pool,
    request,
    worker_pool_spec,
)
from tests.support.soundness import check

STEPS = 60
CALM_SWEEPS = 60


class Weather:
    """One seeded life. A failure names its seed: run that test again."""

    def __init__(
        self, installation: Installation, seed: int, *, resources: tuple[str, ...] = ("shared",)
    ) -> None:
        self._installation = installation
        self._resources = resources
        self._chance = random.Random(seed)
        self._asked: list[str] = []
        self._delivered = []

    @property
    def jobs(self) -> list[str]:
        return self._asked

    def blow(self) -> None:
        acts: list[tuple[int, Callable[[], None]]] = [
            (10, self._ask),
            (8, self._end_one),
            (4, self._lose_a_line),
            (6, self._deliver_lines),
            (5, self._sweep),
            (4, self._time_passes),
            (3, self._cancel),
            (2, self._deliver_again),
            (3, self._spoil_creates),
            (2, self._drain_or_resume),
            (2, self._resize),
            (2, self._foreign_job),
            (3, self._die_while_asking),
            *([(6, self._run_asked_cycles)] if len(self._resources) > 1 else []),
        ]
        weights, choices = zip(*acts, strict=True)
        (act,) = self._chance.choices(choices, weights)
        act()

    def calm(self) -> None:
        """Nothing goes wrong any more, and every custom job ends."""
        here = self._installation
        here.stand_in.behave(errors=[], over_capacity="pend")
        for id_ in self._resources:
            here.command(kind="resume", persistent_resource=id_)
            for pool_id in ("small", "gpu"):
                here.stand_in.change_pools(resource=id_, resize={pool_id: 4})
        for _ in range(CALM_SWEEPS):
            here.clock.advance(minutes=3)
            here.sweep()
            here.run_asked_cycles()
            if all(here.job(each).state is State.ENDED for each in self._asked):
                return
            for custom_job in here.alive():
                if custom_job.state is CustomJobState.RUNNING:
                    here.end(custom_job.name)

    # --- what can happen

    def _ask(self) -> None:
        self._delivered.append(self._installation.ask(self._new_request()))

    def _new_request(self):
        job_id = f"j{len(self._asked)}"
        self._asked.append(job_id)
        specs = [worker_pool_spec(machine=self._chance.choice([SMALL, GPU]))]
        if self._chance.random() < 0.4:
            replicas = self._chance.randint(1, 2)
            specs.append(worker_pool_spec(machine=self._chance.choice([SMALL, GPU]), replicas=replicas))
        return request(job_id, *specs, priority=self._chance.randint(0, 100), **self._places())

    def _places(self) -> dict[str, Any]:
        """A home, and perhaps others in any order, some of them later."""
        home, *others = self._chance.sample(self._resources, len(self._resources))
        if not others or self._chance.random() < 0.2:
            return {"job_spec": {"persistentResourceId": home}}
        named = [*others, "any"][: self._chance.randint(1, len(others) + 1)]
        alternatives = [
            {"persistent_resource": each, "after": self._chance.choice([0, 0, 60, 600])} for each in named
        ]
        return {"job_spec": {"persistentResourceId": home}, "alternatives": alternatives}

    def _deliver_again(self) -> None:
        if self._delivered:
            job_requested.handle(self._installation.system, self._chance.choice(self._delivered))

    def _die_while_asking(self) -> None:
        death = Death(at=self._chance.randint(1, 16), after_effect=self._chance.random() < 0.5)
        body = self._new_request()
        delivery = self._installation.delivery("job-requests", json.dumps(body).encode())
        with suppress(Killed):
            job_requested.handle(mortal(self._installation.system, death), delivery)
        self._delivered.append(delivery)
        if death.died:
            job_requested.handle(self._installation.system, delivery)

    def _end_one(self) -> None:
        with suppress(VertexUnavailable):
            running = [each for each in self._installation.alive() if each.state is CustomJobState.RUNNING]
            if running:
                how = self._chance.choice(["SUCCEEDED", "FAILED"])
                self._installation.end(self._chance.choice(running).name, how)

    def _lose_a_line(self) -> None:
        lines = self._installation.log_lines
        if lines:
            lines.pop(self._chance.randrange(len(lines)))

    def _deliver_lines(self) -> None:
        self._chance.shuffle(self._installation.log_lines)
        self._installation.deliver_log_lines()

    def _sweep(self) -> None:
        self._installation.sweep()

    def _run_asked_cycles(self) -> None:
        self._installation.run_asked_cycles()

    def _time_passes(self) -> None:
        self._installation.clock.advance(seconds=self._chance.choice([5, 61, 200, 600]))

    def _cancel(self) -> None:
        if self._asked:
            self._installation.command(kind="cancel", job_id=self._chance.choice(self._asked))

    def _spoil_creates(self) -> None:
        error = {
            "method": self._chance.choice(
                ["CreateCustomJob", "CreateCustomJob", "GetCustomJob", "ListCustomJobs"]
            ),
            "status": self._chance.choice([429, 500, 503]),
            "count": self._chance.randint(1, 3),
            "after_effect": self._chance.random() < 0.5,
        }
        if error["status"] == 429:
            error["after_effect"] = False
        over_capacity = self._chance.choice(["pend", "reject", "fail"])
        self._installation.stand_in.behave(errors=[error], over_capacity=over_capacity)

    def _drain_or_resume(self) -> None:
        kind = self._chance.choice(["drain", "resume"])
        where = self._chance.choice(self._resources)
        self._installation.command(kind=kind, persistent_resource=where)

    def _resize(self) -> None:
        sizes = {self._chance.choice(["small", "gpu"]): self._chance.randint(1, 5)}
        self._installation.stand_in.change_pools(resource=self._chance.choice(self._resources), resize=sizes)

    def _foreign_job(self) -> None:
        body = request("foreign")["custom_job"]
        self._installation.system.submitter.create(self._installation.name.parent, body, timeout_seconds=20)


@pytest.mark.parametrize("seed", range(8))
def test_in_any_weather_every_job_ends_once(tmp_path: Path, demo_project: str, seed: int) -> None:
    pools = [pool(SMALL, 3, id="small"), pool(GPU, 3, id="gpu")]
    with Installation(tmp_path, demo_project, pools=pools) as installation:
        weather = Weather(installation, seed)
        installation.ask(request("first"))
        for _ in range(STEPS):
            weather.blow()
        weather.calm()

        states = {each: installation.states(each)[-5:] for each in weather.jobs}
        assert {last[-1] for last in states.values()} == {"ended"}, states
        check(installation, "first", *weather.jobs)


@pytest.mark.parametrize("seed", range(4))
def test_in_any_weather_a_job_with_alternatives_ends_once_and_waits_in_one_place(
    tmp_path: Path, demo_project: str, seed: int
) -> None:
    names = ("shared", "other", "third")
    pools = [pool(SMALL, 2, id="small"), pool(GPU, 2, id="gpu")]
    resources = [{"project": demo_project, "location": LOCATION, "id": id_, "pools": pools} for id_ in names]
    with Installation(tmp_path, demo_project, persistent_resources=resources) as installation:
        weather = Weather(installation, seed, resources=names)
        for id_ in names:
            installation.ask(request(f"first-on-{id_}", job_spec={"persistentResourceId": id_}))
        for _ in range(STEPS):
            weather.blow()
            _check_that_each_waits_in_one_place(installation, names)
        weather.calm()

        states = {each: installation.states(each)[-5:] for each in weather.jobs}
        assert {last[-1] for last in states.values()} == {"ended"}, states
        firsts = [f"first-on-{id_}" for id_ in names]
        check(installation, *firsts, *weather.jobs, on=names)


def _check_that_each_waits_in_one_place(installation: Installation, names: tuple[str, ...]) -> None:
    lines: list[str] = []
    for id_ in names:
        name = replace(installation.name, id=id_)
        fields = installation.documents.read([queue_path(name, 0)])[0].fields
        lines += [] if fields is None else read_queue([fields]).lines
    assert len(lines) == len(set(lines)), lines
