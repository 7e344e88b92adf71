"""What runs for a custom job: its replicas as processes, or nothing but a clock.

With behaviour `run_processes: false` a job ends after STAND_IN_SECONDS (read from the `env` of its first
worker pool spec, else the label `stand_in_seconds`, else behaviour `simulated_seconds`; without any of them
only on command), with exit code STAND_IN_EXIT_CODE (from `env`, default 0).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.local.vertex import environment
from infra.local.vertex.custom_jobs import CustomJob
from infra.local.vertex.environment import Place
from infra.local.vertex.ports import Ports
from infra.local.vertex.replicas import ReplicaEnded, ReplicaEvent, ReplicaKey, Replicas, ReplicaStarted
from infra.local.vertex.world import World


@dataclass(frozen=True, kw_only=True)
class ReplicaExit:
    """How one replica ended; a simulated job has only a primary."""

    replica: str
    primary: bool
    exit_code: int


HearExit = Callable[[str, ReplicaExit], None]


@dataclass(kw_only=True)
class Run:
    """The replicas that may still be alive, by name."""

    places: Mapping[str, Place] = field(default_factory=dict)
    alive: set[str] = field(default_factory=set)


class Runs:
    """Guarded by the timeline's lock. `hear_exit(custom_job, exit)` is called under it."""

    def __init__(self, world: World, hear_exit: HearExit) -> None:
        self._world = world
        self._hear_exit = hear_exit
        self._runs: dict[str, Run] = {}
        self._ports = Ports()
        self._stopping = False
        self._replicas = Replicas(world.directory / "output", self._hear)

    def start_warden(self) -> None:
        self._replicas.start_warden()

    def stop(self) -> None:
        with self._world.timeline.lock:
            self._stopping = True
        self._replicas.stop()

    def missing_entry_point(self, job: CustomJob) -> str | None:
        """The image that nobody knows how to run, if there is one."""
        for spec in job.spec["workerPoolSpecs"]:
            if (
                int(spec.get("replicaCount", 0))
                and environment.entry_point(spec, self._world.settings.images) is None
            ):
                return str(environment.task_of(spec).get("imageUri", ""))
        return None

    def start(self, job: CustomJob) -> None:
        if self._world.misbehaviour.now.run_processes:
            self._start_processes(job)
        else:
            self._start_clock(job)

    def _start_clock(self, job: CustomJob) -> None:
        self._runs[job.id] = Run()
        seconds = simulated_seconds(job, default=self._world.misbehaviour.now.simulated_seconds)
        if seconds is not None:
            ended = ReplicaExit(replica="workerpool0-0", primary=True, exit_code=simulated_exit_code(job))
            self._world.timeline.after(seconds, lambda: self._tell(job.id, ended))

    def _tell(self, custom_job: str, ended: ReplicaExit) -> None:
        if custom_job in self._runs:
            self._hear_exit(custom_job, ended)

    def _start_processes(self, job: CustomJob) -> None:
        places = self._places(job)
        self._runs[job.id] = Run(
            places={place.replica: place for place in places}, alive={place.replica for place in places}
        )
        for place in places:
            self._start_replica(job, place, places)

    def _places(self, job: CustomJob) -> list[Place]:
        return [
            Place(worker_pool=worker_pool, index=index, port=self._ports.take())
            for worker_pool, spec in enumerate(job.spec["workerPoolSpecs"])
            for index in range(int(spec.get("replicaCount", 0)))
        ]

    def _start_replica(self, job: CustomJob, place: Place, places: Sequence[Place]) -> None:
        extra = dict(self._world.settings.environment)
        if self._world.settings.buckets:
            extra["STAND_IN_BUCKETS"] = str(self._world.settings.buckets.absolute())
        number = self._world.projects.number_of(job.project)
        variables = environment.variables(job, place, places, project_number=number, extra=extra)
        words = environment.entry_point(
            job.spec["workerPoolSpecs"][place.worker_pool], self._world.settings.images
        )
        argv = environment.command_line(words or [""], variables)
        directory = self._world.settings.working_directory or Path.cwd()
        self._replicas.start(_key(job.id, place.replica), argv, variables, directory)

    def is_over(self, custom_job: str) -> bool:
        run = self._runs.get(custom_job)
        return run is None or not run.alive

    def end(self, custom_job: str) -> None:
        """Ask all replicas to end, and make those that have not after the grace."""
        run = self._runs.get(custom_job)
        if run is None:
            return
        if not run.alive:
            self.forget(custom_job)
            return
        for replica in sorted(run.alive):
            self._replicas.terminate(_key(custom_job, replica))
        self._world.timeline.after(
            self._world.settings.timings.kill_grace_seconds, lambda: self._kill(custom_job)
        )

    def _kill(self, custom_job: str) -> None:
        if run := self._runs.get(custom_job):
            for replica in sorted(run.alive):
                self._replicas.kill(_key(custom_job, replica))

    def forget(self, custom_job: str) -> None:
        if run := self._runs.pop(custom_job, None):
            for place in run.places.values():
                self._ports.give_back(place.port)

    def _hear(self, event: ReplicaEvent) -> None:
        with self._world.timeline.lock:
            match event:
                case ReplicaStarted(key=key, pid=pid):
                    self._write("replica_started", key, pid=pid)
                case ReplicaEnded():
                    self._hear_end(event)

    def _write(self, event: str, key: ReplicaKey, **how: int) -> None:
        self._world.journal.write(event, custom_job=key.custom_job, replica=key.replica, **how)

    def _hear_end(self, event: ReplicaEnded) -> None:
        key = event.key
        how = {"exit_code": event.exit_code}
        if event.pid is None:
            self._write("replica_not_started", key, **how)
        else:
            self._write("replica_ended", key, pid=event.pid, **how)
        run = self._runs.get(key.custom_job)
        if run is None or self._stopping:
            return
        run.alive.discard(key.replica)
        primary = run.places[key.replica].primary
        ended = ReplicaExit(replica=key.replica, primary=primary, exit_code=event.exit_code)
        self._hear_exit(key.custom_job, ended)


def _key(custom_job: str, replica: str) -> ReplicaKey:
    return ReplicaKey(custom_job=custom_job, replica=replica)


def _own_env(job: CustomJob) -> dict[str, str]:
    task: Mapping[str, Any] = environment.task_of(job.spec["workerPoolSpecs"][0])
    return {each["name"]: each.get("value", "") for each in task.get("env", [])}


def simulated_seconds(job: CustomJob, *, default: float | None) -> float | None:
    given = _own_env(job).get("STAND_IN_SECONDS") or job.labels.get("stand_in_seconds")
    return default if given is None else float(given)


def simulated_exit_code(job: CustomJob) -> int:
    return int(_own_env(job).get("STAND_IN_EXIT_CODE", "0"))
