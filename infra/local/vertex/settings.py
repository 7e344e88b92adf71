"""What a stand-in is started with: its YAML file, or the same as arguments."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

Seconds = Annotated[float, Field(ge=0)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Autoscaling(_Strict):
    min: Annotated[int, Field(ge=0)]
    max: Annotated[int, Field(ge=1, le=1000)]


class PoolSettings(_Strict):
    """A pool of fixed size or an autoscaled one; `id` is made from the machine if absent."""

    id: str | None = None
    machine_spec: Mapping[str, Any]
    disk_spec: Mapping[str, Any] = {}
    replica_count: Annotated[int, Field(ge=0)] | None = None
    autoscaling: Autoscaling | None = None

    @model_validator(mode="after")
    def _has_a_size(self) -> Self:
        if self.replica_count is None and self.autoscaling is None:
            raise ValueError("a pool needs replica_count or autoscaling")
        return self


class ResourceSettings(_Strict):
    project: str
    location: str
    id: str
    pools: tuple[PoolSettings, ...]


class Timings(_Strict):
    """How long things take, in seconds. The defaults keep demonstrations and tests quick."""

    pending_seconds: Seconds = 0.02
    scale_up_seconds: Seconds = 0.0
    teardown_seconds: Seconds = 0.02
    kill_grace_seconds: Seconds = 2.0
    log_delay_seconds: Seconds = 0.01
    operation_seconds: Seconds = 0.05


class Settings(_Strict):
    """`images` maps prefixes of image URIs to the entry point that stands for them.

    `environment` is given to every replica; `working_directory` is where they start (default: here);
    `buckets` is the directory that stands for `gs://`.
    """

    persistent_resources: tuple[ResourceSettings, ...] = ()
    project_numbers: Mapping[str, Annotated[str, Field(pattern=r"^\d{6,}$")]] = {}
    log_topic: str | None = None
    timings: Timings = Timings()
    behaviour: Mapping[str, Any] = {}
    images: Mapping[str, tuple[str, ...]] = {}
    environment: Mapping[str, str] = {}
    working_directory: Path | None = None
    buckets: Path | None = None


def load(path: Path) -> Settings:
    return Settings.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
