"""Where else a job may run than at its home, the persistent resource in whose queue it waits."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Alternative:
    """`resource`: the key of a persistent resource, None for any whose pools match.

    The job may go there when it has waited for `after` seconds since its request was published.
    """

    resource: str | None
    after: int = 0
