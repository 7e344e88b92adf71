"""The minute's tick, or a cycle handed on: compare our records with Vertex AI, repair them, fire timers."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import datetime

from handlers.delivery import Delivery
from poolqueue.cycle import ring, settle_dependants
from poolqueue.records import ResourceName
from poolqueue.requests.naming import is_id, resource_name
from poolqueue.sweep import sweep
from poolqueue.system import System

log = logging.getLogger(__name__)


def handle(system: System, delivery: Delivery) -> None:
    """`{"resource": FULL_NAME}` asks for that resource's cycle only, with `"elsewhere": true` for one that
    looks where all its jobs may go; with `"dependants_of": JOB` it says that this job ended there, and that
    others wait for that. Anything else asks for a whole sweep.
    """
    asked = _asked(delivery.data)
    system = system.refreshed(at_least=asked.settings)
    deadline = system.deadline()
    if asked.resource is not None:
        _carry_out(system, asked, asked.resource, deadline=deadline)
        return
    if system.source is not None:
        system.source.note_deployed()
    sweep(system, deadline=deadline)


def _carry_out(system: System, asked: _Asked, name: ResourceName, *, deadline: datetime) -> None:
    """Whoever may publish a tick may not send us, with our credentials, to a region that is not ours."""
    is_ours = (name.project, name.location) in system.settings.regions()
    if not is_ours or resource_name(name.id) is None or not _may_be_a_job(asked.dependants_of):
        log.warning("sweep_message_refused", extra={"resource": name.full[:300]})
    elif asked.dependants_of is not None:
        settle_dependants(system, asked.dependants_of, deadline=deadline, home=name)
    else:
        ring(system, name, deadline=deadline, elsewhere=asked.elsewhere)


def _may_be_a_job(key: str | None) -> bool:
    return key is None or all(map(is_id, key.split(".", 1)))


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """One resource's cycle, or a whole sweep without one; `settings` is a version that is in force by now.
    `dependants_of`: the key of a job that ended.
    """

    resource: ResourceName | None = None
    settings: int = 0
    elsewhere: bool = False
    dependants_of: str | None = None


def _asked(data: bytes) -> _Asked:
    try:
        content = json.loads(data or b"{}")
        if "resource" not in content:
            return _Asked()
        name = ResourceName.from_full(content["resource"])
        settings, elsewhere = int(content.get("settings", 0)), content.get("elsewhere") is True
        ended = None if "dependants_of" not in content else str(content["dependants_of"])
        return _Asked(resource=name, settings=settings, elsewhere=elsewhere, dependants_of=ended)
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        log.warning("sweep_message_unreadable", extra={"size": len(data)})
        return _Asked()
