"""Reads an `aiplatform.CustomJob` that was not run, without importing the SDK: whoever has one has it.

Only its public surface is used, which is the same in google-cloud-aiplatform 1.38 to 2.7: `to_dict()`,
`project`, `location`, and what `aiplatform.init()` was given, as `run()` itself takes it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from poolqueue.client.settings import RunOptions
from poolqueue.messages import Problem, resource_name
from poolqueue.requests.naming import is_id

_MODULE = "google.cloud.aiplatform"
# How the SDK names an output directory that nobody asked for.
_DATED = re.compile(r"(?P<kept>gs://.*/aiplatform-custom-job)-\d{4}-\d\d-\d\d-\d\d:\d\d:\d\d(?:\.\d+)?")
_PLAIN = {
    "service_account": "serviceAccount",
    "network": "network",
    "tensorboard": "tensorboard",
    "enable_web_access": "enableWebAccess",
    "persistent_resource_id": "persistentResourceId",
}
_NOT_TAKEN = {
    "sync": "leave it out: enqueue returns at once, and its handle can wait",
    "create_request_timeout": "leave it out: Pool Queue calls Vertex AI itself",
    "experiment": "set job.job_spec.experiment to the full name of the experiment's context",
    "experiment_run": "set job.job_spec.experiment_run to the full name of the run's context",
    "psc_interface_config": "set job.job_spec.psc_interface_config",
}


def is_custom_job(given: object) -> bool:
    """Whether it is an `aiplatform.CustomJob`, of whatever version of the SDK."""
    return any(
        kind.__name__ == "CustomJob" and kind.__module__.startswith(_MODULE) and hasattr(given, "to_dict")
        for kind in type(given).__mro__
    )


def not_taken(settings: Mapping[str, Any]) -> list[Problem]:
    """Arguments of `run()` that mean nothing here, or cannot be taken from a call."""
    return [
        Problem(path=name, value=name, problem="is not taken by enqueue", remedy=remedy)
        for name, remedy in _NOT_TAKEN.items()
        if name in settings
    ]


def body_of(custom_job: Any, options: RunOptions, *, job_id: str | None) -> tuple[dict[str, Any], str | None]:
    """The REST body that `run()` with these options would send, and the name it has if it was run already.

    Its persistent resource is named in full, as `run()` would take it to the job's project and location. An
    output directory that the SDK has dated carries the caller's `job_id` instead: so the same job enqueued
    once more is the same request.
    """
    body: dict[str, Any] = custom_job.to_dict()
    spec = body.setdefault("jobSpec", {})
    for name, value in _plain(options):
        spec[name] = value
    if scheduling := dict(_scheduling(options)):
        spec["scheduling"] = {**spec.get("scheduling", {}), **scheduling}
    _name_in_full(spec, getattr(custom_job, "project", None), getattr(custom_job, "location", None))
    if is_id(job_id):
        _undate(spec, str(job_id))
    return body, body.get("name")


def _plain(options: RunOptions) -> Iterator[tuple[str, Any]]:
    defaults = getattr(sys.modules.get(f"{_MODULE}.initializer"), "global_config", None)
    for name, field in _PLAIN.items():
        value = options.get(name) or (
            getattr(defaults, name, None) if name in {"service_account", "network"} else None
        )
        if value:
            yield field, value


def _scheduling(options: RunOptions) -> Iterator[tuple[str, Any]]:
    if options.get("timeout"):
        yield "timeout", f"{options['timeout']}s"
    if options.get("restart_job_on_worker_restart"):
        yield "restartJobOnWorkerRestart", True
    if options.get("disable_retries"):
        yield "disableRetries", True
    if strategy := options.get("scheduling_strategy"):
        yield "strategy", strategy if isinstance(strategy, str) else int(strategy)
    if options.get("max_wait_duration") is not None:
        yield "maxWaitDuration", f"{options['max_wait_duration']}s"


def _name_in_full(spec: dict[str, Any], project: object, location: object) -> None:
    """A project's number is left alone: Pool Queue knows projects by their ids."""
    given = spec.get("persistentResourceId")
    full = f"projects/{project}/locations/{location}/persistentResources/{given}"
    if given and "/" not in given and not str(project).isdecimal() and resource_name(full) is not None:
        spec["persistentResourceId"] = full


def _undate(spec: dict[str, Any], job_id: str) -> None:
    directory = spec.get("baseOutputDirectory", {})
    if dated := _DATED.fullmatch(directory.get("outputUriPrefix", "")):
        spec["baseOutputDirectory"] = {**directory, "outputUriPrefix": f"{dated['kept']}-{job_id}"}
