"""What a command asks to be otherwise with a job: the settings of its request that can be changed later."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from poolqueue.requests.collecting import Problems
from poolqueue.requests.naming import ResourceName
from poolqueue.requests.places import Place, read_alternatives
from poolqueue.requests.reading import Unreadable, read_json
from poolqueue.requests.settings import read_priority
from poolqueue.requests.wishes import read_span, read_time

CHANGEABLE = ("priority", "deadline", "max_wait", "alternatives")
NONE = "none"

_ANYWHERE = ResourceName(id="")


@dataclass(frozen=True, kw_only=True)
class Changes:
    """`given` are the names of what is to be otherwise; the rest stays as it is. A `deadline` or `max_wait`
    of None is taken away. A place that is given by its id alone has neither project nor location.
    """

    given: frozenset[str] = frozenset()
    priority: int | None = None
    deadline: datetime | None = None
    max_wait: int | None = None
    alternatives: tuple[Place, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.given)

    def canonical(self) -> dict[str, Any]:
        """As a record keeps them."""
        places = [
            {
                "persistent_resource": None if each.resource is None else each.resource.full,
                "after": each.after,
            }
            for each in self.alternatives
        ]
        values = {
            "priority": self.priority,
            "deadline": self.deadline,
            "max_wait": self.max_wait,
            "alternatives": places,
        }
        return {name: value for name, value in values.items() if name in self.given}


NO_CHANGES = Changes()


def read_changes(given: Mapping[str, Any], problems: Problems) -> Changes:
    """Of the fields of a command; those that are no changes are left aside."""
    named = {name: given[name] for name in CHANGEABLE if name in given}
    deadline, max_wait = (
        None if given.get(name) == NONE else given.get(name) for name in ("deadline", "max_wait")
    )
    return Changes(
        given=frozenset(named),
        priority=read_priority("priority", named["priority"], problems) if "priority" in named else None,
        deadline=None if deadline is None else read_time("deadline", deadline, problems),
        max_wait=None if max_wait is None else read_span("max_wait", max_wait, problems),
        alternatives=_alternatives(named.get("alternatives"), problems),
    )


def _alternatives(given: Any, problems: Problems) -> tuple[Place, ...]:
    if isinstance(given, str):
        with suppress(Unreadable):  # is told as the text that it is
            given = read_json(given)
    return read_alternatives(("alternatives", given), _ANYWHERE, problems) or ()
