from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import jsonschema
import pytest

from infra.tools.generate_schemas import TARGET, schemas
from poolqueue.messages import (
    BadRequest,
    Command,
    JobRequest,
    Problem,
    outcome_message,
    parse_command,
)
from tests.unit.messages.building import PACKAGE, custom_job, parse, with_container, worker_pool_spec
from tests.unit.messages.test_commands import CANCEL, DRAIN
from tests.unit.messages.test_limits import packaged
from tests.unit.messages.test_outcomes import AT
from tests.unit.messages.test_requests import SNAKE


@cache
def validator(schema: str) -> jsonschema.Draft202012Validator:
    text = json.loads((TARGET / schema).read_text())
    jsonschema.Draft202012Validator.check_schema(text)
    return jsonschema.Draft202012Validator(text)


def is_valid(schema: str, message: object) -> bool:
    return validator(schema).is_valid(message)


def test_the_schemas_in_the_repository_are_what_the_generator_writes() -> None:
    written = {file.name: file.read_text() for file in TARGET.glob("*.json")}

    assert written == schemas(), "run python -m infra.tools.generate_schemas"


@pytest.mark.parametrize("schema", sorted(schemas()))
def test_every_field_says_what_it_means_and_every_schema_has_its_name(schema: str) -> None:
    """It is what an editor shows beside a field."""
    content = json.loads((TARGET / schema).read_text())

    assert content["$id"] == f"urn:pool-queue:{schema.removesuffix('.json')}"
    assert [path for path, field in fields(content) if not field.get("description")] == []


def fields(schema: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Each property that is declared, in whatever depth; conditions on properties declare none."""
    if isinstance(schema, list):
        for index, each in enumerate(schema):
            yield from fields(each, f"{path}[{index}]")
    if isinstance(schema, dict):
        is_declaration = "properties" in schema and schema.get("additionalProperties") is not True
        if is_declaration and "type" in schema:
            yield from ((f"{path}.{name}", each) for name, each in schema["properties"].items())
        for name, each in schema.items():
            yield from fields(each, f"{path}.{name}")


HOMELESS = custom_job()
del HOMELESS["jobSpec"]["persistentResourceId"]
VALID: list[dict[str, Any]] = [
    custom_job(),
    SNAKE,
    custom_job()["jobSpec"],
    {"custom_job": custom_job()},
    {"job_id": "j", "priority": 0, "display_name": "resnet", "custom_job": SNAKE["job_spec"]},
    custom_job(workerPoolSpecs=worker_pool_spec()),
    custom_job(workerPoolSpecs=[worker_pool_spec(), {}, worker_pool_spec(replicaCount="4")]),
    custom_job(persistentResourceId="projects/p/locations/l/persistentResources/gpu-a"),
    custom_job(scheduling={"timeout": "3600.5s", "strategy": 4, "maxWaitDuration": "0s"}),
    custom_job(workerPoolSpecs=[worker_pool_spec(diskSpec={"bootDiskSizeGb": 200})]),
    packaged(),
    with_container(env=[{"name": "A", "value": ""}]),
    {**custom_job(), "labels": {"a": "", "b-c_1": "d"}},
    {"expected_run": "2h", "min_run": 0, "max_preemptions": 0, "custom_job": custom_job()},
    {"not_before": "2026-11-23T18:00:00Z", "deadline": "2026-11-24T07:00:00.5+01:00", "custom_job": SNAKE},
    {"max_wait": 0.5, "alternatives": [], "custom_job": custom_job()["jobSpec"]},
    {"alternatives": ["b", {"persistent_resource": "any", "after": "30m"}], "custom_job": custom_job()},
    {"alternatives": [{"persistent_resource": "b", "after": 0}], "custom_job": HOMELESS},
    {"alternatives": ["b"], "custom_job": HOMELESS["jobSpec"]},
    {"alternatives": ["any"], "custom_job": HOMELESS},
    {"serial_key": "models/ResNet-50@v2", "custom_job": custom_job()},
    {"serial_key": "k", "serial_limit": 1_000, "custom_job": custom_job()},
    {"depends_on": ["a", {"job_id": "b", "after": "end"}, {"job_id": "c"}], "custom_job": custom_job()},
    {"depends_on": ["a"], "on_failed_dependency": "release", "custom_job": custom_job()},
]

INVALID: list[dict[str, Any]] = [
    {},
    {"job_id": "j"},
    {"job_id": "J", "custom_job": custom_job()},
    {"priority": 101, "custom_job": custom_job()},
    {"retries": 3, "custom_job": custom_job()},
    {**custom_job(), "state": "JOB_STATE_PENDING"},
    HOMELESS,
    HOMELESS["jobSpec"],
    {"custom_job": HOMELESS},
    {"alternatives": [], "custom_job": HOMELESS},
    {"alternatives": "any", "custom_job": custom_job()},
    {"alternatives": ["b"] * 11, "custom_job": custom_job()},
    {"alternatives": ["B"], "custom_job": custom_job()},
    {"alternatives": [{"after": "30m"}], "custom_job": custom_job()},
    {"alternatives": [{"persistent_resource": "b", "before": 1}], "custom_job": custom_job()},
    {"alternatives": [{"persistent_resource": "b", "after": -1}], "custom_job": custom_job()},
    {"expected_run": 0, "custom_job": custom_job()},
    {"expected_run": "0m", "custom_job": custom_job()},
    {"expected_run": "soon", "custom_job": custom_job()},
    {"min_run": -1, "custom_job": custom_job()},
    {"max_wait": 367 * 86_400, "custom_job": custom_job()},
    {"max_preemptions": -1, "custom_job": custom_job()},
    {"max_preemptions": "many", "custom_job": custom_job()},
    {"serial_key": "", "custom_job": custom_job()},
    {"depends_on": "a", "custom_job": custom_job()},
    {"depends_on": [], "custom_job": custom_job()},
    {"depends_on": ["A"], "custom_job": custom_job()},
    {"depends_on": [{"after": "end"}], "custom_job": custom_job()},
    {"depends_on": [{"job_id": "a", "after": "start"}], "custom_job": custom_job()},
    {"depends_on": [{"job_id": "a", "of": "end"}], "custom_job": custom_job()},
    {"depends_on": ["a"], "on_failed_dependency": "cancel", "custom_job": custom_job()},
    {"on_failed_dependency": "end", "custom_job": custom_job()},
    {"serial_key": 7, "custom_job": custom_job()},
    {"serial_key": "two words", "custom_job": custom_job()},
    {"serial_key": "k" * 129, "custom_job": custom_job()},
    {"serial_limit": 2, "custom_job": custom_job()},
    {"serial_key": "k", "serial_limit": 0, "custom_job": custom_job()},
    {"serial_key": "k", "serial_limit": 1_001, "custom_job": custom_job()},
    {"deadline": "2026-11-23", "custom_job": custom_job()},
    {"not_before": "2026-11-23T18:00:00", "custom_job": custom_job()},
    {"not_before": 1_800_000_000, "custom_job": custom_job()},
    {**custom_job(), "display_name": "twice"},
    {**custom_job(), "displayName": "x" * 129},
    {**custom_job(), "labels": {"A": "b"}},
    {**custom_job(), "labels": {"pool_queue_job": "b"}},
    {**custom_job(), "labels": {f"k{i}": "v" for i in range(61)}},
    custom_job(unknown=1),
    custom_job(persistentResourceId="GPU"),
    custom_job(scheduling={"timeout": "1h"}),
    custom_job(scheduling={"timeout": "0s"}),
    custom_job(scheduling={"strategy": "FAST"}),
    custom_job(workerPoolSpecs=[]),
    custom_job(workerPoolSpecs=[{}]),
    custom_job(workerPoolSpecs=[worker_pool_spec(replicaCount=2)]),
    custom_job(workerPoolSpecs=[worker_pool_spec(), worker_pool_spec(replicaCount=0)]),
    custom_job(workerPoolSpecs=[worker_pool_spec(machineSpec={})]),
    custom_job(workerPoolSpecs=[worker_pool_spec(pythonPackageSpec=PACKAGE)]),
    custom_job(workerPoolSpecs=[worker_pool_spec(diskSpec={"bootDiskSizeGb": 10})]),
    packaged(packageUris=[]),
    with_container(imageUri=""),
    with_container(env=[{"value": "x"}]),
]


@pytest.mark.parametrize("message", VALID)
def test_schema_and_parser_accept_the_same(message: dict[str, Any]) -> None:
    assert isinstance(parse(message), JobRequest)
    assert is_valid("job-request.json", message)


@pytest.mark.parametrize("message", INVALID)
def test_schema_and_parser_refuse_the_same(message: dict[str, Any]) -> None:
    assert isinstance(parse(message), BadRequest)
    assert not is_valid("job-request.json", message)


@pytest.mark.parametrize(
    ("message", "valid"),
    [
        (CANCEL, True),
        (DRAIN, True),
        ({**DRAIN, "kind": "resume", "pool": "p", "id": "c", "team": "t"}, True),
        ({**CANCEL, "kind": "stop"}, False),
        ({**CANCEL, "pool": "p"}, False),
        ({**CANCEL, "job_id": "J"}, False),
        ({**DRAIN, "job_id": "j"}, False),
        ({"kind": "cancel", "job_id": "j"}, False),
    ],
)
def test_schema_and_parser_agree_on_commands(message: dict[str, Any], *, valid: bool) -> None:
    parsed = parse_command(json.dumps(message).encode(), {}, default_id="derived")

    assert isinstance(parsed, Command) is valid
    assert is_valid("job-command.json", message) is valid


def test_outcome_messages_follow_their_schema() -> None:
    problem = Problem(path="p", value="v", problem="x", remedy="y")
    full, _ = outcome_message(
        job_id="j", team="t", state="ended", outcome="rejected", sequence=3, at=AT, reason="r",
        note="n", attempt=1,
        persistent_resource="gpu-a", custom_job="c", problems=[problem], error="e",
            failure={"charged": 1, "attempts": 3, "is_charged": True, "rule": 1, "exit_codes": [137]},
        queued=AT, submitted=AT, started=AT, ended=AT,
        array="sweep", members={"size": 3, "failed": 1},
    )  # fmt: skip
    short, _ = outcome_message(job_id="j", team="t", state="queued", sequence=1, at=AT)

    assert set(json.loads(full)) == set(json.loads((TARGET / "job-outcome.json").read_text())["properties"])
    assert is_valid("job-outcome.json", json.loads(full))
    assert is_valid("job-outcome.json", json.loads(short))
    assert not is_valid("job-outcome.json", {**json.loads(short), "state": "done"})
