"""What a dry run found, in words, as a table of variations, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from rich.table import Table
from rich.text import Text

from poolqueue.cli.dry_run import Trial
from poolqueue.cli.plain import aligned
from poolqueue.cli.tables import plain_table
from poolqueue.dead_letters import problem_fields
from poolqueue.records import ResourceName
from poolqueue.scheduling.jobs import Job
from poolqueue.scheduling.problems import Problem
from poolqueue.scheduling.verdicts import Admit, Expire, Wait
from poolqueue.scheduling.what_if import Delayed, Members, WhatIf
from poolqueue.viewing import wording
from poolqueue.viewing.as_json import expected_fields
from poolqueue.viewing.attempts import retries_told
from poolqueue.viewing.explained import Fact, job_name
from poolqueue.viewing.text import clock_time, safe, short_time

NOTHING_DONE = "nothing was published"
COLUMNS = ("variation", "starts", "delays")
DELAYED_NAMED = 3
IF = "if nothing else arrives and run times are as expected"


def facts_of(trial: Trial, now: datetime) -> Iterator[Fact]:
    """Of the request as it was asked for."""
    yield "request", _headline(trial)
    for problem in trial.problems:
        yield "", problem_told(problem)
    yield from _retries(trial)
    if trial.found is None:
        return
    if trial.job is not None and trial.job.holds:
        yield "held", f"{trial.job.holds[0].note}; what follows is as if it were released now"
    if why := _why(trial.found):
        yield "waits", why
    starts = starts_told(trial.found, now)
    yield "starts", f"{starts}, {IF}" if trial.found.starts else starts
    if trial.expected is not None:
        yield "expected", wording.expected(trial.expected)
    yield "delays", delays_told(trial.found.delayed)


def _retries(trial: Trial) -> Iterator[Fact]:
    if trial.job is not None and trial.is_accepted and trial.job.retries.are_wanted:
        for number, told in enumerate(retries_told(trial.job.retries)):
            yield "" if number else "retries", told


def problem_told(problem: Problem) -> str:
    told = f"{problem.path} {problem.value}: {problem.problem}" if problem.path else problem.problem
    return f"{safe(told, limit=400)}; {safe(problem.remedy, limit=300)}"


def trials_table(trials: Sequence[Trial], now: datetime) -> Table:
    table = plain_table()
    for name in COLUMNS:
        table.add_column(name, overflow="fold")
    for trial in trials:
        table.add_row(*(Text(cell, style=_style(trial, at)) for at, cell in enumerate(_cells(trial, now))))
    return table


def trials_lines(trials: Sequence[Trial], now: datetime) -> list[str]:
    return aligned([COLUMNS, *(_cells(trial, now) for trial in trials)])


def _cells(trial: Trial, now: datetime) -> tuple[str, ...]:
    variation = safe(trial.variation, limit=80)
    if trial.problems:
        return variation, _refused(trial), safe(trial.problems[0].problem, limit=160)
    if trial.found is None:
        return variation, "a duplicate" if trial.is_duplicate else "not known", ""
    return variation, _start_told(trial.found, now), delays_told(trial.found.delayed)


def _start_told(found: WhatIf, now: datetime) -> str:
    """As short as a column wants it."""
    if (members := found.members) is not None and 0 < members.start_now < members.count:
        return f"{members.start_now:,} of {members.count:,} now"
    if found.starts is not None:
        return "now" if found.starts <= now else f"in {short_time(found.starts - now)}"
    return "not by itself" if found.is_over else f"not within {short_time(found.until - now)}"


def _style(trial: Trial, column: int) -> str:
    if column != 1 or (trial.is_accepted and (trial.found is None or trial.found.starts is None)):
        return ""
    return "green" if trial.is_accepted else "red"


def _headline(trial: Trial) -> str:
    if trial.job is None:
        return f"it would be {_refused(trial)}, and belong to no job"
    job = trial.job
    where = ResourceName.from_key(job.resource).id
    whose = f"{wording.name(job.job_id)} of team {wording.name(job.team)}{_array_told(job)}"
    if trial.is_duplicate:
        return f"{whose} is there already, with the same content: it would change nothing"
    if not trial.is_accepted:
        return f"{whose} would be {_refused(trial)}"
    unknown = "" if trial.found is not None else "; nothing is known of that resource yet"
    return f"{whose} would be accepted on {wording.name(where)}, with priority {job.priority}{unknown}"


def _array_told(job: Job) -> str:
    if job.array is None:
        return ""
    most = "" if job.array.max_parallel is None else f", at most {job.array.max_parallel:,} at a time"
    return f", an array of {job.array.size:,} jobs{most},"


def _refused(trial: Trial) -> str:
    return "refused" if trial.reason is None else f"refused ({trial.reason.value})"


def _why(found: WhatIf) -> str:
    verdict, which = found.verdict, ""
    if (members := found.members) is not None and members.start_now and members.rest is not None:
        verdict, which = members.rest, f"{members.count - members.start_now:,} of {members.count:,}: "
    match verdict:
        case Wait(reason=reason, note=note):
            return f"{which}{reason.value}: {safe(note, limit=wording.NOTE_LIMIT)}"
        case Expire(reason=reason, note=note):
            return f"it ends at once, {reason.value}: {safe(note, limit=wording.NOTE_LIMIT)}"
        case _:
            return ""


def starts_told(found: WhatIf, now: datetime) -> str:
    """Of an array: the first of its members, and the last."""
    first = _first_told(found, now)
    members = found.members
    if members is None or found.starts is None or members.start_now == members.count:
        return first
    some = f"{members.start_now:,} of {members.count:,} now"
    began = some if members.start_now else f"the first of {members.count:,} at {first}"
    return f"{began}, the last {_last_told(found, members, now)}"


def _last_told(found: WhatIf, members: Members, now: datetime) -> str:
    if members.last is not None:
        return f"at {clock_time(members.last, now)}, in {short_time(members.last - now)}"
    if found.is_over:
        return "not before something changes"
    return f"later than {clock_time(found.until, now)}, as far as was looked"


def _first_told(found: WhatIf, now: datetime) -> str:
    if isinstance(found.verdict, Admit):
        return "now"
    if found.starts is not None:
        return f"{clock_time(found.starts, now)}, in {short_time(found.starts - now)}"
    if found.is_over:
        return "not before something changes"
    later = f"later than {clock_time(found.until, now)}, as far as was looked"
    return later if found.roughly is None else f"{later}; in turn by {clock_time(found.roughly, now)}"


def delays_told(delayed: Sequence[Delayed]) -> str:
    """`research/a by 12m00s, vision/b by 3m20s … and 4 more`."""
    if not delayed:
        return "nobody"
    named = ", ".join(_delay(each) for each in delayed[:DELAYED_NAMED])
    more = len(delayed) - DELAYED_NAMED
    return named + (f" … and {more:,} more" if more > 0 else "")


def _delay(each: Delayed) -> str:
    if each.by is None:
        return f"{job_name(each.key)} for ever"
    return f"{job_name(each.key)} by {'over ' if each.at_least else ''}{short_time(each.by)}"


# --- for programs ----------------------------------------------------------------------------------------


def trial_fields(trial: Trial) -> dict[str, Any]:
    job = trial.job
    return {
        "variation": trial.variation,
        "team": job and job.team,
        "job_id": job and job.job_id,
        "persistent_resource": job and ResourceName.from_key(job.resource).full,
        "priority": job and job.priority,
        "jobs": job and (1 if job.array is None else job.array.size),
        "accepted": trial.is_accepted,
        "duplicate": trial.is_duplicate,
        "retries": job.retries.canonical() if job is not None and job.retries.are_wanted else None,
        "refused_for": trial.reason and trial.reason.value,
        "problems": [problem_fields(problem) for problem in trial.problems],
        **({} if trial.found is None else _found_fields(trial.found)),
        **expected_fields(trial.expected),
    }


def _found_fields(found: WhatIf) -> dict[str, Any]:
    waits = found.verdict if isinstance(found.verdict, Wait | Expire) else None
    return {
        "starts_now": isinstance(found.verdict, Admit),
        "reason": waits and waits.reason.value,
        "note": waits and waits.note,
        "starts": _time(found.starts),
        "starts_in_turn": _time(found.roughly),
        "looked_until": _time(found.until),
        "is_over": found.is_over,
        **({} if found.members is None else _members_fields(found.members)),
        "delays": [_delayed_fields(each) for each in found.delayed],
    }


def _members_fields(members: Members) -> dict[str, Any]:
    return {"jobs_start_now": members.start_now, "last_starts": _time(members.last)}


def _delayed_fields(each: Delayed) -> dict[str, Any]:
    team, _, job_id = each.key.partition(".")
    by: timedelta | None = each.by
    seconds = None if by is None else by.total_seconds()
    return {"team": team, "job_id": job_id, "seconds": seconds, "at_least": each.at_least}


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")
