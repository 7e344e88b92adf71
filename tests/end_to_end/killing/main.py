"""The deployed functions on a system that dies when it is told to; for tests under functions-framework."""

import os
from functools import cache
from pathlib import Path
from typing import Any

import functions_framework

from handlers import data_arrived as data_arrived_handler
from handlers import job_commanded as job_commanded_handler
from handlers import job_ended as job_ended_handler
from handlers import job_requested as job_requested_handler
from handlers import swept as swept_handler
from handlers.serving import event_view, serve
from poolqueue import wiring
from poolqueue.system import System
from tests.end_to_end.killing.deadly import Fate, Orders, deadly

ORDERS = "POOL_QUEUE_TEST_ORDERS"


@cache
def system() -> System:
    orders = Orders(Path(os.environ[ORDERS]), function=os.environ["FUNCTION_TARGET"])
    return deadly(wiring.system(), Fate(orders, claim=orders.claim))


@functions_framework.http
def job_requested(request: Any) -> tuple[str, int]:
    return serve(system(), request, job_requested_handler.handle)


@functions_framework.http
def job_commanded(request: Any) -> tuple[str, int]:
    return serve(system(), request, job_commanded_handler.handle)


@functions_framework.http
def job_ended(request: Any) -> tuple[str, int]:
    return serve(system(), request, job_ended_handler.handle)


@functions_framework.http
def swept(request: Any) -> tuple[str, int]:
    return serve(system(), request, swept_handler.handle)


@functions_framework.cloud_event
def data_arrived(event: Any) -> None:
    data_arrived_handler.handle(system(), wiring.triggers(), event_view(event))
