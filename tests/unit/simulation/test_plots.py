"""Drawings: of the kind that was asked for, the same every time, and nothing that a figure leaves out."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import matplotlib as mpl
import pytest

from poolqueue.simulation.plots import draw
from poolqueue.simulation.run import Run
from poolqueue.simulation.simulators import PolicyName
from tests.unit.simulation.building import job, simulated, workload

PNG = b"\x89PNG"


def runs(*, waits: bool = True) -> list[Run]:
    jobs = [job(n, 50, 3) for n in range(20 if waits else 1)]
    return [simulated(policy, workload(*jobs)) for policy in PolicyName]


def test_an_svg_is_the_same_every_time_and_has_no_date(tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        draw(runs(), tmp_path / name, title="20 jobs")

    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert "dc:date" not in (tmp_path / "a.svg").read_text()


def test_an_svg_names_every_policy_and_its_axes(tmp_path: Path) -> None:
    draw(runs(), tmp_path / "a.svg", title="20 jobs")
    text = (tmp_path / "a.svg").read_text()
    ET.fromstring(text)

    # Text is drawn as outlines, with the words in a comment beside.
    for words in ("20 jobs", *PolicyName, "jobs waiting", "replicas in use, of 4", "10 min"):
        assert f"<!-- {words} -->" in text


def test_a_png_is_written(tmp_path: Path) -> None:
    draw(runs(), tmp_path / "a.png", title="20 jobs")

    assert (tmp_path / "a.png").read_bytes().startswith(PNG)


@pytest.mark.parametrize("waits", [True, False])
def test_settings_of_the_user_change_nothing_and_are_left_alone(tmp_path: Path, waits: bool) -> None:
    draw(runs(waits=waits), tmp_path / "a.svg", title="t")
    with mpl.rc_context({"font.size": 30, "svg.hashsalt": "mine"}):
        draw(runs(waits=waits), tmp_path / "b.svg", title="t")
        assert mpl.rcParams["svg.hashsalt"] == "mine"

    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
