"""What a create call is checked for, all findings at once, and the demands that follow from it.

Texts of the service are not known for most findings; those here are plainly our own, in its form.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from infra.local.vertex.environment import task_of
from infra.local.vertex.errors import Violation, found_errors
from infra.local.vertex.pools import Demand, PersistentResource
from infra.local.vertex.wire import disk_spec

_DISPLAY_NAME_MOST = 128
_LABELS_MOST = 64
_ENV_MOST = 100
_ARGUMENT_CHARACTERS_MOST = 100_000
_WORKER_POOL_SPECS_MOST = 4
_LABEL_KEY = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_LABEL_VALUE = re.compile(r"[a-z0-9_-]{0,63}")
_LABELS_MESSAGE = (
    "There can be no more than 64 labels attached to a single resource. Label keys and values can only "
    "contain lowercase letters, numbers, dashes and underscores. Label keys must start with a letter or "
    "number, must be less than 64 characters in length, and must be less that 128 bytes in length when "
    "encoded in UTF-8. Label values must be less than 64 characters in length, and must be less that 128 "
    "bytes in length when encoded in UTF-8."
)
_SPECS = "custom_job.job_spec.worker_pool_specs"

Json = Mapping[str, Any]


def check_custom_job(body: Json) -> None:
    """Raises ServiceError with every finding that does not depend on a persistent resource."""
    specs = body.get("jobSpec", {}).get("workerPoolSpecs", [])
    findings = [*_about_the_job(body), *_about_the_specs(specs)]
    if findings:
        raise found_errors(findings)


def demands(specs: Sequence[Json], resource: PersistentResource) -> tuple[Demand, ...]:
    """Raises ServiceError if a worker pool spec matches no pool, or asks for more than there can ever be."""
    found: dict[str, Demand] = {}
    findings = []
    for number, spec in enumerate(specs):
        replicas = int(spec.get("replicaCount", 0))
        if not replicas:
            continue
        machine, disk = spec.get("machineSpec", {}), spec.get("diskSpec")
        kind = resource.kind_of(machine, disk_spec(disk) if disk else None)
        if kind is None:
            findings.append(_no_pool(number, resource))
            continue
        first = resource.of_kind(kind)[0].id
        before = found[first].replicas if first in found else 0
        found[first] = Demand(kind=kind, replicas=before + replicas)
        if found[first].replicas > resource.maximum(kind):
            findings.append(_too_many(number, resource.maximum(kind)))
    if findings:
        raise found_errors(findings)
    return tuple(found.values())


def _no_pool(number: int, resource: PersistentResource) -> Violation:
    message = (
        f"No resource pool of persistent resource {resource.key.id} has this machine_spec and disk_spec."
    )
    return Violation(field=f"{_SPECS}[{number}]", message=message)


def _too_many(number: int, most: int) -> Violation:
    message = f"replica_count is more than the {most} replicas that the resource pool can have."
    return Violation(field=f"{_SPECS}[{number}].replica_count", message=message)


def _about_the_job(body: Json) -> Iterator[Violation]:
    name = body.get("displayName", "")
    if not name:
        yield Violation(field="custom_job.display_name", message="Required field is not set.")
    if len(name) > _DISPLAY_NAME_MOST:
        yield Violation(
            field="custom_job.display_name",
            message="The display name should be less than or equal to 128 characters.",
        )
    if not valid_labels(body.get("labels", {})):
        yield Violation(field="custom_job.labels", message=_LABELS_MESSAGE)


def valid_labels(labels: Mapping[str, str]) -> bool:
    well_formed = all(_LABEL_KEY.fullmatch(key) and _LABEL_VALUE.fullmatch(labels[key]) for key in labels)
    return len(labels) <= _LABELS_MOST and well_formed


def _about_the_specs(specs: Sequence[Json]) -> Iterator[Violation]:
    if not specs:
        yield Violation(field=_SPECS, message="Required field is not set.")
        return
    if len(specs) > _WORKER_POOL_SPECS_MOST:
        yield Violation(
            field=_SPECS, message=f"At most {_WORKER_POOL_SPECS_MOST} worker pools are supported."
        )
    if int(specs[0].get("replicaCount", 0)) != 1:
        yield Violation(
            field=f"{_SPECS}[0].replica_count",
            message="The replica count of the first worker pool must be 1.",
        )
    for number, spec in enumerate(specs):
        if number == 0 or spec:
            yield from _about_a_spec(f"{_SPECS}[{number}]", spec)


def _about_a_spec(path: str, spec: Json) -> Iterator[Violation]:
    task = task_of(spec)
    if not spec.get("machineSpec", {}).get("machineType"):
        yield Violation(field=f"{path}.machine_spec.machine_type", message="Required field is not set.")
    if not (task.get("imageUri") or task.get("pythonModule")):
        yield Violation(field=f"{path}.task", message="Required field is not set.")
    if len(task.get("env", [])) > _ENV_MOST:
        yield Violation(field=f"{path}.env", message=f"The maximum number of variables is {_ENV_MOST}.")
    if sum(map(len, task.get("args", []))) > _ARGUMENT_CHARACTERS_MOST:
        yield Violation(
            field=f"{path}.args", message="The arguments have more than 100,000 characters together."
        )
    if not all(each.get("name") for each in task.get("env", [])):
        yield Violation(field=f"{path}.env", message="Every environment variable needs a name.")
