"""Writes poolqueue/schemas/*.json: the JSON Schemas (2020-12) of what travels on the topics."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from infra.tools.descriptions import (
    ARRAY,
    COMMAND,
    CUSTOM_JOB,
    DEPENDENCY,
    ENVELOPE,
    FAILURE,
    MEMBERS,
    OUTCOME,
    PLACE,
    PROBLEM,
    RETRIES,
    RETRY_RULE,
    described,
)
from poolqueue.requests import (
    arrays,
    changing,
    commands,
    limits,
    naming,
    placeholders,
    places,
    settings,
    ties,
    wishes,
)
from poolqueue.requests.durations import LONGEST_SECONDS, LONGEST_SPAN_SECONDS, SPAN_RULE
from poolqueue.requests.fields import ENUMS, MESSAGES
from poolqueue.requests.normalising import snake_case
from poolqueue.requests.retries import POOL_RULE
from poolqueue.scheduling import failures, retries
from poolqueue.scheduling.arrays import MOST_MEMBERS
from poolqueue.scheduling.dependency import After, OnFailed
from poolqueue.scheduling.jobs import Outcome, State

TARGET = Path(__file__).parents[2] / "poolqueue" / "schemas"

Schema = dict[str, Any]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TIME: Schema = {"type": "string", "format": "date-time"}
_TEXT: Schema = {"type": "string"}
_JOB_ID: Schema = {"type": "string", "pattern": f"^{naming.ID_RULE}$"}
_JOB: Schema = {"type": "string", "pattern": f"^{naming.JOB_RULE}$"}
_RESOURCE: Schema = {
    "type": "string",
    "pattern": "^(projects/[^/]+/locations/[^/]+/persistentResources/)?[a-z]([a-z0-9-]{0,61}[a-z0-9])?$",
}
_ANY_SPAN: Schema = {
    "type": ["number", "string"],
    "minimum": 0,
    "maximum": LONGEST_SPAN_SECONDS,
    "pattern": f"^{SPAN_RULE}$",
    "description": f"90s, 30m, 24h, 7d or a number of seconds, at most {LONGEST_SPAN_SECONDS // 86_400}d",
}
_SPAN: Schema = {
    **_ANY_SPAN,
    "exclusiveMinimum": 0,
    "not": {"type": "string", "pattern": "^0+(\\.0+)?[smhd]?$"},
}
_ZONED_TIME: Schema = {
    **_TIME,
    "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9:]{8}(\\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})$",
    "description": "RFC 3339, with a time zone",
}
_PRIORITY: Schema = {
    "type": "integer",
    "minimum": settings.LOWEST_PRIORITY,
    "maximum": settings.HIGHEST_PRIORITY,
}
_SCALARS: dict[str, Schema] = {
    "string": _TEXT,
    "bool": {"type": "boolean"},
    "int32": {"type": ["integer", "string"], "pattern": "^-?[0-9]+$"},
    "int64": {"type": ["integer", "string"], "pattern": "^-?[0-9]+$"},
    "duration": {
        "type": "string",
        "pattern": "^[0-9]{1,9}(\\.[0-9]{1,9})?s$",
        "description": f"decimal seconds, at most {LONGEST_SECONDS}",
    },
    "map": {"type": "object", "additionalProperties": _TEXT},
}
_LIMITED: dict[tuple[str, str], Schema] = {
    ("CustomJob", "displayName"): {"maxLength": limits.LONGEST_DISPLAY_NAME},
    ("CustomJob", "labels"): {
        "maxProperties": limits.MOST_LABELS,
        "propertyNames": {"pattern": f"^(?!{limits.OUR_LABELS}){limits.LABEL_KEY_RULE}$"},
        "additionalProperties": {"type": "string", "pattern": f"^{limits.LABEL_VALUE_RULE}$"},
    },
    ("CustomJobSpec", "persistentResourceId"): _RESOURCE,
    ("CustomJobSpec", "workerPoolSpecs"): {"minItems": 1, "maxItems": limits.MOST_WORKER_POOL_SPECS},
    ("ContainerSpec", "env"): {"maxItems": limits.MOST_ENVIRONMENT},
    ("ContainerSpec", "imageUri"): {"minLength": 1},
    ("PythonPackageSpec", "env"): {"maxItems": limits.MOST_ENVIRONMENT},
    ("PythonPackageSpec", "packageUris"): {"minItems": 1, "maxItems": limits.MOST_PACKAGES},
    ("MachineSpec", "machineType"): {"minLength": 1},
    ("EnvVar", "name"): {"minLength": 1},
    ("Scheduling", "timeout"): {"not": {"type": "string", "pattern": "^0+(\\.0+)?s$"}},
}
_REQUIRED = {
    "CustomJob": ["jobSpec"],
    "CustomJobSpec": ["workerPoolSpecs"],
    "ContainerSpec": ["imageUri"],
    "PythonPackageSpec": ["executorImageUri", "pythonModule", "packageUris"],
    "MachineSpec": ["machineType"],
    "EnvVar": ["name"],
}


def schemas() -> dict[str, str]:
    """File name to JSON text."""
    parts = {"job-request": _job_request(), "job-command": _job_command(), "job-outcome": _job_outcome()}
    return {f"{name}.json": json.dumps(_headed(name, part), indent=2) + "\n" for name, part in parts.items()}


def _headed(name: str, schema: Schema) -> Schema:
    return {"$schema": _DIALECT, "$id": f"urn:pool-queue:{name}", **schema}


# --- job requests ----------------------------------------------------------------------------------------


def _job_request() -> Schema:
    definitions = {name: _message(name) for name in MESSAGES}
    definitions["FirstWorkerPoolSpec"] = _first_worker_pool_spec()
    definitions["LaterWorkerPoolSpec"] = {"anyOf": [{"type": "object", "maxProperties": 0}, _filled_spec()]}
    return {
        "title": "Job request",
        "description": "The data of a message on a job-requests topic: an envelope, or a bare custom job or"
        " custom job spec with its settings as message attributes.",
        "anyOf": [
            {"$ref": "#/$defs/Envelope"},
            {"allOf": [{"$ref": "#/$defs/CustomJob"}, {"$ref": "#/$defs/WithHome"}]},
            {"allOf": [{"$ref": "#/$defs/CustomJobSpec"}, {"$ref": "#/$defs/WithHome"}]},
        ],
        "$defs": {"Envelope": _envelope(), "WithHome": _with_home(), **definitions},
    }


def _envelope() -> Schema:
    custom_job = {"anyOf": [{"$ref": "#/$defs/CustomJob"}, {"$ref": "#/$defs/CustomJobSpec"}]}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["custom_job"],
        "properties": described(
            {
                "job_id": _JOB_ID,
                "priority": {**_PRIORITY, "default": settings.DEFAULT_PRIORITY},
                "display_name": {"type": "string", "minLength": 1, "maxLength": limits.LONGEST_DISPLAY_NAME},
                **_wishes(),
                **_ties(),
                "alternatives": _alternatives(),
                "array": _array(),
                "retries": _retries(),
                "custom_job": custom_job,
            },
            ENVELOPE,
        ),
        "dependentRequired": {"serial_limit": ["serial_key"], "on_failed_dependency": ["depends_on"]},
        "anyOf": [
            {"properties": {"custom_job": {"$ref": "#/$defs/WithHome"}}},
            {"properties": {"alternatives": {"minItems": 1}}, "required": ["alternatives"]},
        ],
    }


def _with_home() -> Schema:
    """A custom job or its spec that names the persistent resource in whose queue it waits."""
    home = _has("persistentResourceId")
    below = [{"properties": {spelling: home}, "required": [spelling]} for spelling in ("jobSpec", "job_spec")]
    return {"anyOf": [home, *below]}


def _wishes() -> Schema:
    return {
        "expected_run": _SPAN,
        "min_run": _ANY_SPAN,
        "max_preemptions": {"type": "integer", "minimum": 0, "maximum": wishes.MOST_PREEMPTIONS},
        "not_before": _ZONED_TIME,
        "deadline": _ZONED_TIME,
        "max_wait": _SPAN,
        "hold": {"type": "boolean", "default": False},
    }


def _ties() -> Schema:
    fields = described({"job_id": _JOB_ID, "after": {"enum": [each.value for each in After]}}, DEPENDENCY)
    dependency = {"anyOf": [_JOB_ID, {**_closed(fields), "required": ["job_id"]}]}
    return {
        "depends_on": {
            "type": "array",
            "minItems": 1,
            "maxItems": ties.MOST_DEPENDENCIES,
            "uniqueItems": True,
            "items": dependency,
        },
        "on_failed_dependency": {"enum": [each.value for each in OnFailed], "default": OnFailed.END.value},
        "serial_key": {"type": "string", "pattern": f"^{ties.SERIAL_KEY_RULE}$"},
        "serial_limit": {"type": "integer", "minimum": 1, "maximum": ties.HIGHEST_SERIAL_LIMIT, "default": 1},
    }


def _alternatives() -> Schema:
    return {"type": "array", "maxItems": places.MOST_ALTERNATIVES, "items": _place()}


def _array() -> Schema:
    """Exactly one of what its jobs are: a grid of parameters, a list of them, or a number."""
    value: Schema = {"type": ["string", "number", "boolean"], "maxLength": placeholders.LONGEST_VALUE}
    names: Schema = {"propertyNames": {"pattern": f"^{arrays.PARAMETER_RULE}$"}}
    bounds: Schema = {"minProperties": 1, "maxProperties": arrays.MOST_PARAMETERS}
    parameters: Schema = {**names, "maxProperties": arrays.MOST_PARAMETERS, "additionalProperties": value}
    values: Schema = {"type": "array", "minItems": 1, "items": value}
    kinds: Schema = {
        "grid": {"type": "object", **names, **bounds, "additionalProperties": values},
        "list": {
            "type": "array",
            "minItems": 1,
            "maxItems": MOST_MEMBERS,
            "items": {"type": "object", **parameters},
        },
        "size": {"type": "integer", "minimum": 1, "maximum": MOST_MEMBERS},
    }
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": described({**kinds, "max_parallel": {"type": "integer", "minimum": 1}}, ARRAY),
        "oneOf": [{"required": [kind]} for kind in kinds],
    }


def _retries() -> Schema:
    count: Schema = {"type": "integer", "maximum": retries.MOST_ATTEMPTS}
    rules = {"type": "array", "minItems": 1, "maxItems": retries.MOST_RULES, "items": _retry_rule()}
    fields: Schema = {
        "attempts": {**count, "minimum": 1, "default": retries.USUAL_ATTEMPTS},
        "backoff": {**_ANY_SPAN, "default": f"{retries.FIRST_PAUSE_SECONDS}s"},
        "longest_backoff": {**_ANY_SPAN, "default": f"{retries.LONGEST_PAUSE_SECONDS // 60}m"},
        "infrastructure": {**count, "minimum": 0, "default": retries.INFRASTRUCTURE_RETRIES},
        "rules": rules,
    }
    return {**_closed(described(fields, RETRIES)), "required": []}


def _retry_rule() -> Schema:
    most = retries.MOST_ATTEMPTS - 1
    fields: Schema = {
        "outcome": _one_or_some({"enum": [end.value for end in failures.BadEnd]}),
        "exit_code": _one_or_some({"type": "integer", "minimum": 1, "maximum": retries.HIGHEST_EXIT_CODE}),
        "error": _one_or_some({"enum": [*retries.RETRIED_CLASSES]}),
        "text": {"type": "string", "minLength": 1, "maxLength": retries.LONGEST_TEXT},
        "retry": {"anyOf": [{"enum": [*retries.TIMES]}, {"type": "integer", "minimum": 0, "maximum": most}]},
        "pool": {"type": "string", "pattern": f"^{POOL_RULE}$"},
        "backoff": _ANY_SPAN,
        "longest_backoff": _ANY_SPAN,
    }
    return {**_closed(described(fields, RETRY_RULE)), "required": [], "minProperties": 1}


def _one_or_some(schema: Schema) -> Schema:
    some = {"type": "array", "minItems": 1, "maxItems": retries.MOST_LISTED, "items": schema}
    return {"anyOf": [schema, some]}


def _place() -> Schema:
    """A persistent resource, or any: `any` is a name by its form, too."""
    fields = described({"persistent_resource": _RESOURCE, "after": _ANY_SPAN}, PLACE)
    spelled_out = {**_closed(fields), "required": ["persistent_resource"]}
    return {"anyOf": [_RESOURCE, spelled_out], "description": f'a name, or "{places.ANY}"'}


def _message(name: str) -> Schema:
    """A message with each field in either spelling, but not in both."""
    properties: Schema = {}
    rules: list[Schema] = []
    for field, kind in MESSAGES[name].items():
        schema = described({field: _field(name, field, kind)}, CUSTOM_JOB[name])[field]
        properties |= {field: schema, snake_case(field): schema}
        if field != snake_case(field):
            rules.append({"not": {"required": [field, snake_case(field)]}})
    rules += [_has(field) for field in _REQUIRED.get(name, [])]
    return _without_empty(
        {"type": "object", "additionalProperties": False, "properties": properties, "allOf": rules}
    )


def _without_empty(schema: Schema) -> Schema:
    return {key: value for key, value in schema.items() if value != []}


def _has(field: str) -> Schema:
    spellings = dict.fromkeys([field, snake_case(field)])
    return {"anyOf": [{"required": [spelling]} for spelling in spellings]}


def _field(message: str, field: str, kind: str) -> Schema:
    if field == "workerPoolSpecs":
        listed = {
            "type": "array",
            "prefixItems": [{"$ref": "#/$defs/FirstWorkerPoolSpec"}],
            "items": {"$ref": "#/$defs/LaterWorkerPoolSpec"},
            **_LIMITED[message, field],
        }
        return {"anyOf": [listed, {"$ref": "#/$defs/FirstWorkerPoolSpec"}]}
    schema: Schema = {"type": "array", "items": _type(kind[:-2])} if kind.endswith("[]") else _type(kind)
    if field == "bootDiskSizeGb":
        return {
            "anyOf": [{"type": "integer", "minimum": 100, "maximum": 64_000}, schema | {"type": "string"}]
        }
    return schema | _LIMITED.get((message, field), {})


def _type(kind: str) -> Schema:
    if kind in MESSAGES:
        return {"$ref": f"#/$defs/{kind}"}
    if kind in ENUMS:
        return {"enum": [*ENUMS[kind], *ENUMS[kind].values()]}
    return _SCALARS[kind]


def _first_worker_pool_spec() -> Schema:
    one = {"enum": [1, "1"]}
    return {"allOf": [_filled_spec(), {"properties": {"replicaCount": one, "replica_count": one}}]}


def _filled_spec() -> Schema:
    at_least_one = {"minimum": 1, "not": {"enum": ["0"]}}
    tasks = [_has("containerSpec"), _has("pythonPackageSpec")]
    return {
        "allOf": [
            {"$ref": "#/$defs/WorkerPoolSpec"},
            _has("machineSpec"),
            _has("replicaCount"),
            {"oneOf": tasks},
            {"properties": {"replicaCount": at_least_one, "replica_count": at_least_one}},
        ]
    }


# --- commands and outcomes -------------------------------------------------------------------------------


def _job_command() -> Schema:
    names: Schema = {
        "id": _JOB_ID,
        "kind": {"enum": [kind.value for kind in commands.CommandKind]},
        "team": {"type": "string", "minLength": 1, "maxLength": 63},
        "job_id": _JOB,
        "persistent_resource": _RESOURCE,
        "pool": {"type": "string", "minLength": 1, "maxLength": 63},
        "settings": {"type": "string", "minLength": 1, "maxLength": commands.MOST_SETTINGS_BYTES},
        "base_version": {"type": "integer", "minimum": 0},
        "priority": _PRIORITY,
        "deadline": {"anyOf": [_ZONED_TIME, {"const": changing.NONE}]},
        "max_wait": {"anyOf": [_SPAN, {"const": changing.NONE}]},
        "alternatives": _alternatives(),
        "hold": {"type": "boolean", "default": False},
        "running": {"enum": [way.value for way in commands.Running], "default": "requeue"},
        "reason": {"type": "string", "minLength": 1, "maxLength": commands.LONGEST_REASON},
        "author": {"type": "string", "minLength": 1, "maxLength": commands.LONGEST_AUTHOR},
    }
    return {
        "title": "Job command",
        "description": "The data of a message on a job-commands topic; fields may be attributes instead.",
        "type": "object",
        "additionalProperties": False,
        "properties": described(names, COMMAND),
        "required": ["kind", "reason", "author"],
        "oneOf": [_kind_of_command(kind, targets) for kind, targets in commands.TARGETS.items()],
    }


def _kind_of_command(kind: str, targets: Sequence[str]) -> Schema:
    """Its first target is required; what only other kinds have is refused."""
    others = {name for names in commands.TARGETS.values() for name in names} - {*targets, "team"}
    schema: Schema = {
        "properties": {"kind": {"const": kind}},
        "required": [targets[0]],
        "not": {"anyOf": [{"required": [name]} for name in sorted(others)]},
    }
    if kind == commands.CommandKind.CHANGE:
        schema["anyOf"] = [{"required": [name]} for name in changing.CHANGEABLE]
    return schema


def _job_outcome() -> Schema:
    times = ("at", "queued", "submitted", "started", "ended")
    problem = described(dict.fromkeys(("path", "value", "problem", "remedy"), _TEXT), PROBLEM)
    return {
        "title": "Job outcome",
        "description": "The data of a message on job-outcomes: one change of a job's state. The attributes"
        " job_id, team, state, outcome, sequence and array repeat what is here.",
        "type": "object",
        "additionalProperties": False,
        "properties": described(
            {
                "job_id": _TEXT,
                "team": _TEXT,
                "state": {"enum": [state.value for state in State]},
                "outcome": {"enum": [outcome.value for outcome in Outcome]},
                "sequence": {"type": "integer", "minimum": 0},
                "reason": _TEXT,
                "note": _TEXT,
                "attempt": {"type": "integer", "minimum": 0},
                "persistent_resource": _TEXT,
                "custom_job": _TEXT,
                "error": _TEXT,
                "failure": _failure(),
                "array": _TEXT,
                "members": _members(),
                "problems": {"type": "array", "items": _closed(problem)},
                **dict.fromkeys(times, _TIME),
            },
            OUTCOME,
        ),
        "required": ["job_id", "team", "state", "sequence", "at"],
    }


def _members() -> Schema:
    """Of an array: how many it has, and how many of them have ended by outcome."""
    count: Schema = {"type": "integer", "minimum": 0}
    fields = {"size": count, **{outcome.value: count for outcome in Outcome}}
    return {**_closed(described(fields, MEMBERS)), "required": ["size"]}


def _failure() -> Schema:
    """Of an attempt that ended badly."""
    count: Schema = {"type": "integer", "minimum": 0}
    fields: Schema = {
        "charged": count,
        "attempts": count,
        "is_charged": {"type": "boolean"},
        "rule": {"type": "integer", "minimum": 1},
        "exit_codes": {"type": "array", "items": count},
        "error_class": {"enum": [*failures.ERROR_CLASSES]},
    }
    return {**_closed(described(fields, FAILURE)), "required": ["charged", "attempts", "is_charged"]}


def _closed(properties: Schema) -> Schema:
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "required": [*properties],
    }


if __name__ == "__main__":
    TARGET.mkdir(exist_ok=True)
    for name, text in schemas().items():
        (TARGET / name).write_text(text)
