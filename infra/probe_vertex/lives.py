"""The questions about how custom jobs live and end; each makes one or two tiny ones."""

from __future__ import annotations

from infra.probe_vertex.subject import ENDED, LABEL, Subject, capacity, ending

RUNNING = "JOB_STATE_RUNNING"
_LONG = 600


class CreateRefused(Exception):
    """A custom job that a question needs was refused; its text is the answer then."""


def seen_in_listing(subject: Subject) -> str:
    """The time from the answer to a create until a listing by its label shows the custom job."""
    name = _created(subject, seconds=subject.pace.short_seconds)
    wanted = f"labels.{LABEL}={subject.run}"

    def listed() -> bool:
        answer = subject.wire.get("customJobs", filter=wanted, pageSize="100")
        return name in [job["name"] for job in answer.body.get("customJobs", [])]

    seconds = subject.wait(listed)
    subject.end(name)
    return "never within patience" if seconds is None else f"listed after {seconds} s"


def used_replicas_lag(subject: Subject) -> str:
    before = subject.used()
    name = _created(subject, seconds=_LONG)
    counted = subject.wait(lambda: subject.used() > before)
    state = subject.state(name)
    started = subject.wait_for(name, RUNNING, *ENDED)
    subject.end(name)
    released = subject.wait(lambda: subject.used() <= before)
    return (
        f"counted {_seconds(counted)} after the create, in state {state}; running {_seconds(started)} later; "
        f"no longer counted {_seconds(released)} after it was seen to have ended"
    )


def over_capacity(subject: Subject) -> str:
    """Fills the pool, then creates one custom job more, and lets the first go."""
    pool = subject.pool()
    free = capacity(pool) - subject.used()
    if free < 1:
        return "not asked: the pool is full of other people's custom jobs"
    filler = _created(subject, seconds=_LONG, replicas=free)
    subject.wait_for(filler, RUNNING, *ENDED)
    answer = subject.create(subject.body(seconds=subject.pace.short_seconds))
    if not answer.ok:
        subject.end(filler)
        return f"refused: {answer}"
    name = answer.body["name"]
    waiting = [str(answer.body.get("state")), subject.state(name)]
    subject.end(filler)
    seconds = subject.wait_for(name, *ENDED)
    return (
        f"accepted as {', then '.join(waiting)}; ended {_seconds(seconds)} after the release: "
        f"{ending(subject.ended(name))}"
    )


def cancelled_before_it_ran(subject: Subject) -> str:
    name = _created(subject, seconds=_LONG)
    return ending(subject.end(name))


def cancelled_while_running(subject: Subject) -> str:
    name = _created(subject, seconds=_LONG)
    subject.wait_for(name, RUNNING, *ENDED)
    ended = ending(subject.end(name))
    return f"{ended}; cancelled once more: {subject.wire.post(f'{name}:cancel')}"


def exit_code(subject: Subject) -> str:
    name = _created(subject, seconds=1, exit_code=3)
    subject.wait_for(name, *ENDED)
    return ending(subject.ended(name))


def timeout(subject: Subject) -> str:
    body = subject.body(seconds=_LONG)
    body["jobSpec"]["scheduling"]["timeout"] = f"{subject.pace.short_seconds}s"
    answer = subject.create(body)
    if not answer.ok:
        return f"refused: {answer}"
    subject.wait_for(answer.body["name"], *ENDED)
    return ending(subject.end(answer.body["name"]))


def service_lines(subject: Subject) -> str:
    """Asked last: what Cloud Logging has of the custom jobs that ended before."""
    numbers = " OR ".join(f'"{number}"' for number in subject.ended_numbers)
    of_service = 'resource.type="ml_job" AND resource.labels.task_name="service"'
    if not subject.ended_numbers:
        return "not asked: no custom job has ended"
    if not subject.wire.is_live:
        return "not asked: a stand-in has no Cloud Logging"
    project = subject.wire.parent.split("/")[1]
    answer = subject.wire.log_entries(project, f"{of_service} AND resource.labels.job_id=({numbers})")
    return f"{answer}; {[_shape(entry) for entry in answer.body.get('entries', [])]}"


def _shape(entry: dict[str, object]) -> dict[str, object]:
    return {key: entry.get(key) for key in ("textPayload", "jsonPayload", "resource", "labels", "logName")}


def _created(subject: Subject, *, seconds: int, replicas: int = 1, exit_code: int = 0) -> str:
    answer = subject.create(subject.body(seconds=seconds, replicas=replicas, exit_code=exit_code))
    if not answer.ok:
        raise CreateRefused(str(answer))
    return str(answer.body["name"])


def _seconds(value: float | None) -> str:
    return "not within patience" if value is None else f"{value} s"
