"""What a browser may ask for: a path and a query become a value, or what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from poolqueue.records import ResourceName
from poolqueue.requests.naming import resource_name
from poolqueue.scheduling.jobs import Reason

MOST_CHARACTERS = 300
MOST_PAGE = 100_000

_FILE = re.compile(r"/files/[0-9a-z]{1,64}/([a-z]+\.[a-z]+)")
_ID = re.compile(r"[^/\x00-\x1f]{1,300}")


@dataclass(frozen=True, kw_only=True)
class Shell:
    """The document itself."""


@dataclass(frozen=True, kw_only=True)
class File:
    """A style sheet, a script or a picture."""

    name: str


@dataclass(frozen=True, kw_only=True)
class Overview:
    """Every persistent resource, in short."""


@dataclass(frozen=True, kw_only=True)
class Detail:
    """One persistent resource: who held, holds and is to get its replicas, its teams, its forecasts."""

    name: ResourceName


@dataclass(frozen=True, kw_only=True)
class QueuePage:
    """A page of a queue, from 1 on; of a team, for a reason, or with a text in the job's id or the team's."""

    name: ResourceName
    page: int = 1
    team: str = ""
    reason: str = ""
    text: str = ""


@dataclass(frozen=True, kw_only=True)
class Estimates:
    """When the first of a queue are expected to start."""

    name: ResourceName


@dataclass(frozen=True, kw_only=True)
class Outcomes:
    """The jobs that ended last, or up to a time."""

    until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class OneJob:
    team: str
    job_id: str


Question = Overview | Detail | QueuePage | Estimates | Outcomes | OneJob
Ask = Shell | File | Question


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a question is answered with, as JSON, and when what it rests on was read."""

    fields: dict[str, Any]
    read_at: datetime


class Teller(Protocol):
    @property
    def clock(self) -> Callable[[], datetime]: ...

    def tell(self, question: Question) -> Told:
        """Raises `BadAsk` when it asks for what is not there, and `StoreUnavailable`."""
        ...


@dataclass(frozen=True, kw_only=True)
class BadAsk(Exception):
    """`field` of the query, or the path, has a `value` that cannot be answered."""

    status: int = 400
    field: str
    value: str
    problem: str
    remedy: str


Query = Mapping[str, str]


def parse_ask(method: str, path: str, query: Query) -> Ask | BadAsk:
    """Nothing in it is trusted."""
    try:
        return _parse(method, path, query)
    except BadAsk as bad:
        return bad


def _parse(method: str, path: str, query: Query) -> Ask:
    if method not in {"GET", "HEAD"}:
        raise BadAsk(
            status=405,
            field="method",
            value=method[:20],
            problem="nothing can be changed here",
            remedy="use GET",
        )
    if path in {"", "/"}:
        return Shell()
    if found := _FILE.fullmatch(path):
        return File(name=found[1])
    read = _PATHS.get(path)
    if read is None:
        remedy = f"ask for /, or for one of {', '.join(_PATHS)}"
        raise BadAsk(
            status=404, field="path", value=path[:MOST_CHARACTERS], problem="is not here", remedy=remedy
        )
    return read(query)


def _queue(query: Query) -> QueuePage:
    reason = query.get("reason", "")
    if reason and reason not in [*Reason]:
        raise _bad("reason", reason, "is no reason", "take one from the answer to /api/resource")
    return QueuePage(
        name=_name(query),
        page=_page(query.get("page", "1")),
        team=query.get("team", "")[:MOST_CHARACTERS],
        reason=reason,
        text=query.get("text", "").strip()[:MOST_CHARACTERS],
    )


def _one_job(query: Query) -> OneJob:
    return OneJob(team=_id(query, "team"), job_id=_id(query, "job_id"))


def _outcomes(query: Query) -> Outcomes:
    given = query.get("until")
    if given is None:
        return Outcomes()
    try:
        until = datetime.fromisoformat(given)
    except ValueError as error:
        raise _bad_time(given) from error
    if until.tzinfo is None:
        raise _bad_time(given)
    return Outcomes(until=until.astimezone(UTC))


def _bad_time(given: str) -> BadAsk:
    return _bad("until", given, "is no time with a time zone", "write it as 2026-11-23T18:05:00Z")


def _name(query: Query) -> ResourceName:
    given = query.get("name", "")
    found = resource_name(given)
    if found is None or found.project is None or found.location is None:
        remedy = "write it as projects/P/locations/L/persistentResources/ID"
        raise _bad("name", given, "is not the full name of a persistent resource", remedy)
    return ResourceName(project=found.project, location=found.location, id=found.id)


def _page(given: str) -> int:
    if not given.isascii() or not given.isdigit() or not 1 <= int(given[:9]) <= MOST_PAGE:
        raise _bad("page", given, "is no page", f"give a number from 1 to {MOST_PAGE}")
    return int(given[:9])


def _id(query: Query, field: str) -> str:
    given = query.get(field, "")
    if not _ID.fullmatch(given):
        raise _bad(field, given, "is not the name of anything", "give it as the queue shows it")
    return given


def _bad(field: str, value: str, problem: str, remedy: str) -> BadAsk:
    return BadAsk(field=field, value=value[:MOST_CHARACTERS], problem=problem, remedy=remedy)


_PATHS: Mapping[str, Callable[[Query], Ask]] = {
    "/api/overview": lambda _query: Overview(),
    "/api/resource": lambda query: Detail(name=_name(query)),
    "/api/queue": _queue,
    "/api/estimates": lambda query: Estimates(name=_name(query)),
    "/api/outcomes": _outcomes,
    "/api/job": _one_job,
}
