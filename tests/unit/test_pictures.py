"""The docs' pictures: of the real thing, small, and fetching nothing."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from infra.tools.terminal import WontShow, drawn, picture
from infra.tools.terminal_shots import TERMINAL_SHOTS
from tests.unit.test_docs import PAGES, ROOT

PICTURES = ROOT / "docs" / "pictures"
OF_TERMINALS = sorted(PICTURES.glob("*.svg"))
MOST_BYTES = 150_000
SETTINGS = """
installation: testing
location: us-central1
teams: [{name: research, topics: [job-requests]}]
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo terminals")


def test_each_shot_has_its_picture_and_each_picture_is_shown() -> None:
    assert {path.stem for path in OF_TERMINALS} == {shot.name for shot in TERMINAL_SHOTS}
    shown = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert [path.name for path in PICTURES.iterdir() if path.name not in shown] == []


def test_each_picture_says_in_words_what_it_shows() -> None:
    for page in PAGES:
        assert "![](" not in page.read_text(encoding="utf-8"), page


@pytest.mark.parametrize("path", OF_TERMINALS, ids=lambda path: path.name)
def test_a_picture_of_a_terminal_is_small_fetches_nothing_and_tells_of_no_machine(path: Path) -> None:
    svg = path.read_text(encoding="utf-8")

    assert len(svg.encode()) < MOST_BYTES
    ET.fromstring(svg)
    assert set(re.findall(r"url\(([^)#]*)", svg)) <= {""}
    assert set(re.findall(r'(?:href|src)="([^"]*)', svg)) == set()
    for trace in ("127.0.0.1", "localhost", "/tmp/", "/root", "/home", ".run/"):
        assert trace not in svg


def test_what_poolctl_draws_in_a_terminal_is_drawn(tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text(SETTINGS)
    told = drawn(["check-settings", "settings.yaml", "--project", "p"], {}, tmp_path)
    svg = picture("poolctl check-settings settings.yaml", told, name="x")

    assert told.startswith("\x1b[32mgood: installation testing")
    assert "installation&#160;testing" in svg
    assert "$" in svg


def test_what_tells_of_this_machine_is_not_drawn() -> None:
    with pytest.raises(WontShow, match=os.uname().nodename):
        picture("poolctl", f"by ann@{os.uname().nodename}", name="x")
