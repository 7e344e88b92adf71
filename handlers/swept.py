"""The minute's tick, or a cycle handed on: compare our records with Vertex AI, repair them, fire timers."""

from __future__ import annotations

import json
import logging
from datetime import datetime

from handlers.delivery import Delivery
from poolqueue.cycle import ring
from poolqueue.records import ResourceName
from poolqueue.requests.naming import resource_name
from poolqueue.sweep import sweep
from poolqueue.system import System

log = logging.getLogger(__name__)


def handle(system: System, delivery: Delivery) -> None:
    """`{"resource": FULL_NAME}` asks for that resource's cycle only; anything else for a whole sweep."""
    deadline = system.deadline()
    handed_on = _handed_on(delivery.data)
    if handed_on is not None:
        _ring_if_ours(system, handed_on, deadline=deadline)
        return
    sweep(system, deadline=deadline)


def _ring_if_ours(system: System, name: ResourceName, *, deadline: datetime) -> None:
    """Whoever may publish a tick may not send us, with our credentials, to a region that is not ours."""
    if (name.project, name.location) in system.settings.regions() and resource_name(name.id) is not None:
        ring(system, name, deadline=deadline)
    else:
        log.warning("sweep_message_refused", extra={"resource": name.full[:300]})


def _handed_on(data: bytes) -> ResourceName | None:
    try:
        content = json.loads(data or b"{}")
        return ResourceName.from_full(content["resource"]) if "resource" in content else None
    except (ValueError, TypeError, AttributeError, RecursionError):
        log.warning("sweep_message_unreadable", extra={"size": len(data)})
        return None
