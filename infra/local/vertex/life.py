"""The life of custom jobs: from creation over waiting, preparing, running and tearing down to their end.

Choices where the service's behaviour is not documented:
- Jobs that wait for replicas get them in the order of creation; one that does not fit blocks no later one.
- A job past its `scheduling.timeout` ends as behaviour `timeout_state` says (default FAILED, error code 4).
- Any replica's exit other than 0 fails the job at once; restarts and retries are not simulated. The error's
  code is 3, as users report; exit code 137 is told as one of a program that ran out of memory.
- Whatever else a job may end with (an internal error, a code and text of one's own): behaviour `endings`.
- An image that nobody knows how to run fails the job (or leaves it PENDING: behaviour `unknown_image`).
- A job that is cancelled before it ran logs `Job cancelled.`, unless `log_lines.silent_if_never_started`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from infra.local.vertex import verdicts
from infra.local.vertex.custom_jobs import CustomJob, State
from infra.local.vertex.errors import ServiceError
from infra.local.vertex.logs import Line, Logs
from infra.local.vertex.pools import (
    Holding,
    PersistentResource,
    ResourceState,
    demands_journaled,
)
from infra.local.vertex.runs import ReplicaExit, Runs
from infra.local.vertex.verdicts import Verdict
from infra.local.vertex.world import World

_PREPARATION = (
    "Waiting for job to be provisioned.",
    (
        "Vertex AI is provisioning job running framework. First time usage might take couple of minutes, "
        "and subsequent runs can be much faster."
    ),
    "Vertex AI is setting up this job.",
    "Waiting for training program to start.",
    "Job is preparing.",
)
_LAST_WORDS = {
    State.SUCCEEDED: Line(text="Job completed successfully."),
    State.FAILED: Line(text="Job failed.", severity="ERROR"),
    State.CANCELLED: Line(text="Job cancelled."),
}


class Lives:
    """Moves every custom job on. Guarded by the timeline's lock."""

    def __init__(self, world: World, logs: Logs) -> None:
        self._world = world
        self._logs = logs
        self._waiting: dict[str, CustomJob] = {}
        self._verdicts: dict[str, Verdict] = {}
        self.runs = Runs(world, self._hear_exit)

    # --- creation and waiting ---

    def begin(self, job: CustomJob) -> None:
        """Raises ServiceError if the job does not fit and the service is to reject such jobs."""
        resource = self._world.resource_of(job)
        if resource is None:
            self._enter(job)
            self._prepare(job, grew=False)
        elif (holding := resource.placement(job.demands)) is not None:
            self._enter(job)
            self._take(job, resource, holding)
        else:
            self._begin_without_room(job, resource)

    def _begin_without_room(self, job: CustomJob, resource: PersistentResource) -> None:
        behaviour = self._world.misbehaviour.now.over_capacity
        if behaviour != "reject":
            self._enter(job)
        self._world.journal.write(
            "over_capacity",
            custom_job=None if behaviour == "reject" else job.id,
            **resource.key.journaled(),
            labels=dict(job.labels),
            demands=self._demands(job),
            free=resource.free(),
            behaviour=behaviour,
        )
        match behaviour:
            case "reject":
                raise ServiceError(
                    "RESOURCE_EXHAUSTED",
                    f"The persistent resource {resource.key.id} has not enough free replicas for this job.",
                )
            case "fail":
                self._move(job, State.PENDING)
                self._world.timeline.after(
                    self._world.settings.timings.pending_seconds, lambda: self._fail_for_room(job)
                )
            case "pend":
                self._waiting[job.id] = job
                if State(self._world.misbehaviour.now.waiting_state) is State.PENDING:
                    self._move(job, State.PENDING)

    def _fail_for_room(self, job: CustomJob) -> None:
        if job.state is State.PENDING:
            self.conclude(job, verdicts.without_room(job.location))

    def _enter(self, job: CustomJob) -> None:
        self._world.jobs[job.id] = job
        self._world.journal.write(
            "custom_job_created",
            custom_job=job.id,
            name=job.name,
            **_of_resource(job),
            display_name=job.display_name,
            labels=dict(job.labels),
            demands=self._demands(job),
        )
        self._move(job, State.QUEUED)

    def _demands(self, job: CustomJob) -> list[dict[str, Any]]:
        """By the first pool of each kind, since the replicas have no place yet."""
        resource = self._world.resource_of(job)
        if resource is None:
            return []
        placed: dict[str, int] = {}
        for demand in job.demands:
            pool = next(iter(resource.of_kind(demand.kind)), None)
            name = pool.id if pool else ""
            placed[name] = placed.get(name, 0) + demand.replicas
        return demands_journaled(placed)

    def place_waiting(self, resource: PersistentResource) -> None:
        if resource.state is not ResourceState.RUNNING:
            return
        for job in [each for each in self._waiting.values() if each.resource == resource.key]:
            holding = resource.placement(job.demands)
            if holding is not None:
                del self._waiting[job.id]
                self._take(job, resource, holding)

    def _take(self, job: CustomJob, resource: PersistentResource, holding: Holding) -> None:
        grew = resource.take(job.id, holding)
        self._world.journal.write(
            "replicas_taken",
            custom_job=job.id,
            **resource.key.journaled(),
            demands=demands_journaled(holding),
        )
        self._prepare(job, grew=grew)

    # --- preparing and running ---

    def _prepare(self, job: CustomJob, *, grew: bool) -> None:
        if job.state is not State.PENDING:
            self._move(job, State.PENDING)
        for text in _PREPARATION:
            self._logs.write(job, Line(text=text))
        timings = self._world.settings.timings
        seconds = timings.pending_seconds + (timings.scale_up_seconds if grew else 0.0)
        self._world.timeline.after(seconds, lambda: self._start(job))

    def _start(self, job: CustomJob) -> None:
        if job.state is not State.PENDING or self._concerns("stay_pending", job):
            return
        behaviour = self._world.misbehaviour.now
        image = self.runs.missing_entry_point(job) if behaviour.run_processes else None
        if image is not None:
            if behaviour.unknown_image == "fail":
                self.conclude(job, verdicts.without_image(image))
            return
        if self._ends_by_force(job, before_running=True):
            return
        self._move(job, State.RUNNING)
        self._logs.write(job, Line(text="Job is running."))
        if self._ends_by_force(job, before_running=False):
            return
        self._world.timeline.after(job.timeout_seconds, lambda: self._time_out(job))
        self.runs.start(job)
        if behaviour.run_processes:
            self._logs.follow(job)

    def _ends_by_force(self, job: CustomJob, *, before_running: bool) -> bool:
        misbehaviour = self._world.misbehaviour
        ending = misbehaviour.injected_ending(job.display_name, before_running=before_running)
        if ending is not None:
            self.conclude(job, verdicts.injected(ending))
        return ending is not None

    def _concerns(self, behaviour: str, job: CustomJob) -> bool:
        which = getattr(self._world.misbehaviour.now, behaviour)
        return which is not None and which.match(job.display_name)

    def _time_out(self, job: CustomJob) -> None:
        if job.state is State.RUNNING:
            self.conclude(job, verdicts.timed_out(State(self._world.misbehaviour.now.timeout_state)))

    # --- the end ---

    def cancel(self, job: CustomJob) -> None:
        """No effect on a job that has ended."""
        self._world.journal.write("cancel_requested", custom_job=job.id)
        if job.ended:
            return
        if job.state is not State.CANCELLING:
            self._move(job, State.CANCELLING)
        if not self._concerns("ignore_cancel", job):
            self.conclude(job, verdicts.CANCELLED)

    def finish(self, job: CustomJob, verdict: Verdict) -> None:
        """End a job by force; at once, if nothing of it runs."""
        self._verdicts[job.id] = verdict
        if self.runs.is_over(job.id):
            self._end(job)
        else:
            self.runs.end(job.id)

    def conclude(self, job: CustomJob, verdict: Verdict) -> None:
        """The first verdict stands; the job ends when its replicas have."""
        if job.ended or job.id in self._verdicts:
            return
        self._verdicts[job.id] = verdict
        self._waiting.pop(job.id, None)
        self.runs.end(job.id)
        if self.runs.is_over(job.id):
            self._tear_down(job)

    def _hear_exit(self, custom_job: str, ended: ReplicaExit) -> None:
        job = self._world.jobs[custom_job]
        code = ended.exit_code
        reason = "SUCCEEDED" if code == 0 else "FAILED"
        line = f"Task completed. Exit code ({code}). Exit reason ({reason})"
        self._logs.write(job, Line(text=line, task=ended.replica))
        if custom_job in self._verdicts:
            if self.runs.is_over(custom_job):
                self._tear_down(job)
        elif (ended.primary or code != 0) and not self._concerns("hang", job):
            self.conclude(job, verdicts.on_exit(ended))

    def _tear_down(self, job: CustomJob) -> None:
        self._logs.write(job, Line(text="Tearing down training program."))
        self._world.timeline.after(
            self._world.settings.timings.teardown_seconds, lambda: self._torn_down(job)
        )

    def _torn_down(self, job: CustomJob) -> None:
        if not job.ended:
            self._logs.write(job, Line(text="Finished tearing down training program."))
            self._end(job)

    def _end(self, job: CustomJob) -> None:
        verdict = self._verdicts.pop(job.id)
        never_started = job.phases[-1].started_at is None
        self._waiting.pop(job.id, None)
        self.runs.forget(job.id)
        self._move(job, verdict.state, error=verdict.error)
        self._say_last_words(job, never_started=never_started)
        self._release(job)

    def _say_last_words(self, job: CustomJob, *, never_started: bool) -> None:
        silent = never_started and self._world.misbehaviour.now.log_lines.silent_if_never_started
        if not silent and (line := _LAST_WORDS.get(job.state)):
            self._logs.write(job, line)

    def _release(self, job: CustomJob) -> None:
        resource = self._world.resource_of(job)
        if resource is None:
            return
        if holding := resource.release(job.id):
            self._world.journal.write(
                "replicas_released",
                custom_job=job.id,
                **resource.key.journaled(),
                demands=demands_journaled(holding),
            )
        self.place_waiting(resource)

    def _move(self, job: CustomJob, state: State, *, error: Mapping[str, Any] | None = None) -> None:
        before = job.state.value if job.phases else None
        job.move(state, error=error)
        self._world.journal.write(
            "custom_job_state", custom_job=job.id, before=before, state=state.value, error=error
        )


def _of_resource(job: CustomJob) -> dict[str, Any]:
    if job.resource is None:
        return {"resource": None, "project": job.project, "location": job.location}
    return job.resource.journaled()
