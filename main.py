"""The deployed functions. Each hands its event to the handler of the same name."""

from typing import Any

import functions_framework

from handlers import data_arrived as data_arrived_handler
from handlers import job_commanded as job_commanded_handler
from handlers import job_ended as job_ended_handler
from handlers import job_requested as job_requested_handler
from handlers import page as page_handler
from handlers import swept as swept_handler
from handlers.serving import event_view, response, serve
from poolqueue import wiring

wiring.check_start()


@functions_framework.http
def job_requested(request: Any) -> tuple[str, int]:
    return serve(wiring.system(), request, job_requested_handler.handle)


@functions_framework.http
def job_commanded(request: Any) -> tuple[str, int]:
    return serve(wiring.system(), request, job_commanded_handler.handle)


@functions_framework.http
def job_ended(request: Any) -> tuple[str, int]:
    return serve(wiring.system(), request, job_ended_handler.handle)


@functions_framework.http
def swept(request: Any) -> tuple[str, int]:
    return serve(wiring.system(), request, swept_handler.handle)


@functions_framework.cloud_event
def data_arrived(event: Any) -> None:
    data_arrived_handler.handle(wiring.system(), wiring.triggers(), event_view(event))


@functions_framework.http
def page(request: Any) -> tuple[bytes, int, dict[str, str]]:
    return response(page_handler.handle(wiring.page(), request))
