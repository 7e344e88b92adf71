"""How the stand-in behaves and misbehaves; changed at any time, unknown keys refused."""

from __future__ import annotations

import random
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from infra.local.vertex.errors import STATUS_OF_HTTP, ServiceError, Violation, found_errors

Seconds = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]
EVERY = "*"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class InjectedError(_Strict):
    """Calls of `method` (an rpc's name or `*`) answer `status`; with `after_effect` they still do their work.

    `count` is how many calls are left to spoil (None: all), `probability` how likely each is.
    """

    method: str = EVERY
    status: Literal[400, 401, 403, 404, 409, 429, 500, 503, 504] = 503
    count: Count | None = None
    message: str = "The service is currently unavailable."
    after_effect: bool = False
    probability: Annotated[float, Field(ge=0, le=1)] = 1.0

    def error(self) -> ServiceError:
        return ServiceError(STATUS_OF_HTTP[self.status], self.message)


class LogLines(_Strict):
    """What happens to lines on their way to the topic; `lose` and `double` count down."""

    lose: Count | Literal["all"] = 0
    double: Count | Literal["all"] = 0
    delay_seconds: Seconds = 0.0
    jitter_seconds: Seconds = 0.0
    silent_if_never_started: bool = False


class WhichJobs(_Strict):
    """A shell-style pattern of display names; the bare pattern will do."""

    display_name: str

    @model_validator(mode="before")
    @classmethod
    def _from_pattern(cls, given: Any) -> Any:
        return {"display_name": given} if isinstance(given, str) else given

    def match(self, display_name: str) -> bool:
        return fnmatchcase(display_name, self.display_name)


class InjectedEnding(_Strict):
    """Jobs of these display names end FAILED with this `google.rpc.Status`: once they run, or before they do.

    `count` is how many are left to end so (None: all).
    """

    display_name: str = EVERY
    code: Annotated[int, Field(ge=1, le=16)]
    message: str
    before_running: bool = False
    count: Count | None = None


class Quota(_Strict):
    """Requests per minute, project and location; beyond them calls answer 429."""

    submissions_per_minute: Count | None = None
    reads_per_minute: Count | None = None


class Behaviours(_Strict):
    """Every switch, with its default. Methods are rpc names such as `CreateCustomJob`, or `*`."""

    seed: int = 0
    run_processes: bool = True
    simulated_seconds: Seconds | None = None
    over_capacity: Literal["pend", "reject", "fail"] = "pend"
    waiting_state: Literal["JOB_STATE_PENDING", "JOB_STATE_QUEUED"] = "JOB_STATE_PENDING"
    timeout_state: Literal["JOB_STATE_FAILED", "JOB_STATE_CANCELLED"] = "JOB_STATE_FAILED"
    unknown_image: Literal["fail", "pend"] = "fail"
    late_effect_seconds: Mapping[str, Seconds] = {}
    latency_seconds: Mapping[str, Seconds] = {}
    errors: tuple[InjectedError, ...] = ()
    endings: tuple[InjectedEnding, ...] = ()
    never_answer: Mapping[str, Count] = {}
    quota: Quota = Quota()
    log_lines: LogLines = LogLines()
    used_replica_lag_seconds: Seconds = 0.0
    listing_lag_seconds: Seconds = 0.0
    get_lag_seconds: Seconds = 0.0
    hang: WhichJobs | None = None
    stay_pending: WhichJobs | None = None
    ignore_cancel: WhichJobs | None = None


class Misbehaviour:
    """The behaviours in force, their counters and their chance. Guarded by the stand-in's lock."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self.now = Behaviours()
        self._random = random.Random(0)
        self.merge(given)

    def merge(self, given: Mapping[str, Any]) -> None:
        """Raises ServiceError (400) that names every unknown key and every bad value."""
        try:
            self.now = Behaviours.model_validate(self.now.model_dump() | dict(given))
        except ValidationError as error:
            raise found_errors(violations(error)) from error
        if "seed" in given:
            self._random.seed(self.now.seed)

    def injected_error(self, method: str) -> InjectedError | None:
        for number, each in enumerate(self.now.errors):
            if self._strikes(each, method):
                if each.count is not None:
                    self._set_errors(number, each.model_copy(update={"count": each.count - 1}))
                return each
        return None

    def _strikes(self, error: InjectedError, method: str) -> bool:
        concerned = error.method in (method, EVERY) and error.count != 0
        return concerned and self._random.random() < error.probability

    def _set_errors(self, number: int, error: InjectedError) -> None:
        errors = (*self.now.errors[:number], error, *self.now.errors[number + 1 :])
        self._update(errors=errors)

    def injected_ending(self, display_name: str, *, before_running: bool) -> InjectedEnding | None:
        for number, each in enumerate(self.now.endings):
            concerned = each.before_running is before_running and each.count != 0
            if concerned and fnmatchcase(display_name, each.display_name):
                if each.count is not None:
                    left = each.model_copy(update={"count": each.count - 1})
                    endings = (*self.now.endings[:number], left, *self.now.endings[number + 1 :])
                    self._update(endings=endings)
                return each
        return None

    def leaves_unanswered(self, method: str) -> bool:
        for key in (method, EVERY):
            left = self.now.never_answer.get(key, 0)
            if left:
                self._update(never_answer={**self.now.never_answer, key: left - 1})
                return True
        return False

    def copies_of_a_line(self) -> int:
        """How often the next line for the topic arrives: 0, 1 or 2 times."""
        lines = self.now.log_lines
        if lines.lose:
            self._count_down(lines, "lose")
            return 0
        if lines.double:
            self._count_down(lines, "double")
            return 2
        return 1

    def _count_down(self, lines: LogLines, key: str) -> None:
        left = getattr(lines, key)
        if left != "all":
            self._update(log_lines=lines.model_copy(update={key: left - 1}))

    def line_delay_seconds(self) -> float:
        lines = self.now.log_lines
        return lines.delay_seconds + self._random.random() * lines.jitter_seconds

    def _update(self, **changes: Any) -> None:
        self.now = self.now.model_copy(update=changes)


def seconds_of(table: Mapping[str, float], method: str) -> float:
    return table.get(method, table.get(EVERY, 0.0))


def violations(error: ValidationError) -> list[Violation]:
    return [
        Violation(field=".".join(str(part) for part in each["loc"]), message=each["msg"])
        for each in error.errors()
    ]
