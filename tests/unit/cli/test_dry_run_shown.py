"""What a dry run found, in words and as a table."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from poolqueue.cli.dry_run import Trial
from poolqueue.cli.dry_run_shown import (
    delays_told,
    facts_of,
    starts_told,
    trial_fields,
    trials_lines,
    trials_table,
)
from poolqueue.scheduling.arrays import Array
from poolqueue.scheduling.jobs import Reason
from poolqueue.scheduling.problems import Problem
from poolqueue.scheduling.verdicts import Admit, Block, Wait
from poolqueue.scheduling.what_if import Delayed, Members, WhatIf
from tests.unit.cli.building import LONG_ID, NOW, job, line

HOUR = timedelta(hours=1)
WAITS = Wait(waiting=line("j"), block=Block(reason=Reason.DRAINED, said="pool gpus, by ann: driver"))
BAD = Problem(path="priority", value="95", problem="may use 0 to 90", remedy="choose one of these")


def found(**changes: Any) -> WhatIf:
    fields = {"verdict": WAITS, "starts": NOW + HOUR, "until": NOW + 9 * HOUR, "is_over": False, **changes}
    return WhatIf(**fields)


def trial(variation: str = "as asked", **changes: Any) -> Trial:
    return Trial(**{"variation": variation, "job": job("j"), "found": found(), **changes})


@pytest.mark.parametrize(
    ("of", "told"),
    [
        (found(), "19:00:00 UTC, in 1h00m"),
        (found(verdict=Admit(waiting=line("j"), replicas={}, assignments=()), starts=NOW), "now"),
        (found(starts=None, is_over=True), "not before something changes"),
        (found(starts=None), "later than 2026-11-24 03:00 UTC, as far as was looked"),
        (
            found(starts=None, roughly=NOW + 2 * HOUR),
            "later than 2026-11-24 03:00 UTC, as far as was looked; in turn by 20:00:00 UTC",
        ),
    ],
)
def test_when_it_would_start(of: WhatIf, told: str) -> None:
    assert starts_told(of, NOW) == told


@pytest.mark.parametrize(
    ("start_now", "changes", "told", "in_short"),
    [
        (0, {"last": NOW + 2 * HOUR}, "the first of 7 at 19:00:00 UTC, in 1h00m, the last at ", "in 1h00m"),
        (2, {"last": NOW + 2 * HOUR}, "2 of 7 now, the last at 20:00:00 UTC, in 2h00m", "2 of 7 now"),
        (2, {"last": None}, "2 of 7 now, the last later than 2026-11-24 03:00 UTC, as far", "2 of 7 now"),
        (7, {"last": NOW}, "now", "now"),
    ],
)
def test_when_the_first_and_the_last_job_of_an_array_would_start(
    start_now: int, changes: dict[str, Any], told: str, in_short: str
) -> None:
    members = Members(count=7, start_now=start_now, rest=WAITS, **changes)
    admit = Admit(waiting=line("j"), replicas={}, assignments=())
    of = found(members=members, **({"verdict": admit, "starts": NOW} if start_now else {}))

    assert starts_told(of, NOW).startswith(told)
    assert in_short in trials_lines([trial(found=of)], NOW)[1]


def test_an_array_is_told_as_one_with_why_the_rest_of_it_waits() -> None:
    admit = Admit(waiting=line("j"), replicas={}, assignments=())
    members = Members(count=7, start_now=2, rest=WAITS, last=None)
    array = replace(job("j"), array=Array(size=7, max_parallel=3))
    shown = trial(job=array, found=found(verdict=admit, starts=NOW, members=members))

    facts = dict(facts_of(shown, NOW))

    assert facts["request"].startswith(
        "j of team research, an array of 7 jobs, at most 3 at a time, would be"
    )
    assert facts["waits"] == "5 of 7: drained: pool gpus, by ann: driver"
    fields = trial_fields(shown)
    assert (fields["jobs"], fields["jobs_start_now"], fields["last_starts"]) == (7, 2, None)


def test_whom_it_would_delay_and_by_how_much() -> None:
    delayed = [
        Delayed(key="research.gone", by=None),
        Delayed(key="research.a", by=HOUR, at_least=True),
        Delayed(key="vision.b", by=timedelta(minutes=3)),
        *(Delayed(key=f"vision.c{n}", by=timedelta(minutes=1)) for n in range(4)),
    ]

    assert delays_told([]) == "nobody"
    assert delays_told(delayed) == (
        "research/gone for ever, research/a by over 1h00m, vision/b by 3m00s … and 4 more"
    )


def test_what_was_asked_for_is_told_in_full() -> None:
    assert [*facts_of(trial(), NOW)] == [
        ("request", "j of team research would be accepted on gpu-a, with priority 0"),
        ("waits", "drained: pool gpus, by ann: driver"),
        ("starts", "19:00:00 UTC, in 1h00m, if nothing else arrives and run times are as expected"),
        ("delays", "nobody"),
    ]


def test_a_refusal_is_told_with_all_problems() -> None:
    refused = trial(problems=(BAD, BAD), reason=Reason.NOT_ALLOWED, found=None)
    facts = [*facts_of(refused, NOW)]

    assert facts[0] == ("request", "j of team research would be refused (not_allowed)")
    assert facts[1:] == [("", "priority 95: may use 0 to 90; choose one of these")] * 2


def test_variations_have_a_line_each() -> None:
    trials = [
        trial(),
        trial("priority 95", problems=(BAD,), reason=Reason.NOT_ALLOWED, found=None),
        trial("2 replicas", found=found(starts=None, is_over=True)),
        trial("3 replicas", found=found(starts=None)),
        trial("on other", found=None),
    ]
    lines = [each.split("  ") for each in trials_lines(trials, NOW)]
    starts = [[cell for cell in each if cell][1].strip() for each in lines]

    assert starts == [
        "starts",
        "in 1h00m",
        "refused (not_allowed)",
        "not by itself",
        "not within 9h00m",
        "not known",
    ]


def test_the_table_fits_a_narrow_terminal() -> None:
    delayed = tuple(Delayed(key=f"research.{LONG_ID}", by=HOUR) for _ in range(5))
    console = Console(width=50, force_terminal=True, color_system=None)
    with console.capture() as captured:
        console.print(trials_table([trial(), trial("on pool gpus", found=found(delayed=delayed))], NOW))

    assert all(cell_len(each) <= 50 for each in captured.get().splitlines())


def test_as_json() -> None:
    fields = trial_fields(trial(found=found(delayed=(Delayed(key="vision.b", by=HOUR),))))

    assert fields["accepted"]
    assert fields["reason"] == "drained"
    assert fields["starts"] == "2026-11-23T19:00:00Z"
    assert fields["delays"] == [{"team": "vision", "job_id": "b", "seconds": 3600.0, "at_least": False}]
