"""What a custom job runs, by its worker pool specs in camelCase: images and arguments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Specs = Sequence[Mapping[str, Any]]


def images_of(specs: Specs) -> tuple[str, ...]:
    """Each once, in order."""
    named = [
        image
        for container, package in _programs(specs)
        for image in (container.get("imageUri"), package.get("executorImageUri"))
    ]
    return tuple(dict.fromkeys(image for image in named if image))


def arguments_of(specs: Specs) -> tuple[str, ...]:
    """Those of all its programs, in order."""
    return tuple(
        argument
        for container, package in _programs(specs)
        for argument in (
            *container.get("command", ()),
            *([package["pythonModule"]] if "pythonModule" in package else ()),
            *container.get("args", ()),
            *package.get("args", ()),
        )
    )


def _programs(specs: Specs) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    return ((spec.get("containerSpec", {}), spec.get("pythonPackageSpec", {})) for spec in specs)
