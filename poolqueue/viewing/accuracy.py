"""How good estimates of starts have been, per persistent resource."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from poolqueue.records import ResourceName, forecasts_path, read_scorecard, resource_path
from poolqueue.scheduling.scorecard import LEAST_SCORES, Scorecard, accuracy, correction, overdue
from poolqueue.viewing.reading import Reader


@dataclass(frozen=True, kw_only=True)
class ResourceStats:
    name: ResourceName
    card: Scorecard
    now: datetime


def read_stats(reader: Reader, only: ResourceName | str | None, *, now: datetime) -> list[ResourceStats]:
    """Of the resources known in the regions, or the one named if it is known."""
    names = reader.names(only)
    found = reader.documents.read([*map(resource_path, names), *map(forecasts_path, names)])
    triples = zip(names, found, found[len(names) :], strict=False)
    return [
        ResourceStats(name=name, card=read_scorecard(forecasts.fields), now=now)
        for name, known, forecasts in triples
        if known.exists
    ]


def stats_fields(each: ResourceStats) -> dict[str, Any]:
    card, its, factors = each.card, accuracy(each.card), correction(each.card)
    return {
        "persistent_resource": each.name.full,
        "latest": None if its is None else asdict(its),
        "ever": asdict(card.totals),
        "open": len(card.open),
        "overdue": overdue(card, now=each.now),
        "correction": {**asdict(factors), "learned_from_at_least": LEAST_SCORES},
    }
