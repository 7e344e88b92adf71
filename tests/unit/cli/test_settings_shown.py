from __future__ import annotations

from io import StringIO
from typing import Any

from rich.console import Console

from poolqueue.cli.comparing import Comparison
from poolqueue.cli.settings_shown import comparison_lines, comparison_parts, in_force_line
from poolqueue.config import differences
from poolqueue.records import SettingsVersion
from poolqueue.viewing.found import Found
from tests.unit.cli.building import NOW
from tests.unit.config.building import TEAM, VISION, settings

EVIL = "\x1b[2J\u202e" + "x" * 3_000


def comparison(new: dict[str, Any], *, old: dict[str, Any] | None = None, **more: Any) -> Comparison:
    found = differences(settings(**(old or {})), settings(**new))
    return Comparison(found=Found(), text="", differences=found, **more)


def drawn(given: Comparison, *, width: int = 80) -> list[str]:
    console = Console(width=width, record=True, file=StringIO())
    for part in comparison_parts(given):
        console.print(part)
    return [line.rstrip() for line in console.export_text().splitlines()]


def test_each_part_is_headed_and_teams_that_come_or_go_are_marked() -> None:
    new = {"teams": [{**TEAM, "weight": 2}, {"name": "speech", "topics": ["speech"]}]}

    assert drawn(comparison(new, old={"teams": [TEAM, VISION]})) == [
        "team research",
        "  weight  1.0 → 2.0",
        "- team vision",
        "  topics  [job-requests.vision]",
        "+ team speech",
        "  topics  [speech]",
    ]


def test_it_fits_80_columns_whatever_is_in_it() -> None:
    quotas = {"research": {"a-pool-with-an-id-of-63-characters-" + "x" * 28: {"guaranteed": 1}}}
    given = comparison(
        {
            "teams": [{**TEAM, "image_prefixes": [f"docker.pkg.dev/project/{n}/" for n in range(9)]}],
            "resource_settings": {"r" * 63: {"quotas": quotas}},
        },
        problems=[EVIL],
        notes=["a note " * 40],
    )

    assert max(map(len, drawn(given))) <= 80
    assert "\x1b" not in "".join([*drawn(given), *comparison_lines(given)])
    assert "\u202e" not in "".join([*drawn(given), *comparison_lines(given)])


def test_a_pipe_gets_a_line_for_each_field_and_remark() -> None:
    given = comparison({"pacing": {"creates_per_minute": 9}}, problems=["no"], notes=["mind"])

    assert comparison_lines(given) == [
        "pacing  creates_per_minute  50 -> 9",
        "would be refused: no",
        "note: mind",
    ]


def test_nothing_is_said_to_be_nothing() -> None:
    assert drawn(comparison({})) == comparison_lines(comparison({})) == ["nothing that takes effect differs"]


def test_what_is_in_force_is_told_with_who_and_why() -> None:
    applied = SettingsVersion(version=3, text="", digest="", author=EVIL, reason="more\nroom", at=NOW)
    line = in_force_line(Found(applied=applied), NOW)

    assert line.startswith("version 3, applied 18:00:00 UTC by \\x1b[2J\\u202e")
    assert line.endswith(r"more\nroom")
    assert "the file that the functions are deployed with" in in_force_line(Found(), NOW)
