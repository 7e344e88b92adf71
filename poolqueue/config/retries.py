"""A team's default retries: what follows an attempt that ended badly where the request does not say it."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from poolqueue.config.values import EVERY_POOL, YEAR, Model, PoolId, duration
from poolqueue.scheduling.failures import BadEnd
from poolqueue.scheduling.retries import (
    HIGHEST_EXIT_CODE,
    INFRASTRUCTURE_RETRIES,
    LONGEST_TEXT,
    MOST_ATTEMPTS,
    MOST_LISTED,
    MOST_RULES,
    RETRIED_CLASSES,
    TIMES,
    USUAL_ATTEMPTS,
    Pause,
    Retries,
    RetryRule,
    contradictions,
    pause_of,
)


def _listed(value: Any) -> Any:
    """One value may stand without its list."""
    return value if isinstance(value, list | tuple) else [value]


def _times(value: Any) -> Any:
    return TIMES.get(value, value) if isinstance(value, str) else value


def _known_class(value: str) -> str:
    if value not in RETRIED_CLASSES:
        raise ValueError(f"{value} is not a class of errors: give one of {', '.join(RETRIED_CLASSES)}")
    return value


def _one_pool(value: Any) -> Any:
    if value == EVERY_POOL:
        raise ValueError("name one pool")
    return value


ExitCode = Annotated[int, Field(ge=1, le=HIGHEST_EXIT_CODE)]
ErrorClass = Annotated[str, BeforeValidator(_known_class)]
Listed = BeforeValidator(_listed)
SomeOf = Field(min_length=1, max_length=MOST_LISTED)
Span = Annotated[timedelta, BeforeValidator(duration), Field(ge=timedelta(0), le=YEAR)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_TEXT)]


class RetryRuleSettings(Model):
    """As `scheduling.retries.RetryRule` says; a field left out is no condition, or says nothing."""

    outcome: Annotated[tuple[BadEnd, ...], Listed, SomeOf] | None = None
    exit_code: Annotated[tuple[ExitCode, ...], Listed, SomeOf] | None = None
    error: Annotated[tuple[ErrorClass, ...], Listed, SomeOf] | None = None
    text: Text | None = None
    retry: Annotated[int, BeforeValidator(_times), Field(ge=0, lt=MOST_ATTEMPTS)] | None = None
    pool: Annotated[PoolId, BeforeValidator(_one_pool)] | None = None
    backoff: Span | None = None
    longest_backoff: Span | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("is empty: for any failure, give outcome: failed")
        return self

    def rule(self) -> RetryRule:
        return RetryRule(
            ends=self.outcome or (),
            exit_codes=self.exit_code or (),
            error_classes=self.error or (),
            text=self.text,
            retry=self.retry,
            pool=self.pool,
            pause=_pause(self.backoff, self.longest_backoff),
        )


class RetrySettings(Model):
    """As `scheduling.retries.Retries` says."""

    attempts: int = Field(default=USUAL_ATTEMPTS, ge=1, le=MOST_ATTEMPTS)
    backoff: Span | None = None
    longest_backoff: Span | None = None
    infrastructure: int = Field(default=INFRASTRUCTURE_RETRIES, ge=0, le=MOST_ATTEMPTS)
    rules: tuple[RetryRuleSettings, ...] = Field(default=(), max_length=MOST_RULES)

    @model_validator(mode="after")
    def _its_parts_agree(self) -> Self:
        if found := [f"{e.path} {e.value} {e.problem}; {e.remedy}" for e in contradictions(self.retries())]:
            raise ValueError("; ".join(found))
        return self

    def retries(self) -> Retries:
        return Retries(
            attempts=self.attempts,
            rules=tuple(rule.rule() for rule in self.rules),
            infrastructure=self.infrastructure,
            pause=_pause(self.backoff, self.longest_backoff) or Pause(),
            of_team=True,
        )


def _pause(backoff: timedelta | None, longest: timedelta | None) -> Pause | None:
    first, last = (each if each is None else math.ceil(each.total_seconds()) for each in (backoff, longest))
    return pause_of(first, last)
