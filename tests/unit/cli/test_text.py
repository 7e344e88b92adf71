"""Other people's text: every character can be seen, and none acts."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from poolqueue.viewing.text import safe, short_time, span_of_time


@given(st.text(max_size=400), st.integers(min_value=2, max_value=300))
def test_any_text_becomes_one_printable_line_of_bounded_length(text: str, limit: int) -> None:
    shown = safe(text, limit=limit)

    assert shown.isprintable()
    assert len(shown) <= limit


@given(st.text(alphabet=st.characters(exclude_categories=["C", "Z"]), max_size=50))
def test_printable_text_that_is_short_stays_as_it_is(text: str) -> None:
    assert safe(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("two\nlines\r", r"two\nlines\r"),
        ("\u202egpj.exe", r"\u202egpj.exe"),
        ("zero\u200bwidth", r"zero\u200bwidth"),
        ("half \ud83d", r"half \ud83d"),
        ("[bold]not markup[/bold]", "[bold]not markup[/bold]"),
        ("\x9b31m", r"\x9b31m"),
        ("\x1b]8;;http://evil\x1b\\link", r"\x1b]8;;http://evil\x1b\link"),
    ],
)
def test_what_acts_on_a_terminal_comes_out_as_an_escape(text: str, shown: str) -> None:
    assert safe(text) == shown


@given(st.text(max_size=100))
def test_shown_through_rich_it_neither_fails_nor_styles_anything(text: str) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, color_system="truecolor", width=400)
    console.print(Text(safe(text)))

    assert "\x1b" not in console.file.getvalue()


def test_what_is_cut_says_so() -> None:
    assert safe("x" * 300, limit=10) == "xxxxxxxxx…"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0s"), (59.9, "59s"), (200, "3m20s"), (7500, "2h05m"), (273_600, "3d04h"), (-5, "0s")],
)
def test_times_are_told_in_two_units(seconds: float, shown: str) -> None:
    assert short_time(timedelta(seconds=seconds)) == shown


@pytest.mark.parametrize(
    ("early", "late", "told"),
    [
        (20, 20, "20s"),
        (5 * 60, 11.2 * 60, "5-12m"),
        (50 * 60, 2.5 * 3600, "50m-3h"),
        (99.5 * 60, 100 * 60, "99m-2h"),
        (26 * 3600, 99 * 3600, "26-99h"),
        (5 * 86_400, 5.5 * 86_400, "5-6d"),
        (0, 90, "0-90s"),
    ],
)
def test_a_span_of_time_is_as_coarse_as_it_is_long(early, late, told) -> None:
    assert span_of_time(timedelta(seconds=early), timedelta(seconds=late)) == told
