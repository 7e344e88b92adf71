"""The document of a resource's forecasts: `forecasts/{resource}`: those that are open, and how others did."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from poolqueue.records.moments import from_micros, to_micros
from poolqueue.records.names import SCHEMA, ResourceName
from poolqueue.scheduling.scorecard import OpenForecast, Score, Scorecard, Totals


def forecasts_path(name: ResourceName) -> str:
    return f"forecasts/{name.key}"


def write_scorecard(card: Scorecard) -> dict[str, Any]:
    """The fields; open forecasts and scores are packed, and nothing is indexed."""
    content = {
        "open": [[key, *_write_open(each)] for key, each in card.open.items()],
        "scores": [_write_score(each) for each in card.scores],
    }
    packed = zlib.compress(json.dumps(content, separators=(",", ":")).encode())
    return {"schema": SCHEMA, "forecasts": packed, "totals": asdict(card.totals), "looked": card.looked}


def read_scorecard(fields: Mapping[str, Any] | None) -> Scorecard:
    """An empty one where nothing was written yet."""
    if fields is None:
        return Scorecard()
    content = json.loads(zlib.decompress(fields["forecasts"]))
    return Scorecard(
        open={key: _read_open(rest) for key, *rest in content["open"]},
        scores=tuple(map(_read_score, content["scores"])),
        totals=Totals(**fields["totals"]),
        looked=fields["looked"],
    )


def _write_open(each: OpenForecast) -> list[Any]:
    return [to_micros(each.made), each.p50, each.p90, *each.sampled, each.basis]


def _read_open(row: list[Any]) -> OpenForecast:
    made, p50, p90, early, late, basis = row
    return OpenForecast(made=from_micros(made), p50=p50, p90=p90, sampled=(early, late), basis=basis)


def _write_score(each: Score) -> list[Any]:
    return [to_micros(each.made), each.p50, each.p90, *each.sampled, each.waited]


def _read_score(row: list[Any]) -> Score:
    made, p50, p90, early, late, waited = row
    return Score(made=from_micros(made), p50=p50, p90=p90, sampled=(early, late), waited=waited)
