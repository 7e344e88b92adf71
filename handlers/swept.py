"""The minute's tick, or a cycle handed on: compare our records with Vertex AI, repair them, fire timers."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import datetime

from handlers.delivery import Delivery
from poolqueue.cycle import ring
from poolqueue.records import ResourceName
from poolqueue.requests.naming import resource_name
from poolqueue.sweep import sweep
from poolqueue.system import System

log = logging.getLogger(__name__)


def handle(system: System, delivery: Delivery) -> None:
    """`{"resource": FULL_NAME}` asks for that resource's cycle only, with `"elsewhere": true` for one that
    looks where all its jobs may go; anything else for a whole sweep.
    """
    asked = _asked(delivery.data)
    system = system.refreshed(at_least=asked.settings)
    deadline = system.deadline()
    if asked.resource is not None:
        _ring_if_ours(system, asked.resource, deadline=deadline, elsewhere=asked.elsewhere)
        return
    if system.source is not None:
        system.source.note_deployed()
    sweep(system, deadline=deadline)


def _ring_if_ours(system: System, name: ResourceName, *, deadline: datetime, elsewhere: bool) -> None:
    """Whoever may publish a tick may not send us, with our credentials, to a region that is not ours."""
    if (name.project, name.location) in system.settings.regions() and resource_name(name.id) is not None:
        ring(system, name, deadline=deadline, elsewhere=elsewhere)
    else:
        log.warning("sweep_message_refused", extra={"resource": name.full[:300]})


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """One resource's cycle, or a whole sweep without one; `settings` is a version that is in force by now."""

    resource: ResourceName | None = None
    settings: int = 0
    elsewhere: bool = False


def _asked(data: bytes) -> _Asked:
    try:
        content = json.loads(data or b"{}")
        if "resource" not in content:
            return _Asked()
        name = ResourceName.from_full(content["resource"])
        settings, elsewhere = int(content.get("settings", 0)), content.get("elsewhere") is True
        return _Asked(resource=name, settings=settings, elsewhere=elsewhere)
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        log.warning("sweep_message_unreadable", extra={"size": len(data)})
        return _Asked()
