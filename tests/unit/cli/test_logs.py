"""What is shown of a log: which attempt's, its lines, and what is new since the last look."""

from __future__ import annotations

from datetime import timedelta

import pytest
from rich.console import Console

from poolqueue.cli.logs import _coloured
from poolqueue.ports import SERVICE, LogEntries, LogEntry
from poolqueue.scheduling.jobs import Job, Outcome, Reason, State, move
from poolqueue.viewing.logs import LATE, LogTail, attempt_log, entry_fields, lines_of, plain_line
from tests.unit.cli.building import NOW, job

FIRST, SECOND = (f"projects/1/locations/us-central1/customJobs/{n}" for n in (11, 22))


def entry(text: str = "epoch 1", *, second: float = 0, **changes: str) -> LogEntry:
    at = NOW + timedelta(seconds=second)
    fields = {"id": f"id-{second}", "severity": "INFO", "writer": "workerpool0-0", **changes}
    return LogEntry(at=at, text=text, **fields)


def lines(*entries: LogEntry) -> list[str]:
    return [plain_line(each) for each in lines_of(entries)]


# --- lines -----------------------------------------------------------------------------------------------


def test_a_line_tells_when_who_how_grave_and_what() -> None:
    assert lines(entry(second=0.12), entry("no memory", severity="ERROR", writer=SERVICE)) == [
        "2026-11-23 18:00:00.120  workerpool0-0  INFO     epoch 1",
        "2026-11-23 18:00:00.000  service        ERROR    no memory",
    ]


def test_an_entry_of_several_lines_is_as_many_each_with_its_writer() -> None:
    told = lines(entry("Traceback:\n  File 'x'\r\n\rKeyError\n"))

    assert [line.split("INFO", 1)[1] for line in told] == [
        "     Traceback:",
        "       File 'x'",
        "",
        "     KeyError",
    ]
    assert {line.split()[2] for line in told} == {"workerpool0-0"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J\x1b[31mred", r"\x1b[2J\x1b[31mred"),
        ("\x07\x00", r"\x07\x00"),
        ("a\u202eb\u2028c", r"a\u202eb\u2028c"),
        (
            "[bold]not markup[/bold] [link=http://x]y[/link]",
            "[bold]not markup[/bold] [link=http://x]y[/link]",
        ),
        ("a\tb", "a       b"),
        ("x" * 5_000, "x" * 3_999 + "…"),
        ("", ""),
    ],
)
def test_nothing_in_it_moves_the_cursor_hides_or_is_markup(text: str, shown: str) -> None:
    (line,) = lines_of([entry(text)])
    console = Console(force_terminal=True, color_system=None, width=10_000, legacy_windows=False)
    with console.capture() as drawn:
        console.print(*_coloured([line], NOW), soft_wrap=True)

    assert line.text == shown
    assert drawn.get() == f"18:00:00 workerpool0-0 {shown}\n"


def test_who_wrote_it_and_how_grave_it_is_may_be_hostile_too() -> None:
    (line,) = lines(entry("x", writer="w\x1b[0m" * 20, severity="S\nERROR"))

    assert "\x1b" not in line
    assert r"S\nERROR" in line


def test_what_is_grave_is_coloured_and_named_and_another_day_told() -> None:
    console = Console(force_terminal=True, color_system="standard", width=200, legacy_windows=False)
    with console.capture() as drawn:
        for text in _coloured(lines_of([entry("bad", severity="ERROR")]), NOW + timedelta(days=1)):
            console.print(text, soft_wrap=True)

    assert "2026-11-23 18:00:00" in drawn.get()
    assert "\x1b[31mERROR bad" in drawn.get()


def test_a_program_gets_the_text_as_it_is() -> None:
    assert entry_fields(entry("a\x1b\n", second=1)) == {
        "timestamp": "2026-11-23T18:00:01Z",
        "severity": "INFO",
        "writer": "workerpool0-0",
        "text": "a\x1b\n",
        "insert_id": "id-1",
    }


# --- which attempt ---------------------------------------------------------------------------------------


def begun(waiting: Job, number: int, custom_job: str, *, minute: int) -> Job:
    at = NOW + timedelta(minutes=minute)
    reserved = move(waiting, State.RESERVED, at=at, attempt=number, token=f"t{number}")
    submitted = move(reserved, State.SUBMITTED, at=at, custom_job=custom_job)
    return move(submitted, State.RUNNING, at=at)


def tried_twice() -> Job:
    first = begun(job("j"), 1, FIRST, minute=0)
    again = move(
        first, State.QUEUED, at=NOW + timedelta(minutes=5), reason=Reason.RETRIED, custom_job=None, token=None
    )
    return begun(again, 2, SECOND, minute=10)


def test_without_a_custom_job_there_is_no_log() -> None:
    assert attempt_log(job("j")) is None
    assert attempt_log(move(job("j"), State.RESERVED, at=NOW, attempt=1)) is None


def test_the_latest_attempts_log_is_meant_and_each_can_be_named() -> None:
    latest, first = attempt_log(tried_twice()), attempt_log(tried_twice(), 1)

    assert latest is not None
    assert first is not None
    assert (latest.attempt, latest.custom_job, latest.ended) == (2, SECOND, None)
    assert (first.attempt, first.custom_job, first.how) == (1, FIRST, "retried")
    assert first.ended == NOW + timedelta(minutes=5)
    assert first.since < NOW < latest.since + timedelta(hours=1)
    assert attempt_log(tried_twice(), 3) is None


def test_between_two_attempts_it_is_the_last_ones() -> None:
    ended = move(
        tried_twice(), State.QUEUED, at=NOW + timedelta(minutes=20), reason=Reason.RETRIED, custom_job=None
    )
    log = attempt_log(ended)

    assert log is not None
    assert log.custom_job == SECOND


def test_a_custom_job_is_kept_once_in_an_attempts_history() -> None:
    ended = move(tried_twice(), State.ENDED, at=NOW + timedelta(hours=1), outcome=Outcome.SUCCEEDED)

    assert [each.custom_job for each in ended.history if each.custom_job] == [FIRST, SECOND]


def test_one_that_was_learned_of_only_at_the_end_is_kept_too() -> None:
    reserved = move(job("j"), State.RESERVED, at=NOW, attempt=1, token="t")
    ended = move(reserved, State.ENDED, at=NOW, outcome=Outcome.FAILED, custom_job=FIRST)

    assert ended.history[-1].custom_job == FIRST


# --- what is new -----------------------------------------------------------------------------------------


def found(*entries: LogEntry, are_all: bool = True) -> LogEntries:
    return LogEntries(each=entries, are_all=are_all)


def test_an_entry_is_shown_once_and_one_that_comes_late_all_the_same() -> None:
    tail = LogTail(NOW)
    one, late, two = entry(second=1), entry(second=2), entry(second=3)
    later = NOW + timedelta(minutes=1)

    assert tail.fresh(found(one, two), later) == [one, two]
    assert tail.since == NOW
    assert tail.fresh(found(one, late, two), later) == [late]
    assert tail.fresh(found(one, late, two), later) == []


def test_entries_of_one_time_are_told_apart() -> None:
    tail = LogTail(NOW)
    same = [entry(str(n), id=str(n)) for n in range(3)]

    assert tail.fresh(found(*same[:2]), NOW) == same[:2]
    assert tail.fresh(found(*same), NOW) == same[2:]


def test_it_looks_back_a_little_and_forgets_what_is_older() -> None:
    tail = LogTail(NOW)
    last = entry(second=1_000)
    tail.fresh(found(entry(second=1), last), NOW + timedelta(hours=1))

    assert tail.since == last.at - LATE
    assert tail._shown == {(last.at, last.id)}


def test_where_there_is_more_it_goes_on_from_the_last_one() -> None:
    tail = LogTail(NOW)
    last = entry(second=1_000)
    tail.fresh(found(entry(second=1), last, are_all=False), NOW + timedelta(hours=1))

    assert tail.since == last.at


def test_an_entry_of_the_future_does_not_hide_those_to_come() -> None:
    tail = LogTail(NOW)
    tail.fresh(found(entry(second=86_000)), NOW + timedelta(seconds=60))
    soon = entry(second=90)

    assert tail.since <= soon.at
    assert tail.fresh(found(soon, entry(second=86_000)), NOW + timedelta(seconds=95)) == [soon]


def test_the_services_last_line_ends_it_and_nobody_elses() -> None:
    tail = LogTail(NOW)
    tail.fresh(found(entry("Job completed successfully.")), NOW)
    assert not tail.has_ended

    tail.fresh(found(entry("Job failed.", second=1, writer=SERVICE)), NOW)
    assert tail.has_ended
