"""The pinned requirements agree with pyproject.toml and name no place that only some machines can reach."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
DIRECT = {
    "requirements.txt": [*PROJECT["dependencies"], *EXTRAS["functions"]],
    "requirements-dev.txt": [
        *PROJECT["dependencies"],
        *(name for extra in EXTRAS.values() for name in extra),
    ],
}
PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)==([^ ;\\]+)", re.MULTILINE)


def pins(lock: str) -> dict[str, list[str]]:
    versions: dict[str, list[str]] = {}
    for name, version in PIN.findall((ROOT / lock).read_text()):
        versions.setdefault(canonicalize_name(name), []).append(version)
    return versions


@pytest.mark.parametrize("lock", DIRECT)
def test_every_direct_dependency_is_pinned_within_its_bounds(lock: str) -> None:
    pinned = pins(lock)

    for requirement in map(Requirement, DIRECT[lock]):
        versions = pinned.get(canonicalize_name(requirement.name), [])
        assert versions, f"{requirement} is not in {lock}: run `make lock`"
        assert all(requirement.specifier.contains(version) for version in versions), (
            f"{requirement}: {versions}"
        )


@pytest.mark.parametrize("lock", DIRECT)
def test_every_pin_has_hashes(lock: str) -> None:
    pinned_blocks = re.split(r"\n(?=[a-z0-9])", (ROOT / lock).read_text())[1:]

    assert len(pinned_blocks) > 50
    assert all("--hash=sha256:" in block for block in pinned_blocks)


@pytest.mark.parametrize("lock", DIRECT)
def test_no_lock_names_a_registry_or_a_folder(lock: str) -> None:
    assert not re.search(r"://|--index|--find-links|^/|@ ", (ROOT / lock).read_text(), re.MULTILINE)


def test_what_is_deployed_is_a_part_of_what_is_tested() -> None:
    deployed, tested = pins("requirements.txt"), pins("requirements-dev.txt")

    assert {name: tested.get(name) for name in deployed} == deployed
