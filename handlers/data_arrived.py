"""Something arrived elsewhere, an object in Cloud Storage say: each matching trigger makes a job request."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from poolqueue.config import Team
from poolqueue.cycle import ring
from poolqueue.dead_letters import bury
from poolqueue.intake import Received, record_bad_request, take_in
from poolqueue.messages import BadRequest, Problem
from poolqueue.system import System
from poolqueue.triggers import (
    BadEvent,
    CloudEventView,
    Trigger,
    TriggeredRequest,
    Triggers,
    request_from_event,
)

log = logging.getLogger(__name__)


def handle(system: System, triggers: Triggers, event: CloudEventView) -> None:
    """A redelivered event makes the same `job_id`, so it is the same job."""
    system = system.refreshed()
    matching = triggers.matching(event)
    log.info("event_arrived", extra={"type": event.type, "triggers": [t.name for t in matching]})
    for trigger in matching:
        _make_request(system, trigger, event)


def _make_request(system: System, trigger: Trigger, event: CloudEventView) -> None:
    deadline = system.deadline()
    made = request_from_event(trigger, event)
    team = _team(system, trigger)
    if team is None:
        _bury(system, trigger, event)
        return
    received = Received(
        team=team,
        topic=f"trigger {trigger.name}",
        message_id=_id(event),
        publish_time=_time(system, event),
        data=_as_text(made.body if isinstance(made, TriggeredRequest) else asdict(event)),
    )
    match made:
        case TriggeredRequest(job_id=job_id):
            name = take_in(system, received, default_job_id=job_id)
            if name is not None:
                ring(system, name, deadline=deadline)
        case BadEvent(job_id=job_id, problems=problems):
            refused = BadRequest(
                job_id=job_id, persistent_resource=None, digest=received.message_id, problems=problems
            )
            record_bad_request(system, refused, received)


def _id(event: CloudEventView) -> str:
    return hashlib.sha256(json.dumps([event.source, event.id]).encode()).hexdigest()[:32]


def _as_text(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False, default=str).encode(errors="replace")


def _team(system: System, trigger: Trigger) -> Team | None:
    """The file's settings and triggers were checked against each other; those in force may lack the team."""
    if trigger.team is None:
        return system.settings.teams[0]
    return system.settings.team_named(trigger.team)


def _bury(system: System, trigger: Trigger, event: CloudEventView) -> None:
    unknown = Problem(
        path=f"triggers.{trigger.name}.team",
        value=str(trigger.team),
        problem="the settings in force have no such team",
        remedy="apply settings with that team, or deploy triggers without it",
    )
    bury(
        system,
        topic=f"trigger {trigger.name}",
        message_id=_id(event),
        data=_as_text(asdict(event)),
        attributes={},
        problems=[unknown],
    )


def _time(system: System, event: CloudEventView) -> datetime:
    """The event's own time, so that a redelivery has the same; now, if it gives none that can be read."""
    try:
        at = datetime.fromisoformat(event.time or "")
    except ValueError:
        return system.clock()
    return at.astimezone(UTC) if at.tzinfo else system.clock()
