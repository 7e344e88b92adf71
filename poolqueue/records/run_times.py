"""The document of a resource's learned run times: `run_times/{project}.{location}.{id}`.

Evidence of 4,000 keys must find room: weights are packed as numbers of two bytes, in quanta of their key's
largest.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

from poolqueue.records.names import SCHEMA, ResourceName
from poolqueue.scheduling.buckets import COUNT
from poolqueue.scheduling.evidence import Evidence
from poolqueue.scheduling.run_times import Going, RunTimes

_WEIGHTS = struct.Struct(f"<{2 * COUNT}H")
_MOST = 65_535


def run_times_path(name: ResourceName) -> str:
    return f"run_times/{name.key}"


def write_run_times(run_times: RunTimes) -> dict[str, Any]:
    """All of it: rows of keys, their weights in the same order, and the runs that go on."""
    keys = {key: place for place, key in enumerate(run_times.evidence)}
    going = [_write_going(token, run, keys) for token, run in run_times.going.items()]
    rows, weights = [], []
    for evidence in run_times.evidence.values():
        quantum = max(*evidence.ended, *evidence.at_risk, evidence.unit) / _MOST
        weights.append(_pack(evidence, quantum))
        counts = [evidence.depth, evidence.starts, evidence.runs, evidence.since, evidence.used]
        rows.append([*counts, float(f"{evidence.unit / quantum:.5g}")])
    return {
        "schema": SCHEMA,
        "buckets": COUNT,
        "keys": _packed([list(keys), rows, going]),
        "weights": zlib.compress(b"".join(weights)),
    }


def read_run_times(fields: Mapping[str, Any] | None) -> RunTimes:
    """As it was written; nothing was learned yet where there is no document, or one with other buckets."""
    if fields is None or fields["buckets"] != COUNT:
        return RunTimes()
    keys, rows, going = json.loads(zlib.decompress(fields["keys"]))
    weights = _WEIGHTS.iter_unpack(zlib.decompress(fields["weights"]))
    evidence = map(_unpack, rows, weights)
    return RunTimes(zip(keys, evidence, strict=False), dict(_read_going(each, keys) for each in going))


def _pack(evidence: Evidence, quantum: float) -> bytes:
    scale = 1.0 / quantum
    return _WEIGHTS.pack(*[max(0, int(each * scale + 0.5)) for each in evidence.ended + evidence.at_risk])


def _unpack(row: list[Any], weights: tuple[int, ...]) -> Evidence:
    depth, starts, runs, since, used, unit = row
    return Evidence.restored(
        depth, starts=starts, runs=runs, since=since, used=used, unit=unit, weights=weights
    )


def _write_going(token: str, run: Going, keys: dict[str, int]) -> list[Any]:
    """A key that was forgotten meanwhile gets a place after those with evidence."""
    places = [keys.setdefault(key, len(keys)) for key in run.keys]
    return [token, run.number, round(run.since), run.bucket, places, run.starts]


def _read_going(row: Iterable[Any], keys: list[str]) -> tuple[str, Going]:
    token, number, since, bucket, places, starts = row
    names = tuple(keys[place] for place in places)
    return token, Going(names, tuple(starts), number, float(since), bucket)


def _packed(content: list[Any]) -> bytes:
    return zlib.compress(json.dumps(content, separators=(",", ":")).encode())
