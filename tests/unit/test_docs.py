"""The documentation's links lead somewhere, and no decision is missing from the list."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from poolqueue.config import parse_settings

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file(page: Path) -> None:
    assert [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()] == []


def test_every_decision_is_listed() -> None:
    decisions = ROOT / "docs" / "decisions"
    listed = set(LINK.findall((decisions / "README.md").read_text()))

    assert listed == {page.name for page in decisions.glob("*.md")} - {"README.md"}


def test_the_settings_that_operations_shows_are_accepted() -> None:
    shown = re.search(
        r"```yaml\n(installation:.*?)```", (ROOT / "docs" / "operations.md").read_text(), re.DOTALL
    )

    assert shown is not None
    assert parse_settings(shown[1], project="my-project").installation == "prod"
