"""What a decision leaves on the resource: teams' turns, and what was promised to whom."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from poolqueue.scheduling.board import time_of
from poolqueue.scheduling.decision import Decision
from poolqueue.scheduling.events import Reckoned
from poolqueue.scheduling.policies import Policy
from poolqueue.scheduling.pools import Overtakings, Promise, Resource, Use
from poolqueue.scheduling.verdicts import Admit

PROMISES_LIMIT = 50
AHEAD_NAMED = 5
FORGOTTEN_SECONDS = 1.0
ON_TIME = timedelta(minutes=1)


def reckon(
    resource: Resource,
    decision: Decision,
    *,
    admits: Sequence[Admit],
    is_waiting: Callable[[str], bool],
    policy: Policy,
    now: datetime,
) -> Reckoned:
    """`admits` are those that are committed; `is_waiting` tells by its key whether a job waits after them."""
    return Reckoned(
        uses=_uses(resource, decision, admits, policy, now),
        promises=_promises(resource, decision, admits, is_waiting, now),
        share_half_life=policy.share_half_life,
        overtakings=_overtakings(resource, admits, now),
    )


def _uses(
    resource: Resource, decision: Decision, admits: Iterable[Admit], policy: Policy, now: datetime
) -> dict[str, Use]:
    """Written anew only where something changed, so that an idle resource stays as it is."""
    waiting = decision.competing
    lasting = {*waiting, *(admit.waiting.team for admit in admits)}
    uses = {}
    for team in sorted({*resource.uses, *lasting}):
        before = resource.uses.get(team, Use(at=now))
        raised = decision.joined.get(team, 0.0) if team in lasting else 0.0
        use = replace(before, waiting=team in waiting)
        if raised:
            use = replace(use, at=now, seconds=before.decayed(now, policy.share_half_life) + raised)
        if use.waiting or use.decayed(now, policy.share_half_life) >= FORGOTTEN_SECONDS:
            uses[team] = use
    return uses


def _promises(
    resource: Resource,
    decision: Decision,
    admits: Iterable[Admit],
    is_waiting: Callable[[str], bool],
    now: datetime,
) -> Mapping[str, Promise]:
    promises = {key: promise for key, promise in resource.promises.items() if is_waiting(key)}
    for plan in decision.planned:
        if is_waiting(plan.key) and plan.is_known and len(promises) < PROMISES_LIMIT:
            promises.setdefault(plan.key, Promise(start=time_of(plan.at), made=now))
    for admit in admits:
        for each in admit.overtakes:
            if each.key in promises:
                promises[each.key] = _overtaken(promises[each.key], admit.waiting.key)
    return promises


def _overtaken(promise: Promise, by: str) -> Promise:
    return replace(promise, overtaken=promise.overtaken + 1, ahead=(*promise.ahead, by)[-AHEAD_NAMED:])


def _overtakings(resource: Resource, admits: Sequence[Admit], now: datetime) -> Overtakings:
    before = resource.overtakings
    kept = [promise for admit in admits if (promise := resource.promises.get(admit.waiting.key)) is not None]
    late = [delay for promise in kept if (delay := now - promise.start) > ON_TIME]
    return Overtakings(
        count=before.count + sum(len(admit.overtakes) for admit in admits),
        settled=before.settled + len(kept),
        late=before.late + len(late),
        late_seconds=before.late_seconds + sum(delay.total_seconds() for delay in late),
    )


def told(admit: Admit, promise: Promise | None, *, now: datetime) -> str | None:
    """What a job's history says of its start: whom it went ahead of, and whether its own start was late."""
    said = [
        f"goes ahead of {each.key}, "
        + (f"planned for {each.start:%H:%M:%S}Z" if each.start else "which waits for foreign use")
        + f", expected to delay it by {each.expected_delay:.0f} s"
        for each in admit.overtakes
    ]
    if promise is not None:
        said.append(_kept(promise, now))
    return "; ".join(said) or None


def _kept(promise: Promise, now: datetime) -> str:
    late = (now - promise.start).total_seconds()
    how = f"{late:.0f} s later than" if late > 0 else f"{-late:.0f} s earlier than"
    ahead = f"; {promise.overtaken} went ahead, the last {promise.ahead[-1]}" if promise.ahead else ""
    return f"starts {how} first planned ({promise.start:%Y-%m-%d %H:%M:%S}Z){ahead}"
