"""What a publisher or a team wants after an attempt that ended badly: how often to retry, when and where."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from poolqueue.scheduling.failures import ERROR_CLASSES, BadEnd, Failure
from poolqueue.scheduling.problems import Problem, shortened

MOST_ATTEMPTS = 20
MOST_RULES = 20
MOST_LISTED = 20  # values of one condition
LONGEST_TEXT = 200
HIGHEST_EXIT_CODE = 255
USUAL_ATTEMPTS = 3
INFRASTRUCTURE_RETRIES = 3
FIRST_PAUSE_SECONDS = 30
LONGEST_PAUSE_SECONDS = 30 * 60
SPREAD = 0.1
TIMES = {"never": 0, "once": 1}
RETRIED_CLASSES = tuple(name for name in ERROR_CLASSES if name not in {"OK", "CANCELLED"})

_TEXT_SHOWN = 40


@dataclass(frozen=True, kw_only=True)
class Pause:
    """`first` seconds before the next attempt, twice as long each further time, `longest` at the most."""

    first: int = FIRST_PAUSE_SECONDS
    longest: int = LONGEST_PAUSE_SECONDS

    def seconds(self, before: int, *, of: str) -> float:
        """The pause after `before` earlier ones, and up to a tenth more, so that jobs that failed together do
        not come back together: how much is fixed by what it is `of`, a job and its attempt.
        """
        plain = min(self.longest, self.first << min(before, 40))
        chance = int.from_bytes(hashlib.blake2b(of.encode(), digest_size=4).digest()) / 2**32
        return plain * (1 + SPREAD * chance)


def pause_of(first: int | None, longest: int | None) -> Pause | None:
    """None when nothing is said of it; the one that is left out is as usual, or gives way to the other."""
    if first is None:
        return None if longest is None else Pause(first=min(FIRST_PAUSE_SECONDS, longest), longest=longest)
    return Pause(first=first, longest=max(LONGEST_PAUSE_SECONDS, first) if longest is None else longest)


@dataclass(frozen=True, kw_only=True)
class RetryRule:
    """Applies to a failure of which all its conditions hold; a condition that lists several, if one of them.

    `text` is part of the error's, in whatever case. Without `ends`, a rule about an error is about any bad
    end, and another one about failed attempts only. `retry`: how often it may send a job again, 0 for never,
    None for as long as the job may have attempts. `pool`: the id of the pool that the next attempt asks for.
    `pause` takes the place of the general one.
    """

    ends: tuple[BadEnd, ...] = ()
    exit_codes: tuple[int, ...] = ()
    error_classes: tuple[str, ...] = ()
    text: str | None = None
    retry: int | None = None
    pool: str | None = None
    pause: Pause | None = None

    def applies(self, failure: Failure) -> bool:
        return all(
            (
                failure.end in (self.ends or self._usual_ends),
                not self.exit_codes or not set(self.exit_codes).isdisjoint(failure.exit_codes),
                not self.error_classes or failure.error_class in self.error_classes,
                self.text is None or self.text.casefold() in (failure.error or "").casefold(),
            )
        )

    @property
    def _usual_ends(self) -> tuple[BadEnd, ...]:
        return tuple(BadEnd) if self.error_classes or self.text is not None else (BadEnd.FAILED,)

    def __str__(self) -> str:
        """Its conditions: `exit code 137 or 139, text "CUDA"`."""
        parts = [
            _either(self.ends),
            f"exit code {_either(self.exit_codes)}" if self.exit_codes else "",
            f"error {_either(self.error_classes)}" if self.error_classes else "",
            "" if self.text is None else f'text "{_short(self.text)}"',
        ]
        return ", ".join(part for part in parts if part) or BadEnd.FAILED.value

    def canonical(self) -> dict[str, Any]:
        """What it says, as JSON values; equal for equal rules in whatever spelling."""
        said = {
            "outcome": sorted(self.ends),
            "exit_code": sorted(self.exit_codes),
            "error": sorted(self.error_classes),
            "text": self.text,
            "retry": self.retry,
            "pool": self.pool,
            "backoff": self.pause and [self.pause.first, self.pause.longest],
        }
        return {name: value for name, value in said.items() if value not in (None, [])}


@dataclass(frozen=True, kw_only=True)
class Retries:
    """Up to `attempts` charged ones in all. The first rule that applies to a failure says what comes next;
    without any rules, each failed attempt is followed by another.

    `infrastructure`: how many attempts that ended by Vertex AI's fault are followed by another, uncharged.
    `of_team`: they are the default of the job's team, its publisher gave none.
    """

    attempts: int = 1
    rules: tuple[RetryRule, ...] = ()
    infrastructure: int = INFRASTRUCTURE_RETRIES
    pause: Pause = Pause()
    of_team: bool = False

    @property
    def are_wanted(self) -> bool:
        """Does anybody want more than what Vertex AI spoils to be tried again?"""
        return self.attempts > 1 or bool(self.rules)

    def rule_for(self, failure: Failure) -> tuple[int | None, RetryRule] | None:
        """The rule, with its number from 1 on, or None for the number of the one that is not written down."""
        if not self.rules:
            usual = RetryRule()
            return (None, usual) if usual.applies(failure) else None
        found = ((n, rule) for n, rule in enumerate(self.rules, start=1) if rule.applies(failure))
        return next(found, None)

    def named(self, number: int) -> str:
        """`rule 1 (exit code 137)`, or `the team's rule 1 (exit code 137)`."""
        whose = "the team's " if self.of_team else ""
        return f"{whose}rule {number} ({self.rules[number - 1]})"

    def pools(self) -> Iterator[tuple[int, str]]:
        """The pools that rules name, with the rule's place from 0 on."""
        return ((n, rule.pool) for n, rule in enumerate(self.rules) if rule.pool is not None)

    def canonical(self) -> dict[str, Any]:
        return {
            "attempts": self.attempts,
            "infrastructure": self.infrastructure,
            "backoff": [self.pause.first, self.pause.longest],
            "rules": [rule.canonical() for rule in self.rules],
        }


NO_RETRIES = Retries()
"""Of a job for which nobody wants any: only what Vertex AI spoils is tried again."""


def contradictions(retries: Retries) -> Iterator[Problem]:
    """What its parts say against each other, each of them being right; paths begin below the retries."""
    yield from _of_pause(retries.pause, "")
    for index, rule in enumerate(retries.rules):
        path = f"rules[{index}]."
        yield from _of_rule(rule, path, retries.attempts)
        yield from () if rule.pause is None else _of_pause(rule.pause, path)


def _of_pause(pause: Pause, path: str) -> Iterator[Problem]:
    if pause.longest < pause.first:
        yield Problem(
            path=f"{path}longest_backoff",
            value=f"{pause.longest}s",
            problem=f"is shorter than the backoff of {pause.first}s",
            remedy="give a longer one, or a shorter backoff",
        )


def _of_rule(rule: RetryRule, path: str, attempts: int) -> Iterator[Problem]:
    if rule.retry and rule.retry >= attempts:
        yield Problem(
            path=f"{path}retry",
            value=str(rule.retry),
            problem=f"is more often than attempts: {attempts} allows",
            remedy=f"give attempts: {rule.retry + 1}, or retry it less often",
        )
    if rule.retry == 0 and (rule.pool is not None or rule.pause is not None):
        yield Problem(
            path=f"{path}{'backoff' if rule.pool is None else 'pool'}",
            value=f"{rule.pause and rule.pause.first}s" if rule.pool is None else shortened(rule.pool),
            problem="says how to retry, and the rule says never",
            remedy="leave one of the two out",
        )
    if rule.exit_codes and (rule.error_classes or (rule.ends and BadEnd.FAILED not in rule.ends)):
        yield Problem(
            path=f"{path}exit_code",
            value=_either(rule.exit_codes),
            problem="only a failed attempt has exit codes, and then no other class of errors",
            remedy="make two rules of it",
        )


def charged(failures: tuple[Failure, ...]) -> int:
    return sum(failure.is_charged for failure in failures)


def _either(listed: tuple[object, ...]) -> str:
    return " or ".join(map(str, listed))


def _short(text: str) -> str:
    return shortened(text if len(text) <= _TEXT_SHOWN else text[: _TEXT_SHOWN - 1] + "…")
