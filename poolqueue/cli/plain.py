"""Views as plain lines for pipes and files: every column in full, a fact a line, nothing that breaks grep."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from poolqueue.dead_letters import DeadLetter
from poolqueue.viewing import wording
from poolqueue.viewing.views import JobView, ResourceView

GAP = "  "


def jobs_lines(jobs: Iterable[JobView]) -> list[str]:
    header = (
        "job", "team", "state", "resource", "pools", "prio", "turn", "time", "starts", "reason",
    )  # fmt: skip
    return aligned([header, *(_job(job) for job in jobs)])


def pools_lines(view: ResourceView) -> list[str]:
    id_ = wording.name(view.name.id)
    lines = [
        f"{id_}{GAP}{wording.name(view.state)}, {wording.observed(view)}{GAP}{wording.whereabouts(view)}"
    ]
    if view.drained is not None:
        lines.append(wording.drained(view.drained, view.seen_at))
    if not view.pools:
        return lines
    rows = [(wording.name(pool.name), *map(str, wording.pool_numbers(pool))) for pool in view.pools]
    facts = [
        (wording.name(pool.name), fact.text)
        for pool in view.pools
        for fact in wording.facts(pool, view.seen_at)
    ]
    return [*lines, *aligned([("pool", *wording.POOL_COLUMNS), *rows]), *aligned(facts)]


def dead_letters_lines(letters: Iterable[DeadLetter]) -> list[str]:
    return aligned([wording.LETTER_COLUMNS, *(wording.dead_letter(letter) for letter in letters)])


def _job(job: JobView) -> tuple[str, ...]:
    return (
        wording.name(job.job_id),
        wording.name(job.team),
        wording.state(job),
        wording.name(job.resource),
        wording.shares(job),
        wording.priority(job),
        wording.turn(job),
        wording.time(job),
        wording.starts(job),
        wording.reason(job),
    )


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
