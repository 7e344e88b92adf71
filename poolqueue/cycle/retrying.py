"""Compare and set, again and again: one attempt is read, decide, commit; a conflict asks for another."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TypeVar

from poolqueue.ports import Conflict
from poolqueue.system import System

ATTEMPTS = 40
FIRST_PAUSE_SECONDS = 0.02
LONGEST_PAUSE_SECONDS = 1.0

_Result = TypeVar("_Result")


def until_settled(system: System, attempt: Callable[[], _Result], *, attempts: int = ATTEMPTS) -> _Result:
    """The result of the first attempt without a conflict. Raises the last `Conflict` after `attempts`.

    Between attempts it pauses, by a random part of a doubling time: rivals must not stay in step.
    """
    for number in range(attempts):
        try:
            return attempt()
        except Conflict:
            if number == attempts - 1:
                raise
            pause(system, number)
    raise AssertionError("unreachable: the last attempt returns or raises")


def pause(system: System, number: int) -> None:
    longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(number, 6))
    system.sleep(random.uniform(0, longest))  # noqa: S311  jitter, not a secret
