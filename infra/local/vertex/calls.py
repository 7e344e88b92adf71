"""One call of the service as it came in, and the parameters that its query may carry."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from infra.local.vertex.errors import invalid_argument, invalid_payload

_SYSTEM_PARAMETERS = frozenset({"alt", "key", "prettyPrint", "quotaUser", "fields", "uploadType"})


@dataclass(frozen=True, kw_only=True)
class Call:
    """`project` is the project's id, also if the path has its number; `query` has camelCase keys."""

    rpc: str
    project: str
    location: str
    id: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def parameters(self, *known: str) -> Mapping[str, str]:
        """Raises ServiceError if the query has parameters that the request has not."""
        for name in self.query:
            if name not in known:
                raise invalid_payload(
                    f'Unknown name "{name}": Cannot bind query parameter. '
                    f"Field '{name}' could not be found in request message.",
                    field=name,
                )
        return self.query


def query_parameters(given: Mapping[str, str]) -> dict[str, str]:
    """Without system parameters (`alt`, `$alt`), snake_case names turned into camelCase."""
    return {
        camel(name): value
        for name, value in given.items()
        if name not in _SYSTEM_PARAMETERS and not name.startswith("$")
    }


def camel(name: str) -> str:
    return re.sub(r"_([a-z0-9])", lambda letter: letter[1].upper(), name)


def page_size(given: str | None, *, limit: int) -> int:
    try:
        size = int(given or 0)
    except ValueError:
        size = -1
    if size < 0:
        raise invalid_argument("The page size must not be negative.")
    return min(size or limit, limit)
