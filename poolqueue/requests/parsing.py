"""Parses one message of a job-requests topic: a job request, or all that is wrong with it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from poolqueue.requests.arrays import ArrayRequest, check_template
from poolqueue.requests.collecting import Problems
from poolqueue.requests.durations import whole_seconds
from poolqueue.requests.limits import MOST_WORKER_POOL_SPECS, check_limits
from poolqueue.requests.naming import ResourceName, is_id
from poolqueue.requests.normalising import known_spelling, normalised
from poolqueue.requests.places import Place, Places, read_places
from poolqueue.requests.reading import Unreadable, read_mapping
from poolqueue.requests.settings import DEFAULT_PRIORITY, SETTINGS, Settings, is_transports, read_settings
from poolqueue.requests.ties import Ties
from poolqueue.requests.wishes import Wishes
from poolqueue.scheduling.problems import Problem
from poolqueue.scheduling.programs import arguments_of, images_of
from poolqueue.scheduling.retries import Retries
from poolqueue.scheduling.specs import canonical_disk, canonical_machine


@dataclass(frozen=True, kw_only=True)
class WorkerPool:
    """One worker pool spec that is not empty; `machine` and `disk` are canonical strings."""

    index: int
    machine: str
    disk: str | None
    replicas: int


@dataclass(frozen=True, kw_only=True)
class JobRequest:
    """A well-formed request. `custom_job` is the REST body in camelCase, enums as names, int64 as strings.

    `persistent_resource` is None when it is to be chosen among all of `project` and `location`.
    `arguments` are those of all its programs, in order. With an `array` the custom job is a template: it has
    its placeholders, and so have its display name and arguments. `digest` is equal for equal content in
    whatever spelling; it leaves out `job_id`. `retries` is None for the team's.
    """

    job_id: str
    priority: int
    project: str
    location: str
    persistent_resource: str | None
    display_name: str
    custom_job: Mapping[str, Any]
    worker_pools: tuple[WorkerPool, ...]
    timeout_seconds: int | None
    service_account: str | None
    network: str | None
    images: tuple[str, ...]
    digest: str
    wishes: Wishes
    ties: Ties
    alternatives: tuple[Place, ...]
    arguments: tuple[str, ...]
    retries: Retries | None = None
    array: ArrayRequest | None = None


@dataclass(frozen=True, kw_only=True)
class BadRequest:
    """A message that becomes no job. `job_id` is None when the refusal cannot be attributed to a job.

    `worker_pools` are the worker pool specs that could be read, so that all that is wrong is told at once.
    """

    job_id: str | None
    persistent_resource: str | None
    digest: str
    problems: tuple[Problem, ...]
    worker_pools: tuple[WorkerPool, ...] = ()


def parse_request(
    data: bytes,
    attributes: Mapping[str, str],
    *,
    default_job_id: str,
    project: str,
    location: str,
    default_priority: int | None = None,
) -> JobRequest | BadRequest:
    """The job request in one Pub/Sub message, or all its problems; never an exception, whatever the bytes.

    `project` and `location` are the topic's; a `persistentResourceId` that is a full name overrides them.
    `default_job_id` names the job when the message does not, `default_priority` is its priority likewise.
    """
    problems = Problems()
    try:
        message = read_mapping(data)
    except Unreadable as error:
        problems.add("message", f"({len(data)} bytes)", error.problem, error.remedy)
        return _unreadable(data, attributes, problems)
    envelope, given = _opened(message)
    settings = read_settings(envelope, attributes, problems)
    job_id = _attributed(settings, envelope, attributes, default_job_id)
    custom_job = _custom_job(given, settings, job_id or default_job_id, problems)
    topics = ResourceName(id="", project=project, location=location)
    places = read_places(custom_job, settings.alternatives, topics, problems)
    if problems or places is None or job_id is None:
        return BadRequest(
            job_id=job_id,
            persistent_resource=places.home.id if places and places.home else None,
            digest=_digest_of_bytes(data, attributes),
            problems=tuple(problems.found),
            worker_pools=tuple(_readable_pools(custom_job, problems)),
        )
    return _job_request(
        job_id, settings, custom_job, places, topics=topics, default_priority=default_priority
    )


def _unreadable(data: bytes, attributes: Mapping[str, str], problems: Problems) -> BadRequest:
    job_id = attributes.get("job_id")
    return BadRequest(
        job_id=job_id if is_id(job_id) else None,
        persistent_resource=None,
        digest=_digest_of_bytes(data, attributes),
        problems=tuple(problems.found),
    )


# --- the three forms -------------------------------------------------------------------------------------


def _opened(message: Mapping[str, Any]) -> tuple[dict[str, Any], Any]:
    """The envelope's settings, and what stands where a custom job should."""
    keys = [key for key in ("custom_job", "customJob") if key in message]
    if keys or not is_bare(message):
        envelope = {key: value for key, value in message.items() if key not in keys[:1]}
        return envelope, message[keys[0]] if keys else None
    return {}, message


def is_bare(message: Mapping[str, Any]) -> bool:
    kinds = ("CustomJob", "CustomJobSpec")
    return any(known_spelling(kind, key) for kind in kinds for key in message if key not in SETTINGS)


def _custom_job(given: Any, settings: Settings, job_id: str, problems: Problems) -> dict[str, Any]:
    """The normalised REST body; a bare CustomJobSpec is put into a CustomJob."""
    if given is None:
        problems.add("custom_job", None, "is missing", "give a Vertex AI CustomJob")
        problems.only_news()
        return {}
    if _is_bare_spec(given):
        custom_job = {"jobSpec": normalised("CustomJobSpec", given, "custom_job.jobSpec", problems)}
    else:
        custom_job = normalised("CustomJob", given, "custom_job", problems)
    _name(custom_job, settings, job_id, problems)
    problems.only_news()
    if settings.array is None:
        check_limits(custom_job, problems)
    else:
        check_template(custom_job, settings.array, problems)
    return custom_job


def _is_bare_spec(given: Any) -> bool:
    if not isinstance(given, Mapping) or any(known_spelling("CustomJob", key) == "jobSpec" for key in given):
        return False
    return any(known_spelling("CustomJobSpec", key) for key in given)


def _name(custom_job: dict[str, Any], settings: Settings, job_id: str, problems: Problems) -> None:
    """A custom job without a display name takes the setting's, or its job id."""
    own = custom_job.get("displayName")
    if own and settings.display_name and own != settings.display_name:
        remedy = "give the display name in one place"
        problems.add("display_name", settings.display_name, "differs from custom_job.displayName", remedy)
    custom_job["displayName"] = own or settings.display_name or job_id


# --- the result ------------------------------------------------------------------------------------------


def _attributed(
    settings: Settings, envelope: Mapping[str, Any], attributes: Mapping[str, str], default_job_id: str
) -> str | None:
    """The job that a refusal would be recorded under; a malformed id of the publisher's is nobody's."""
    asked = envelope.get("job_id") is not None or "job_id" in attributes
    return settings.job_id if asked else default_job_id


def _job_request(
    job_id: str,
    settings: Settings,
    custom_job: Mapping[str, Any],
    places: Places,
    *,
    topics: ResourceName,
    default_priority: int | None,
) -> JobRequest:
    spec = custom_job["jobSpec"]
    home = places.home or topics
    priorities = (settings.priority, default_priority, DEFAULT_PRIORITY)
    timeout = spec.get("scheduling", {}).get("timeout")
    return JobRequest(
        job_id=job_id,
        priority=next(each for each in priorities if each is not None),
        project=home.project or "",
        location=home.location or "",
        persistent_resource=home.id or None,
        display_name=custom_job["displayName"],
        custom_job=custom_job,
        worker_pools=_worker_pools(spec["workerPoolSpecs"]),
        timeout_seconds=None if timeout is None else whole_seconds(timeout),
        service_account=spec.get("serviceAccount") or None,
        network=spec.get("network") or None,
        images=images_of(spec["workerPoolSpecs"]),
        digest=_digest(settings, home, places.alternatives, custom_job),
        wishes=settings.wishes,
        ties=settings.ties,
        alternatives=places.alternatives,
        array=settings.array,
        arguments=arguments_of(spec["workerPoolSpecs"]),
        retries=settings.retries,
    )


def _digest(
    settings: Settings, home: ResourceName, alternatives: tuple[Place, ...], custom_job: Mapping[str, Any]
) -> str:
    """Of a request without wishes, ties, alternatives and retries it is what it was before there were any."""
    priority = DEFAULT_PRIORITY if settings.priority is None else settings.priority
    content: list[Any] = [priority, home.project, home.location, custom_job]
    wishes: dict[str, Any] = {**settings.wishes.canonical(), **settings.ties.canonical()}
    if alternatives:
        wishes["alternatives"] = [place.canonical() for place in alternatives]
    if settings.array is not None:
        wishes["array"] = settings.array.canonical()
    if settings.retries is not None:
        wishes["retries"] = settings.retries.canonical()
    return _sha256(json.dumps([*content, wishes] if wishes else content, sort_keys=True).encode())


def _worker_pools(specs: list[Mapping[str, Any]]) -> tuple[WorkerPool, ...]:
    return tuple(
        WorkerPool(
            index=index,
            machine=canonical_machine(spec["machineSpec"]),
            disk=canonical_disk(spec.get("diskSpec", {})),
            replicas=int(spec["replicaCount"]),
        )
        for index, spec in enumerate(specs)
        if spec
    )


def _readable_pools(custom_job: Mapping[str, Any], problems: Problems) -> Iterator[WorkerPool]:
    """Of a custom job with problems, the worker pool specs whose machine and disk have none."""
    specs = custom_job.get("jobSpec", {}).get("workerPoolSpecs", [])
    for index, spec in enumerate(specs[:MOST_WORKER_POOL_SPECS]):
        place = f"custom_job.jobSpec.workerPoolSpecs[{index}]."
        wrong = (f"{place}machineSpec", f"{place}diskSpec")
        if "machineSpec" in spec and not any(each.path.startswith(wrong) for each in problems.found):
            yield WorkerPool(
                index=index,
                machine=canonical_machine(spec["machineSpec"]),
                disk=canonical_disk(spec.get("diskSpec", {})),
                replicas=max(1, int(spec.get("replicaCount", 1))),
            )


def _digest_of_bytes(data: bytes, attributes: Mapping[str, str]) -> str:
    own = {key: value for key, value in attributes.items() if not is_transports(key)}
    return _sha256(json.dumps(own, sort_keys=True).encode() + b"\n" + data)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
