"""A random life of one installation: whatever went wrong, in the end every job has ended, each once."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest

from handlers import job_requested
from infra.local.checker import check_journal
from infra.local.checker.entries import entries_of
from infra.local.checker.lives import lives_of
from poolqueue.ports import CustomJobState, VertexUnavailable, labelled_job_id
from poolqueue.records import queue_path, read_queue
from poolqueue.scheduling.arrays import member_id, numbers_of
from poolqueue.scheduling.jobs import Job, Reason, State
from poolqueue.scheduling.retries import charged
from poolqueue.scheduling.serial_keys import Serial
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
MOST_PREEMPTIONS = 2
TOPICS = {"research": "job-requests", "vision": "job-requests.vision"}
SETTINGS = {
    "teams": [
        {"name": team, "topics": [topic], "weight": weight}
        for weight, (team, topic) in enumerate(TOPICS.items(), start=1)
    ],
    "pacing": {"creates_per_minute": 10_000},
    "resource_defaults": {
        "preemption": "higher",
        "max_preemptions": MOST_PREEMPTIONS,
        "quotas": {
            "vision": {"small": {"guaranteed": 2, "maximum": 3}, "gpu": {"guaranteed": 1, "lends": False}},
            "research": {"small": {"guaranteed": 1}},
        },
    },
}
A_WEEK = "604800s"
EXITED = "The replica workerpool0-0 exited with a non-zero status of"
ERRORS: list[dict[str, Any]] = [
    {},
    *({"error": {"code": 3, "message": f"{EXITED} {code}."}} for code in (1, 2, 137)),
    {"error": {"code": 3, "message": "The image could not be pulled."}},
    {"error": {"code": 13, "message": "Internal error occurred for the current attempt"}},
]


class Weather:
    """One seeded life. A failure names its seed: run that test again."""

    def __init__(
        self, installation: Installation, seed: int, *, resources: tuple[str, ...] = ("shared",)
    ) -> None:
        self._installation = installation
        self._resources = resources
        self._chance = random.Random(seed)
        self._asked: dict[str, str] = {}
        self._delivered = []

    @property
    def teams(self) -> dict[str, str]:
        """The team of every job, members of arrays among them."""
        found = dict(self._asked)
        for job_id, team in self._asked.items():
            array = self.job(job_id).array
            numbers = [] if array is None else numbers_of(array.apart)
            found |= {member_id(job_id, n): team for n in numbers}
        return found

    def job(self, job_id: str) -> Job:
        return self._installation.job(job_id, team=self._asked[job_id.partition(".")[0]])

    def blow(self) -> None:
        acts: list[tuple[int, Callable[[], None]]] = [
            (10, self._ask),
            (14, self._end_one),
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
            if all(self.job(each).state is State.ENDED for each in self._asked) and not here.alive():
                return
            for custom_job in here.alive():
                if custom_job.state is CustomJobState.RUNNING:
                    here.end(custom_job.name)

    # --- what can happen

    def _ask(self) -> None:
        topic, body = self._new_request()
        self._delivered.append(self._installation.ask(body, topic=topic))

    def _new_request(self) -> tuple[str, dict[str, Any]]:
        job_id = f"j{len(self._asked)}"
        self._asked[job_id] = self._chance.choice([*TOPICS])
        specs = [worker_pool_spec(machine=self._chance.choice([SMALL, GPU]))]
        if self._chance.random() < 0.4:
            replicas = self._chance.randint(1, 2)
            specs.append(worker_pool_spec(machine=self._chance.choice([SMALL, GPU]), replicas=replicas))
        body = request(job_id, *specs, priority=self._chance.randint(0, 100), **self._settings())
        return TOPICS[self._asked[job_id]], body

    def _settings(self) -> dict[str, Any]:
        places, wishes = self._places(), self._wishes()
        places |= self._serial_key() | self._dependencies()
        places |= self._array(may_be_limited=not {"alternatives", "serial_key"} <= places.keys())
        job_spec = {**places["job_spec"], **wishes.get("job_spec", {})}
        return {**places, **wishes, **self._retries(), "job_spec": job_spec}

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

    def _serial_key(self) -> dict[str, Any]:
        """Mostly none; those who share one do not agree on its limit."""
        if self._chance.random() < 0.6:
            return {}
        return {"serial_key": self._chance.choice("kl"), "serial_limit": self._chance.choice([1, 1, 2])}

    def _array(self, *, may_be_limited: bool) -> dict[str, Any]:
        """Mostly none; some with a maximum."""
        if self._chance.random() < 0.7:
            return {}
        most: dict[str, int] = {}
        if may_be_limited and self._chance.random() < 0.5:
            most = {"max_parallel": self._chance.randint(1, 2)}
        return {"array": {"size": self._chance.randint(1, 5), **most}}

    def _retries(self) -> dict[str, Any]:
        """Mostly with rules; a pool that a rule names may be too small by the time, or on no resource."""
        attempts = self._chance.randint(2, 4)
        rules = [
            {"exit_code": 137, "pool": self._chance.choice(["small", "gpu"])},
            {"error": "INVALID_ARGUMENT", "retry": "never"},
            {"exit_code": [1, 2], "retry": self._chance.randint(0, attempts - 1), "backoff": "1m"},
            {"outcome": ["failed", "expired"]},
        ]
        self._chance.shuffle(rules)
        said = {"attempts": attempts, "infrastructure": self._chance.randint(0, 2), "backoff": "20s"}
        some = {"rules": rules[: self._chance.randint(1, 4)]} if self._chance.random() < 0.6 else {}
        return {"retries": {**said, **some}} if self._chance.random() < 0.9 else {}

    def _dependencies(self) -> dict[str, Any]:
        """Mostly none; else one or two of the latest of its team, which may have ended."""
        team = [*self._asked.values()][-1]
        known = [job_id for job_id, its in [*self._asked.items()][:-1] if its == team][-8:]
        if len(known) < 2 or self._chance.random() < 0.7:
            return {}
        chosen = self._chance.sample(known, self._chance.randint(1, 2))
        return {
            "depends_on": [
                {"job_id": each, "after": self._chance.choice(["success", "failure", "end"])}
                for each in chosen
            ],
            "on_failed_dependency": self._chance.choice(["end", "release"]),
        }

    def _wishes(self) -> dict[str, Any]:
        """Mostly none. The longest `min_run` is longer than such a life."""
        minutes = self._chance.randint(1, 60)
        at = (self._installation.clock() + timedelta(minutes=minutes)).isoformat()
        wishes = [
            {"not_before": at},
            {"deadline": at},
            {"max_wait": f"{minutes}m"},
            {"max_preemptions": self._chance.randint(0, 1)},
            {"expected_run": f"{minutes}m"},
            {"min_run": "6d", "job_spec": {"scheduling": {"timeout": A_WEEK}}},
            {"job_spec": {"scheduling": {"timeout": f"{60 * minutes}s"}}},
        ]
        return self._chance.choice(wishes) if self._chance.random() < 0.6 else {}

    def _deliver_again(self) -> None:
        if self._delivered:
            job_requested.handle(self._installation.system, self._chance.choice(self._delivered))

    def _die_while_asking(self) -> None:
        death = Death(at=self._chance.randint(1, 16), after_effect=self._chance.random() < 0.5)
        topic, body = self._new_request()
        delivery = self._installation.delivery(topic, json.dumps(body).encode())
        with suppress(Killed):
            job_requested.handle(mortal(self._installation.system, death), delivery)
        self._delivered.append(delivery)
        if death.died:
            job_requested.handle(self._installation.system, delivery)

    def _end_one(self) -> None:
        with suppress(VertexUnavailable):
            running = [each for each in self._installation.alive() if each.state is CustomJobState.RUNNING]
            if running:
                how, error = self._chance.choice([("SUCCEEDED", {}), *(("FAILED", each) for each in ERRORS)])
                self._installation.end(self._chance.choice(running).name, how, **error)

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
            job_id = self._chance.choice([*self._asked])
            array, team = self.job(job_id).array, self._asked[job_id]
            if array is not None and self._chance.random() < 0.7:
                job_id = member_id(job_id, self._chance.randrange(array.size))
            self._installation.command(kind="cancel", job_id=job_id, team=team)

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


@pytest.mark.parametrize("seed", range(5))
def test_in_any_weather_every_job_ends_once(tmp_path: Path, demo_project: str, seed: int) -> None:
    pools = [pool(SMALL, 3, id="small"), pool(GPU, 3, id="gpu")]
    with Installation(tmp_path, demo_project, pools=pools, settings=SETTINGS) as installation:
        weather = Weather(installation, seed)
        installation.ask(request("first"))
        for _ in range(STEPS):
            weather.blow()
        weather.calm()

        see_that_all_is_well(installation, weather, "first")


@pytest.mark.parametrize("seed", range(3))
def test_in_any_weather_a_job_with_alternatives_ends_once_and_waits_in_one_place(
    tmp_path: Path, demo_project: str, seed: int
) -> None:
    names = ("shared", "other", "third")
    pools = [pool(SMALL, 2, id="small"), pool(GPU, 2, id="gpu")]
    resources = [{"project": demo_project, "location": LOCATION, "id": id_, "pools": pools} for id_ in names]
    with Installation(
        tmp_path, demo_project, persistent_resources=resources, settings=SETTINGS
    ) as installation:
        weather = Weather(installation, seed, resources=names)
        for id_ in names:
            installation.ask(request(f"first-on-{id_}", job_spec={"persistentResourceId": id_}))
        for _ in range(STEPS):
            weather.blow()
            _check_that_each_waits_in_one_place(installation, names)
        weather.calm()

        firsts = [f"first-on-{id_}" for id_ in names]
        see_that_all_is_well(installation, weather, *firsts, on=names)


def _check_that_each_waits_in_one_place(installation: Installation, names: tuple[str, ...]) -> None:
    lines: list[str] = []
    for id_ in names:
        name = replace(installation.name, id=id_)
        fields = installation.documents.read([queue_path(name, 0)])[0].fields
        lines += [] if fields is None else read_queue([fields]).lines
    assert len(lines) == len(set(lines)), lines


def no_more_of_a_key_ran_than_may(installation: Installation, weather: Weather) -> None:
    """As Vertex AI itself had it: never more at a time than the smallest limit of those allows."""
    happenings: list[tuple[int, str, tuple[str, Serial] | None]] = []
    teams = weather.teams
    for life in lives_of(entries_of(installation.stand_in.journal())).by_number.values():
        job_id = labelled_job_id(life.labels)
        serial = weather.job(job_id).serial if job_id in teams else None
        if serial is not None and life.ended_on is not None:
            happenings.append((life.created_on, life.custom_job, (teams[job_id], serial)))
            happenings.append((life.ended_on, life.custom_job, None))
    at_work: dict[str, tuple[str, Serial]] = {}
    for _, number, whose in sorted(happenings, key=itemgetter(0)):
        if whose is None:
            del at_work[number]
        else:
            at_work[number] = whose
        for team, key in {(team, serial.key) for team, serial in at_work.values()}:
            limits = [each.limit for its, each in at_work.values() if (its, each.key) == (team, key)]
            assert len(limits) <= min(limits), (team, key, limits)


def see_that_all_is_well(
    installation: Installation, weather: Weather, *firsts: str, on: tuple[str, ...] = ("shared",)
) -> None:
    jobs = {job_id: weather.job(job_id) for job_id in weather.teams}
    assert {job.state for job in jobs.values()} == {State.ENDED}, jobs
    assert not any(installation.resource(id_).unsettled for id_ in on)
    check(installation, *firsts, teams=weather.teams, on=on)
    check_journal(installation.stand_in.journal(), allow_over_capacity=True).assert_nothing_found()
    no_more_of_a_key_ran_than_may(installation, weather)
    for job in jobs.values():
        an_array_knows_how_its_members_ended(job, jobs)
        nobody_was_preempted_who_must_not_be(job)
        no_budget_was_exceeded(job)


def an_array_knows_how_its_members_ended(job: Job, jobs: dict[str, Job]) -> None:
    if job.array is None:
        return
    assert job.array.is_over, job
    for number in numbers_of(job.array.apart):
        outcome = jobs[member_id(job.job_id, number)].outcome
        assert outcome is not None
        assert job.array.ended[outcome] >> number & 1, (job, number, outcome)


def no_budget_was_exceeded(job: Job) -> None:
    """Each failure is of an attempt of its own, and was followed by a retry unless it was the last."""
    attempts = [failure.attempt for failure in job.failures]
    assert attempts == sorted(set(attempts)), job
    assert charged(job.failures) <= max(1, job.retries.attempts), job
    assert sum(not failure.is_charged for failure in job.failures) <= job.retries.infrastructure + 1, job
    retried = [entry.attempt for entry in job.history if entry.reason is Reason.RETRIED]
    ended_it = bool(attempts) and attempts[-1] == job.attempt and attempts[-1] not in retried
    assert retried == (attempts[:-1] if ended_it else attempts), job


def nobody_was_preempted_who_must_not_be(job: Job) -> None:
    most = MOST_PREEMPTIONS if job.max_preemptions is None else min(MOST_PREEMPTIONS, job.max_preemptions)
    told = [entry for entry in job.history if entry.reason is Reason.PREEMPTED]
    requeued = sum(entry.state is State.QUEUED for entry in told)
    assert requeued == job.preemptions <= most, job
    assert not (told and job.min_run), job
