"""What the commands of `poolctl` do that steer: publish commands, and tell what became of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import typer

from poolqueue.cli.asking import Answer, Body, answer_fields, command_body, publish, wait_for_answer
from poolqueue.cli.failures import Exit, Failure
from poolqueue.cli.output import Output
from poolqueue.cli.session import Session
from poolqueue.messages import CommandKind
from poolqueue.viewing.as_json import as_text
from poolqueue.viewing.wording import name

_NONE = "none"


@dataclass(frozen=True, kw_only=True)
class How:
    """By whom and why it is asked for, on which topic; for how many seconds the results are waited for."""

    reason: str
    author: str | None = None
    topic: str | None = None
    wait: float
    in_json: bool = False


def steer_jobs(
    session: Session,
    output: Output,
    kind: CommandKind,
    job_ids: Sequence[str],
    how: How,
    *,
    team: str | None = None,
    **fields: Any,
) -> None:
    """One command for each job, each once, however often it is named."""
    targets = [{"job_id": job_id, "team": team, **fields} for job_id in dict.fromkeys(job_ids)]
    steer(session, output, kind, targets, how)


def steer(
    session: Session, output: Output, kind: CommandKind, targets: Sequence[Mapping[str, Any]], how: How
) -> None:
    """Publish a command for each target, then wait for their results. Nothing is published if one of them is
    malformed. Ends with the highest code of all of them.
    """
    bodies: list[Body] = [
        command_body(kind, {**target, "reason": how.reason}, author=how.author) for target in targets
    ]
    told = _Told(session, output, how, is_one=len(bodies) == 1)
    published: list[Body] = []
    try:
        for each in bodies:
            publish(session, each, topic=how.topic)
            published.append(each)
        answers = [*_answers(session, output, bodies, how.wait)]
    except BaseException:
        for each in published:
            again = f"poolctl result {each['id']}"
            output.note(f"the command is published and takes its course; look again: {again}")
        raise
    codes = [told.tell(body, answer) for body, answer in answers]
    if how.in_json:
        output.lines([as_text({"commands": [_fields(body, answer) for body, answer in answers]})])
    if worst := max(codes):
        raise typer.Exit(worst)


def confirm(session: Session, question: str) -> None:
    """Raises `Failure` unless somebody says yes."""
    answer = session.outside.confirm(question)
    if answer is None:
        raise Failure("nobody is there to be asked: give --yes", Exit.USAGE)
    if not answer:
        raise Failure("nothing was done", Exit.REFUSED)


def terms_of(
    *,
    priority: int | None = None,
    deadline: str | None = None,
    max_wait: str | None = None,
    alternatives: Sequence[str] | None = None,
) -> dict[str, Any]:
    """What is to be otherwise, as a command has it. An alternative is `NAME` or `NAME=AFTER`, or `none`."""
    places = None if alternatives is None else [_place(each) for each in alternatives if each != _NONE]
    given = {"priority": priority, "deadline": deadline, "max_wait": max_wait, "alternatives": places}
    return {key: value for key, value in given.items() if value is not None}


def _place(given: str) -> str | dict[str, str]:
    resource, is_later, after = given.partition("=")
    return {"persistent_resource": resource, "after": after} if is_later else resource


def _answers(
    session: Session, output: Output, bodies: Sequence[Body], seconds: float
) -> Iterable[tuple[Body, Answer | None]]:
    """In the order asked; all together are waited for so long."""
    until = session.outside.monotonic() + seconds
    what = f"command {bodies[0]['id']}" if len(bodies) == 1 else f"{len(bodies):,} commands"
    with output.notes.status(f"{what}: waiting up to {seconds:.0f} s for the result"):
        for body in bodies:
            left = max(0.0, until - session.outside.monotonic())
            yield body, wait_for_answer(session.documents(), str(body["id"]), session.outside, seconds=left)


@dataclass(frozen=True, kw_only=True)
class _About:
    """A result as it is told: how it went, in which colour, and with which exit code."""

    told: str
    style: str
    code: Exit


class _Told:
    """Tells results, each under its target if there are several."""

    def __init__(self, session: Session, output: Output, how: How, *, is_one: bool) -> None:
        self._session = session
        self._output = output
        self._how = how
        self._is_one = is_one

    def tell(self, body: Body, answer: Answer | None) -> Exit:
        about = self._about(str(body["id"]), answer)
        if self._how.in_json:
            return about.code
        head = "" if self._is_one else f"{name(str(body.get('job_id', '')))}: "
        for line in f"{head}{about.told}".splitlines():
            if about.code is Exit.NO_ANSWER:
                self._output.note(line, style=about.style)
            else:
                self._output.tell(line, style=about.style)
        return about.code

    def _about(self, id_: str, answer: Answer | None) -> _About:
        again = f"look again: poolctl result {id_}"
        match answer:
            case Answer(result="done", message=message):
                return _About(told=f"done: {message}", style="green", code=Exit.DONE)
            case Answer(result=str(), message=message):
                return _About(told=f"refused: {message}", style="red", code=Exit.REFUSED)
            case Answer():
                return _About(told=f"still being carried out; {again}", style="red", code=Exit.NO_ANSWER)
            case None:
                topic = self._session.topic(self._how.topic)
                functions = f"is job_commanded deployed, and subscribed to {topic}?"
                told = f"nobody has taken the command yet ({functions}); {again}"
                return _About(told=told, style="red", code=Exit.NO_ANSWER)


def _fields(body: Body, answer: Answer | None) -> dict[str, Any]:
    targets = ("job_id", "team", "persistent_resource", "pool")
    named = {key: body[key] for key in targets if key in body}
    return {"kind": body["kind"], **named, **answer_fields(str(body["id"]), answer)}
