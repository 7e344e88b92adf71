"""Names, numbers and times as the service writes them."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from datetime import UTC, datetime


class Projects:
    """Which project id has which project number; requests may use either, answers use the number."""

    def __init__(self, numbers: Mapping[str, str]) -> None:
        self._numbers = dict(numbers)
        self._ids = {number: project for project, number in numbers.items()}

    def id_of(self, project_or_number: str) -> str:
        return self._ids.get(project_or_number, project_or_number)

    def number_of(self, project: str) -> str:
        if project.isdigit():
            return project
        if project not in self._numbers:
            self._learn(project)
        return self._numbers[project]

    def _learn(self, project: str) -> None:
        digest = int.from_bytes(hashlib.sha256(project.encode()).digest()[:8])
        number = str(100_000_000_000 + digest % 900_000_000_000)
        self._numbers[project] = number
        self._ids[number] = project

    def location_name(self, project: str, location: str) -> str:
        return f"projects/{self.number_of(project)}/locations/{location}"


def numeric_id() -> str:
    """19 digits, as of custom jobs and operations."""
    return str(random.SystemRandom().randrange(10**18, 9 * 10**18))


def now() -> datetime:
    return datetime.now(UTC)


def rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
