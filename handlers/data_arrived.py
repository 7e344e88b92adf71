"""Something arrived elsewhere, an object in Cloud Storage say: each matching trigger makes a job request."""

from __future__ import annotations

import hashlib
import json
import logging
from datetime import UTC, datetime

from poolqueue.config import Team
from poolqueue.cycle import ring
from poolqueue.intake import Origin, record_bad_request, take_in
from poolqueue.messages import BadRequest
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
    matching = triggers.matching(event)
    log.info("event_arrived", extra={"type": event.type, "triggers": [t.name for t in matching]})
    for trigger in matching:
        _make_request(system, trigger, event)


def _make_request(system: System, trigger: Trigger, event: CloudEventView) -> None:
    deadline = system.deadline()
    origin = Origin(
        team=_team(system, trigger),
        topic=f"trigger {trigger.name}",
        message_id=hashlib.sha256(json.dumps([event.source, event.id]).encode()).hexdigest()[:32],
        publish_time=_time(system, event),
    )
    match request_from_event(trigger, event):
        case TriggeredRequest(job_id=job_id, body=body):
            data = json.dumps(body, ensure_ascii=False).encode()
            name = take_in(system, data, {}, origin, default_job_id=job_id)
            if name is not None:
                ring(system, name, deadline=deadline)
        case BadEvent(job_id=job_id, problems=problems):
            refused = BadRequest(
                job_id=job_id, persistent_resource=None, digest=origin.message_id, problems=problems
            )
            record_bad_request(system, refused, origin)


def _team(system: System, trigger: Trigger) -> Team:
    """Settings and triggers are checked against each other at start."""
    if trigger.team is None:
        return system.settings.teams[0]
    team = system.settings.team_named(trigger.team)
    assert team is not None
    return team


def _time(system: System, event: CloudEventView) -> datetime:
    """The event's own time, so that a redelivery has the same; now, if it gives none that can be read."""
    try:
        at = datetime.fromisoformat(event.time or "")
    except ValueError:
        return system.clock()
    return at.astimezone(UTC) if at.tzinfo else system.clock()
