"""Cancels a job as an operator would: a command, and what became of it."""

from __future__ import annotations

import getpass
import json
import secrets
import socket
from collections.abc import Mapping
from typing import Any

from poolqueue.client.connection import Connection
from poolqueue.client.errors import CommandRefused, RequestRefused, WaitedTooLong
from poolqueue.client.troubles import publishing, reading
from poolqueue.client.waiting import Waiting
from poolqueue.client.watching import Installation
from poolqueue.messages import BadCommand, CommandKind, parse_command

ID_BYTES = 8
LONGEST_AUTHOR = 200
COMMAND_TOPIC = "job-commands"


def publish_cancel(
    connection: Connection, job_id: str, *, topic: str, team: str | None, reason: str, author: str | None
) -> str:
    """The command's id. Raises `NotPublished`, and `RequestRefused` for what cannot be recorded."""
    id_, body = _command(job_id, team=team, reason=reason, author=author)
    full = connection.place.topic_name(topic)
    with publishing(connection.place, full):
        connection.publisher.publish(full, body, {})
    return id_


def wait_for_answer(connection: Connection, installation: Installation, id_: str, waiting: Waiting) -> str:
    """What became of the command, in a sentence. Raises `CommandRefused`, `WaitedTooLong`, `NotReadable`."""
    while True:
        with reading(connection.place):
            found: Mapping[str, Any] = installation.documents.read([f"commands/{id_}"])[0].fields or {}
        match found.get("result"):
            case "done":
                return str(found["message"])
            case "refused":
                raise CommandRefused(str(found["message"]))
        now = connection.outside.monotonic()
        if waiting.is_over(now=now):
            told = f"no answer to the cancel yet; it is carried out all the same: poolctl result {id_}"
            raise WaitedTooLong(told, waiting.last)
        connection.outside.pause(waiting.pause(now=now))


def _command(job_id: str, *, team: str | None, reason: str, author: str | None) -> tuple[str, bytes]:
    id_ = f"client-{secrets.token_hex(ID_BYTES)}"
    fields = {
        "id": id_,
        "kind": CommandKind.CANCEL.value,
        "job_id": job_id,
        "team": team,
        "reason": reason,
        "author": author or default_author(),
    }
    body = json.dumps({name: value for name, value in fields.items() if value is not None}).encode()
    parsed = parse_command(body, {}, default_id=id_)
    if isinstance(parsed, BadCommand):
        raise RequestRefused(parsed.problems)
    return id_, body


def default_author() -> str:
    """`user@host` of this machine. A claim, as any author is: Pub/Sub's audit log knows who published."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = "unknown"
    return f"{user}@{socket.gethostname()}"[:LONGEST_AUTHOR]
