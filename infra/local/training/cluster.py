"""How the replicas of one custom job find each other: CLUSTER_SPEC, as Vertex AI sets it on every replica."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from infra.local.training.program import InputError


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """The addresses of all replicas, `host:port`, by rank, and the rank of this one; rank 0 is the chief."""

    addresses: tuple[tuple[str, int], ...]
    rank: int

    @property
    def world_size(self) -> int:
        return len(self.addresses)

    @property
    def chief(self) -> tuple[str, int]:
        return self.addresses[0]

    @classmethod
    def alone(cls) -> Self:
        return cls(addresses=(("127.0.0.1", 0),), rank=0)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Raises `InputError` when CLUSTER_SPEC is not as documented; without one this replica is alone."""
        text = environment.get("CLUSTER_SPEC")
        if not text:
            return cls.alone()
        try:
            spec = json.loads(text)
            pools = spec["cluster"]
            members = [(pool, index) for pool in sorted(pools) for index in range(len(pools[pool]))]
            return cls(
                addresses=tuple(_address(pools[pool][index]) for pool, index in members),
                rank=members.index(_own(spec["task"])),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"CLUSTER_SPEC is not as expected ({error!r}): {text[:200]}") from error


def _own(task: Mapping[str, Any]) -> tuple[str, int]:
    return str(task["type"]), int(task["index"])


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)
