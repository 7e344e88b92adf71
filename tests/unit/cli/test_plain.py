"""Plain lines: what a pipe gets."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from poolqueue.cli.plain import jobs_lines, pools_lines
from tests.unit.cli.building import LONG_ID, busy


def test_a_pipe_gets_a_line_per_job_with_every_column_in_full() -> None:
    jobs = busy().waiting
    lines = jobs_lines(jobs)

    assert len(lines) == 1 + len(jobs)
    assert lines[0].split() == [
        "job", "team", "state", "resource", "pools", "prio", "turn", "time", "starts", "reason",
    ]  # fmt: skip
    assert any(row.startswith(LONG_ID) and "drained: all of it, by maintenance" in row for row in lines)


def test_no_jobs_are_a_header_alone() -> None:
    assert len(jobs_lines([])) == 1


def test_a_pipe_gets_the_pools_name_before_every_fact_and_no_boxes() -> None:
    lines = pools_lines(busy())

    assert not set("─│█▓▒·") & set("".join(lines))
    assert "gpus              drained by maintenance 0s ago: maintenance" in lines


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=80))
def test_any_text_stays_within_its_line(text: str) -> None:
    shown = busy(text)

    assert all(
        line.isprintable() for line in [*pools_lines(shown), *jobs_lines(shown.holding + shown.waiting)]
    )
