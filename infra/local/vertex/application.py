"""What becomes of one request: its route, its misbehaviour, its rpc, its line in the journal."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

from infra.local.vertex.admin import Admin
from infra.local.vertex.behaviours import seconds_of
from infra.local.vertex.calls import Call, query_parameters
from infra.local.vertex.errors import ServiceError, invalid_payload
from infra.local.vertex.job_service import JobService
from infra.local.vertex.log_service import LogService
from infra.local.vertex.operations import Operations
from infra.local.vertex.quotas import Quotas
from infra.local.vertex.resource_service import ResourceService
from infra.local.vertex.routes import Route, route
from infra.local.vertex.server import Answer, Request
from infra.local.vertex.world import World

log = logging.getLogger(__name__)


class Application:
    """Sleeps outside the lock, works under it."""

    def __init__(
        self,
        world: World,
        *,
        jobs: JobService,
        resources: ResourceService,
        logs: LogService,
        operations: Operations,
        admin: Admin,
    ) -> None:
        self._world = world
        self._admin = admin
        self._stopping = threading.Event()
        self._quotas = Quotas()
        self._rpcs: Mapping[str, Callable[[Call], dict[str, Any]]] = {
            "CreateCustomJob": jobs.create,
            "ListCustomJobs": jobs.list_jobs,
            "GetCustomJob": jobs.get,
            "CancelCustomJob": jobs.cancel,
            "DeleteCustomJob": jobs.delete,
            "CreatePersistentResource": resources.create,
            "ListPersistentResources": resources.list_resources,
            "GetPersistentResource": resources.get,
            "RebootPersistentResource": resources.reboot,
            "DeletePersistentResource": resources.delete,
            "ListLogEntries": logs.list_entries,
            "GetOperation": lambda call: operations.get(call.id),
        }

    def stop(self) -> None:
        """Lets go of the requests that are waiting for their latency, or for ever."""
        self._stopping.set()

    def answer(self, request: Request) -> Answer | None:
        found = route(request.method, request.path)
        if found is None:
            return _refusal(ServiceError("NOT_FOUND", f"{request.method} {request.path} is not served here."))
        try:
            return self._command(found, request) if found.to_stand_in else self._serve(found, request)
        except Exception:
            log.exception("a request failed")
            return _refusal(ServiceError("INTERNAL", "The stand-in failed; see its standard error."))

    def _command(self, found: Route, request: Request) -> Answer:
        command: Callable[[Mapping[str, Any]], Any] = getattr(self._admin, found.rpc)
        try:
            given = _object(request.body)
            with self._world.timeline.lock:
                return Answer(status=200, body=command(given))
        except ServiceError as error:
            return _refusal(error)

    def _serve(self, found: Route, request: Request) -> Answer | None:
        behaviour = self._world.misbehaviour.now
        self._wait(seconds_of(behaviour.late_effect_seconds, found.rpc))
        with self._world.timeline.lock:
            answer = self._perform(found, request)
            unanswered = self._world.misbehaviour.leaves_unanswered(found.rpc)
            self._record(request, found.rpc, None if unanswered else answer)
        if unanswered:
            self._stopping.wait()
            return None
        self._wait(seconds_of(behaviour.latency_seconds, found.rpc))
        return answer

    def _wait(self, seconds: float) -> None:
        if seconds:
            self._stopping.wait(seconds)

    def _perform(self, found: Route, request: Request) -> Answer:
        injected = self._world.misbehaviour.injected_error(found.rpc)
        if injected and not injected.after_effect:
            return _refusal(injected.error())
        try:
            answer = Answer(status=200, body=self._result(self._call(found, request)))
        except ServiceError as error:
            answer = _refusal(error)
        return _refusal(injected.error()) if injected else answer

    def _result(self, call: Call) -> dict[str, Any]:
        if call.project:
            self._quotas.count(call.rpc, call.project, call.location, self._world.misbehaviour.now.quota)
        return self._rpcs[call.rpc](call)

    def _call(self, found: Route, request: Request) -> Call:
        return Call(
            rpc=found.rpc,
            project=self._world.projects.id_of(found.project),
            location=found.location,
            id=found.id,
            query=query_parameters(request.query),
            body=request.body,
        )

    def _record(self, request: Request, rpc: str, answer: Answer | None) -> None:
        labels = {"labels": _labels(request.body)} if rpc == "CreateCustomJob" else {}
        self._world.journal.write(
            "request",
            method=request.method,
            path=request.target,
            status=answer.status if answer else None,
            rpc=rpc,
            **labels,
        )


def _refusal(error: ServiceError) -> Answer:
    return Answer(status=error.code, body=error.body())


def _object(body: bytes) -> dict[str, Any]:
    try:
        given = json.loads(body or b"{}")
    except ValueError as error:
        raise invalid_payload(str(error)) from error
    if not isinstance(given, dict):
        raise invalid_payload("A JSON object is needed.")
    return given


def _labels(body: bytes) -> dict[str, str]:
    try:
        labels = json.loads(body).get("labels", {})
    except (ValueError, AttributeError):
        return {}
    return labels if isinstance(labels, dict) else {}
