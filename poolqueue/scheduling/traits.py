"""What a job's run time is learned by: whom it resembles, and within what bounds it stays."""

from __future__ import annotations

from dataclasses import dataclass

LONGEST_TIMEOUT_SECONDS = 7 * 86_400


@dataclass(frozen=True, kw_only=True, slots=True)
class Traits:
    """Jobs that share one of `keys` are similar.

    `keys`: short hashes, from the most specific similarity to the least; the last one is of all teams.
    `timeout`: the longest that an attempt may run, in seconds. `claimed`: what its publisher expects of it.
    `min_run`: for how long an attempt, once it runs, is not preempted.
    """

    keys: tuple[str, ...] = ()
    timeout: int = LONGEST_TIMEOUT_SECONDS
    claimed: int | None = None
    min_run: int = 0


NO_TRAITS = Traits()
