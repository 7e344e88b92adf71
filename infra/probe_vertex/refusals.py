"""The questions about refusals; what is accepted against expectation is ended and removed."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from infra.probe_vertex.subject import Subject, ending

_BURST = 80


def missing_resource(subject: Subject) -> str:
    body = subject.body(seconds=1)
    body["jobSpec"]["persistentResourceId"] = "pool-queue-probe-nobody"
    return _refusal(subject, body)


def other_machine(subject: Subject) -> str:
    return _refusal(subject, _with_spec(subject, "machineSpec", {"machineType": "e2-standard-4"}))


def other_disk(subject: Subject) -> str:
    disk = {"bootDiskType": "pd-standard", "bootDiskSizeGb": 123}
    return _refusal(subject, _with_spec(subject, "diskSpec", disk))


def no_disk(subject: Subject) -> str:
    body = subject.body(seconds=1)
    for spec in body["jobSpec"]["workerPoolSpecs"]:
        spec.pop("diskSpec")
    return _refusal(subject, body)


def own_service_account(subject: Subject) -> str:
    body = subject.body(seconds=1)
    project = subject.wire.parent.split("/")[1]
    body["jobSpec"]["serviceAccount"] = f"pool-queue-probe-nobody@{project}.iam.gserviceaccount.com"
    return _refusal(subject, body)


def resource_not_running(subject: Subject) -> str:
    state = subject.resource().get("state")
    if state == "RUNNING":
        return "not asked: the resource is RUNNING; run this again while it reboots or is provisioned"
    return f"in state {state}: {_refusal(subject, subject.body(seconds=1))}"


def request_rate(subject: Subject) -> str:
    """Creates that are invalid, so that nothing is made; they may still count against the limit."""
    answers = []
    for _ in range(_BURST):
        answers.append(subject.create({"displayName": ""}))
        if answers[-1].http_status == HTTPStatus.TOO_MANY_REQUESTS:
            break
    return f"after {len(answers)} creates: {answers[-1]}"


def _with_spec(subject: Subject, key: str, value: Mapping[str, Any]) -> dict[str, Any]:
    body = subject.body(seconds=1)
    body["jobSpec"]["workerPoolSpecs"] = [{**spec, key: value} for spec in body["jobSpec"]["workerPoolSpecs"]]
    return body


def _refusal(subject: Subject, body: Mapping[str, Any]) -> str:
    answer = subject.create(body)
    if not answer.ok:
        return str(answer)
    return f"accepted; {ending(subject.end(answer.body['name']))}"
