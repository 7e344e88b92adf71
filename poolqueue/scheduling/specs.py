"""Machine and disk specs as canonical strings, so that "matches exactly" is string equality."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

# Vertex AI fills in what a spec leaves out; an absent field and its default are the same machine.
_MACHINE_DEFAULTS: dict[str, object] = {
    "acceleratorType": "ACCELERATOR_TYPE_UNSPECIFIED",
    "acceleratorCount": 0,
    "tpuTopology": "",
    "reservationAffinity": {},
    "gpuPartitionSize": "",
}


def canonical_machine(spec: Mapping[str, Any]) -> str:
    """The canonical JSON string of a machineSpec in camelCase; fields at their default are left out."""
    return _canonical({k: v for k, v in spec.items() if v != _MACHINE_DEFAULTS.get(k, object())})


def canonical_disk(spec: Mapping[str, Any]) -> str | None:
    """The canonical JSON string of a diskSpec in camelCase, or None when nothing is given.

    `bootDiskSizeGb` defaults to 100 on both sides; the type is never guessed: Google's pages contradict
    each other about the default (pd-ssd or pd-standard).
    """
    given = {k: v for k, v in spec.items() if v not in ("", 0, None)}
    if not given:
        return None
    return _canonical({"bootDiskSizeGb": 100, **given})


def _canonical(spec: Mapping[str, Any]) -> str:
    return json.dumps(spec, sort_keys=True, separators=(",", ":"))
