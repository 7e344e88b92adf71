"""Somebody's browser asks for the page, one of its files, or what it shows; nothing can be changed here."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Protocol, assert_never

from poolqueue.page.answers import FOR_EVER, Answer, Wanted, answer, json_answer, problem_answer
from poolqueue.page.asks import (
    BadAsk,
    Detail,
    Estimates,
    File,
    OneJob,
    Outcomes,
    Overview,
    Question,
    QueuePage,
    Shell,
    Teller,
    parse_ask,
)
from poolqueue.page.files import SHELL, files
from poolqueue.ports import StoreUnavailable

log = logging.getLogger(__name__)


class Request(Protocol):
    """What we need of Flask's request."""

    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def args(self) -> Mapping[str, str]: ...
    @property
    def headers(self) -> Any: ...


def handle(page: Teller, request: Request) -> Answer:
    """Who may ask is IAM's affair: the function's invokers are the page's readers."""
    wanted = Wanted(
        etags=request.headers.get("If-None-Match", ""), encodings=request.headers.get("Accept-Encoding", "")
    )
    match parse_ask(request.method, request.path, request.args):
        case Shell():
            return answer(files().contents[SHELL], files().kind(SHELL), wanted)
        case File(name=name):
            return _file(name, wanted)
        case (Overview() | Detail() | QueuePage() | Estimates() | Outcomes() | OneJob()) as question:
            return _tell(page, question, wanted)
        case BadAsk() as bad:
            return _refuse(bad)
        case unreachable:
            assert_never(unreachable)


def _file(name: str, wanted: Wanted) -> Answer:
    content = files().contents.get(name)
    if content is None or name == SHELL:
        remedy = "load the page again"
        return _refuse(
            BadAsk(status=404, field="path", value=name, problem="is no file of the page", remedy=remedy)
        )
    return answer(content, files().kind(name), wanted, keep=FOR_EVER)


def _tell(page: Teller, question: Question, wanted: Wanted) -> Answer:
    try:
        told = page.tell(question)
    except BadAsk as bad:
        return _refuse(bad)
    except StoreUnavailable as error:
        log.warning("page_not_read", extra={"asked": type(question).__name__, "error": str(error)})
        return _unavailable()
    return json_answer(told.fields, wanted, read_at=told.read_at, now=page.clock())


def _refuse(bad: BadAsk) -> Answer:
    told = {"field": bad.field, "value": bad.value, "problem": bad.problem, "remedy": bad.remedy}
    allow = {"Allow": "GET, HEAD"} if bad.status == 405 else {}  # noqa: PLR2004  the status
    return problem_answer(bad.status, **told, **allow)


def _unavailable() -> Answer:
    return problem_answer(
        503,
        field="",
        value="",
        problem="Firestore does not answer",
        remedy="wait: the page asks again by itself",
        Retry_After="10",
    )
