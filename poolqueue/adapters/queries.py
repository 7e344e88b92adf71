"""Every query shape that the product uses, with the one index that each needs."""

from __future__ import annotations

from dataclasses import dataclass

from poolqueue.ports import Query


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Equality on one field, or newest first by one field, all or from a value on. `index` is a single-field
    index, sparse: documents without the field are not in it and not found.
    """

    collection: str
    equals: str | None = None
    newest_first: str | None = None

    @property
    def index(self) -> tuple[str, str]:
        """Collection and field, as the `google_firestore_field` overrides name them."""
        field = self.equals or self.newest_first
        assert field is not None
        return self.collection, field


ARRIVALS = Shape(collection="jobs", equals="inbox")  # new jobs not yet folded into a resource's queue
REGION_RESOURCES = Shape(collection="resources", equals="region")  # what one sweep looks after
RECENTLY_ENDED = Shape(collection="jobs", newest_first="ended_at")
DEAD_LETTERS = Shape(collection="dead_letters", newest_first="at")
USAGE = Shape(collection="usage", equals="month")
APPLIED_SETTINGS = Shape(collection="settings", newest_first="applied_at")

SHAPES = (ARRIVALS, REGION_RESOURCES, RECENTLY_ENDED, DEAD_LETTERS, USAGE, APPLIED_SETTINGS)
INDEXES = frozenset(shape.index for shape in SHAPES)


class UnlistedQuery(ValueError):
    """A query of a shape that no index serves: production would refuse it, or read the whole collection."""


def shape_of(query: Query) -> Shape:
    """The listed shape of `query`. Raises `UnlistedQuery` if there is none."""
    if query.limit < 1:
        raise UnlistedQuery(f"a query needs a limit of at least 1, not {query.limit}")
    if query.until is not None and query.newest_first is None:
        raise UnlistedQuery("no listed shape has an end and no order: give `newest_first` with `until`")
    for shape in SHAPES:
        if (query.collection, set(query.where), query.newest_first) == (
            shape.collection,
            {shape.equals} - {None},
            shape.newest_first,
        ):
            return shape
    raise UnlistedQuery(
        f"no listed shape for {query.collection} where {sorted(query.where)} "
        f"newest first by {query.newest_first}: list it in poolqueue/adapters/queries.py "
        "and add its index to infra/firestore.tf"
    )
