"""Reads the pools of a simulation from a YAML file: a list of `id`, `machine`, `gpus` and `replicas`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from poolqueue.simulation.workload import SimulatedPool

EXAMPLE = "{id: a100, machine: a2-highgpu-8g, gpus: 8, replicas: 16}"
MOST_POOLS = 1_000


class PoolsError(ValueError):
    """A pools file that cannot be used: every field that is wrong, and what would be right."""


class _Pool(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(min_length=1)
    machine: str = ""
    gpus: int = Field(ge=0, description="per machine")
    replicas: int = Field(ge=1, le=1_000_000)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    pools: tuple[_Pool, ...] = Field(min_length=1, max_length=MOST_POOLS)


def read_pools(path: Path) -> tuple[SimulatedPool, ...]:
    """The pools in their order. Raises `PoolsError`."""
    try:
        return parse_pools(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PoolsError(f"{path}: {error.strerror}; give a readable YAML file") from error
    except ValueError as error:
        raise PoolsError(f"{path}: {error}") from error


def parse_pools(text: str) -> tuple[SimulatedPool, ...]:
    """The pools in their order, of a list or of a mapping whose `pools` is one. Raises `PoolsError`."""
    try:
        fields = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise PoolsError(f"is not YAML: {error}") from error
    try:
        found = _File.model_validate(fields if isinstance(fields, dict) else {"pools": fields}).pools
    except ValidationError as error:
        lines = [f"  {_path(problem['loc'])}: {problem['msg']}" for problem in error.errors()]
        told = "\n".join(lines)
        raise PoolsError(f"is no list of pools such as - {EXAMPLE}:\n{told}") from error
    if twice := [id_ for id_, n in Counter(pool.id for pool in found).items() if n > 1]:
        raise PoolsError(f"two pools are called {', '.join(twice)}: give each an id of its own")
    return tuple(SimulatedPool(**pool.model_dump()) for pool in found)


def _path(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "(file)"
