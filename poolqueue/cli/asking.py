"""Publishes an operator's command and waits for its result, which the system leaves in `commands/{id}`."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from poolqueue.cli.failures import Exit, Failure
from poolqueue.cli.session import Outside, Session
from poolqueue.client.cancelling import default_author
from poolqueue.messages import BadCommand, CommandKind, parse_command
from poolqueue.ports import Documents

Body = Mapping[str, Any]

ID_BYTES = 8
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What became of a command: `result` is `done` or `refused`, None as long as it is being carried out."""

    result: str | None
    message: str
    warnings: tuple[str, ...] = ()


def command_body(kind: CommandKind, fields: Mapping[str, Any], *, author: str | None) -> dict[str, Any]:
    """A command with a random id, checked as the receiver will check it. Raises `Failure` for a bad one."""
    given = {key: value for key, value in fields.items() if value is not None}
    id_ = f"poolctl-{secrets.token_hex(ID_BYTES)}"
    body = {
        "id": id_,
        "kind": kind.value,
        "author": author or default_author(),
        **given,
    }
    parsed = parse_command(_encoded(body), {}, default_id=id_)
    if isinstance(parsed, BadCommand):
        told = "; ".join(f"{p.path} {p.value}: {p.problem} ({p.remedy})" for p in parsed.problems)
        raise Failure(told, Exit.USAGE)
    return body


def publish(session: Session, body: Body, *, topic: str | None) -> None:
    session.publisher().publish(session.topic(topic), _encoded(body), {})


def _encoded(body: Body) -> bytes:
    """Without escapes where none are needed: a message has its limit."""
    return json.dumps(body, ensure_ascii=False).encode(errors="replace")


def wait_for_answer(documents: Documents, id_: str, outside: Outside, *, seconds: float) -> Answer | None:
    """Asks now and then until the result is there or `seconds` are over; None if nobody took the command."""
    until = outside.monotonic() + seconds
    pause = FIRST_PAUSE_SECONDS
    while True:
        answer = read_answer(documents, id_)
        left = until - outside.monotonic()
        if left <= 0 or (answer is not None and answer.result is not None):
            return answer
        outside.pause(min(pause, left))
        pause = min(pause * 1.5, LONGEST_PAUSE_SECONDS)


def read_answer(documents: Documents, id_: str) -> Answer | None:
    fields = documents.read([f"commands/{id_}"])[0].fields
    if fields is None:
        return None
    return Answer(
        result=fields.get("result"),
        message=fields.get("message", ""),
        warnings=tuple(fields.get("warnings", ())),
    )


def answer_fields(id_: str, answer: Answer | None) -> dict[str, Any]:
    """`result` is null as long as there is none."""
    return {
        "command_id": id_,
        "result": None if answer is None else answer.result,
        "message": "" if answer is None else answer.message,
        "warnings": [] if answer is None else list(answer.warnings),
    }
