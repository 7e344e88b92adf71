"""The page's colours: read by everybody, also by who sees fewer of them."""

from __future__ import annotations

import itertools
import re

import pytest

from poolqueue.page.files import files

CSS = files().contents["page.css"].decode()
TEAMS = [f"team-{n}" for n in range(8)]
TEXT, GRAPHICS = 4.5, 3.0  # WCAG 2.2: 1.4.3 and 1.4.11
APART = 0.07  # in OKLab; what is just told apart side by side is about 0.02

Rgb = tuple[float, float, float]

# Machado, Oliveira, Fernandes (2009), severity 1: linear RGB as it is seen.
SEEN_BY = {
    "everybody": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.01182, 0.04294, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.3039),
    ),
}


def colours(theme: str) -> dict[str, str]:
    light, dark = CSS.split("@media (prefers-color-scheme: dark)")
    light = light[light.index(":root") :]
    dark = dark[: dark.index("\n}\n")]
    found = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6}|[\d.]+);", light))
    return (
        found if theme == "light" else found | dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6}|[\d.]+);", dark))
    )


def rgb(colour: str) -> Rgb:
    return tuple(int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))


def linear(colour: Rgb) -> Rgb:
    return tuple(each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in colour)


def luminance(colour: Rgb) -> float:
    r, g, b = linear(colour)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one: Rgb, other: Rgb) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def over(top: Rgb, below: Rgb, opacity: float) -> Rgb:
    return tuple(opacity * a + (1 - opacity) * b for a, b in zip(top, below, strict=True))


def oklab(colour: Rgb, seen_by: str) -> Rgb:
    r, g, b = (
        min(1.0, max(0.0, sum(k * each for k, each in zip(row, linear(colour), strict=True))))
        for row in SEEN_BY[seen_by]
    )
    long = (0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b) ** (1 / 3)
    middle = (0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b) ** (1 / 3)
    short = (0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b) ** (1 / 3)
    return (
        0.2104542553 * long + 0.793617785 * middle - 0.0040720468 * short,
        1.9779984951 * long - 2.428592205 * middle + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * middle - 0.808675766 * short,
    )


def distance(one: Rgb, other: Rgb) -> float:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) ** 0.5


both_themes = pytest.mark.parametrize("theme", ["light", "dark"])


@both_themes
@pytest.mark.parametrize(
    ("ink", "ground"),
    [
        *((ink, ground) for ink in ("ink", "quiet", "link", "bad", "warn") for ground in ("page", "card")),
        ("good", "good-back"),
        ("bad", "bad-back"),
        ("ink", "bad-back"),
        ("warn", "warn-back"),
        ("ink", "free"),
        ("ink", "future"),
        ("quiet", "future"),
        ("ink", "others"),
        ("now", "page"),
        ("now", "card"),
        ("card", "ink"),
    ],
)
def test_text_can_be_read(theme: str, ink: str, ground: str) -> None:
    known = colours(theme)

    assert contrast(rgb(known[ink]), rgb(known[ground])) >= TEXT


@both_themes
@pytest.mark.parametrize("team", TEAMS)
def test_a_job_in_a_bar_can_be_read_whether_it_runs_or_has_ended(theme: str, team: str) -> None:
    known = colours(theme)
    fill, ink, ground = rgb(known[team]), rgb(known["bar-ink"]), rgb(known["page"])

    assert contrast(ink, fill) >= TEXT
    assert contrast(ink, over(fill, ground, float(known["past-opacity"]))) >= TEXT


@both_themes
@pytest.mark.parametrize("team", TEAMS)
def test_a_planned_job_can_be_read(theme: str, team: str) -> None:
    known = colours(theme)

    assert contrast(rgb(known["ink"]), over(rgb(known[team]), rgb(known["future"]), 0.22)) >= TEXT


@both_themes
@pytest.mark.parametrize("team", TEAMS)
def test_a_bar_stands_out_from_its_ground(theme: str, team: str) -> None:
    """By itself, or by the line around it."""
    known = colours(theme)
    ground = rgb(known["page"])

    assert max(contrast(rgb(known[part]), ground) for part in (team, "edge")) >= GRAPHICS


@both_themes
@pytest.mark.parametrize("team", TEAMS)
def test_the_mark_of_a_bad_end_stands_out_from_its_bar(theme: str, team: str) -> None:
    known = colours(theme)
    bar = over(rgb(known[team]), rgb(known["page"]), float(known["past-opacity"]))

    assert contrast(rgb(known["bar-bad"]), bar) >= GRAPHICS


@both_themes
@pytest.mark.parametrize("seen_by", SEEN_BY)
def test_teams_are_told_apart_however_colours_are_seen(theme: str, seen_by: str) -> None:
    known = colours(theme)
    seen = {team: oklab(rgb(known[team]), seen_by) for team in TEAMS}

    near = {
        (one, other): round(distance(seen[one], seen[other]), 3)
        for one, other in itertools.combinations(TEAMS, 2)
        if distance(seen[one], seen[other]) < APART
    }
    assert near == {}
