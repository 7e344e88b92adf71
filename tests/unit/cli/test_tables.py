"""Tables: what fits a terminal, what a pipe gets, and hostile text in every place."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console, RenderableType

from poolqueue.cli.tables import (
    counts_line,
    dead_letters_table,
    jobs_table,
    occupancy_bar,
    pools_table,
    reasons_table,
)
from poolqueue.dead_letters import DeadLetter
from poolqueue.scheduling.pools import Drain
from poolqueue.scheduling.problems import Problem
from tests.unit.cli.building import (
    GPU,
    LONG_ID,
    NOW,
    SMALL,
    busy,
    demand,
    line,
    pool,
    reservation,
    reservations,
    view,
)


def drawn(*parts: RenderableType, width: int = 80, colour: bool = False) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=colour, highlight=False)
    console.print(*parts, sep="\n")
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("text", ["short", "word " * 100, LONG_ID, "界" * 300])
def test_everything_fits_the_width_of_the_terminal(width: int, text: str) -> None:
    shown = busy(text)
    lines = drawn(
        pools_table(shown),
        jobs_table([*shown.holding, *shown.waiting]),
        reasons_table(shown.waiting),
        width=width,
    ).splitlines()

    assert max(Console().measure(each).maximum for each in lines) <= width


def test_what_does_not_fit_is_cut_visibly() -> None:
    rows = drawn(jobs_table(busy().waiting)).splitlines()[2:]

    assert any(row.rstrip().endswith("…") for row in rows)


def test_a_long_job_id_is_folded_and_never_cut() -> None:
    shown = drawn(jobs_table(busy().waiting))
    first = [row.split(" ")[0] for row in shown.splitlines()]

    assert LONG_ID in "".join(first)


def test_team_and_resource_are_columns_only_where_rows_differ() -> None:
    one = drawn(jobs_table(view(line("a"), line("b")).waiting))
    two = drawn(jobs_table(view(line("a"), line("b", team="vision")).waiting))

    assert ("team" in one, "team" in two) == (False, True)
    assert "resource" not in two


def test_no_part_of_others_text_reaches_the_terminal_unescaped() -> None:
    nasty = "\x1b]0;title\x07[red]x[/red]\n\u202e"
    shown = busy(nasty)
    text = drawn(
        pools_table(shown), jobs_table(shown.waiting), reasons_table(shown.waiting), colour=False, width=200
    )

    assert not {"\x1b", "\x07", "\u202e"} & set(text)
    assert "[red]x[/red]" in text


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=80))
def test_any_text_can_be_drawn(text: str) -> None:
    shown = busy(text)
    drawing = drawn(pools_table(shown), jobs_table([*shown.holding, *shown.waiting]))

    assert all(character.isprintable() or character == "\n" for character in drawing)


def test_holders_are_a_few_names_and_a_count() -> None:
    held = reservations(*(reservation(f"job-{n}") for n in range(5)))

    assert "… and 2 more" in drawn(pools_table(view(reservations=held)), width=120)


@pytest.mark.parametrize(
    ("reserved", "foreign", "capacity", "bar"),
    [
        (0, 0, 4, "············"),
        (2, 1, 4, "██████▓▓▓···"),
        (4, 0, 4, "████████████"),
        (1, 0, 1000, "█···········"),
        (999, 1, 1000, "████████████"),
        (4, 4, 4, "██████▓▓▓▓▓▓"),
        (0, 0, 0, "············"),
    ],
)
def test_the_bar_shows_what_takes_the_capacity(reserved: int, foreign: int, capacity: int, bar: str) -> None:
    held = reservations(reservation("a", replicas={SMALL: reserved})) if reserved else {}
    shown = view(pools=(pool(capacity=capacity),), reservations=held, foreign={SMALL: foreign})

    assert occupancy_bar(shown.pools[0]).plain == bar


def test_an_observation_that_is_too_old_to_admit_on_is_told_with_its_age() -> None:
    old = view(observed_at=NOW - timedelta(minutes=5))
    never = view(observed_at=None, state="MISSING", pools=())

    assert "seen 5m00s ago" in drawn(pools_table(old))
    assert "MISSING, not seen yet" in drawn(pools_table(never))


def test_counts_tell_every_state_once() -> None:
    shown = view(
        *(line(f"job-{n}") for n in range(1200)), reservations=reservations(reservation("a", running=True))
    )

    assert counts_line([*shown.holding, *shown.waiting]).plain == "1 running · 1,200 queued"
    assert counts_line([]).plain == "no jobs"


def test_reasons_are_told_once_each_with_their_number() -> None:
    lines = [line(f"job-{n}") for n in range(3)] + [line("gpu", demand(1, GPU))]
    shown = view(*lines, foreign={SMALL: 4}, drained={"gpus": Drain(reason="x", author="y", at=NOW)})
    told = drawn(reasons_table(shown.waiting)).splitlines()

    assert told[0].rstrip().split(maxsplit=2) == ["3", "needs_replicas", "small: needs 1, 0 free"]
    assert told[1].split()[:2] == ["1", "drained"]


@pytest.mark.parametrize("text", ["short", "word " * 100, "\x1b[2J", "界" * 300])
def test_dead_letters_fit_a_terminal_whatever_they_are_about(text: str) -> None:
    problem = Problem(path=text, value=text, problem=text, remedy=text)
    letter = DeadLetter(
        id="1", at=NOW, topic=text, message_id="1", size=7, job=text, problems=(problem,) * 2, attributes={}
    )

    lines = drawn(dead_letters_table([letter])).splitlines()

    assert max(Console().measure(each).maximum for each in lines) <= 80
    assert "\x1b" not in "".join(lines)
