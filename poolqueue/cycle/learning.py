"""What a round is told of run times, and what it makes them learn."""

from __future__ import annotations

from datetime import datetime

from poolqueue.cycle.draft import Draft
from poolqueue.cycle.serial_keys import SerialKeys
from poolqueue.records import ResourceName, read_run_times, run_times_path, write_run_times
from poolqueue.scheduling.admission import decide
from poolqueue.scheduling.board import Board
from poolqueue.scheduling.catching_up import caught_up, expectations_of
from poolqueue.scheduling.decision import Decision
from poolqueue.scheduling.events import Learned
from poolqueue.scheduling.expectations import TimeoutsOnly
from poolqueue.scheduling.policies import Policy
from poolqueue.scheduling.run_times import RunTimes
from poolqueue.system import System

PENDING_LIMIT = 200  # outcomes; more are not left to the sweep
FEW = 140  # waiting jobs, which are soon decided on twice


def decided_unaided(draft: Draft, policy: Policy, keys: SerialKeys, *, now: datetime) -> Decision | None:
    """The decision, if run times make no difference to it: the few jobs that wait are of a single team, and
    all of them can start, or none whatever the run times are.
    """
    waiting = draft.waiting()
    if sum(line.count for line in waiting) > FEW or len({line.team for line in waiting}) > 1:
        return None
    board = Board(
        draft.resource,
        waiting,
        policy=policy,
        expectations=TimeoutsOnly(),
        now=now,
        elsewhere=keys.elsewhere,
    )
    decision = decide(board, now=now, slots=FEW)
    is_clear = decision.obstacle is not None or next(decision.waits(), None) is None
    return decision if is_clear else None


def informed_board(
    system: System, name: ResourceName, draft: Draft, policy: Policy, keys: SerialKeys, *, now: datetime
) -> Board:
    """A board to decide on with what is known of run times."""
    stored = system.run_times.of(system.documents, name, now=now)
    known = expectations_of(stored, draft.resource, now=now)
    return Board(
        draft.resource,
        draft.waiting(),
        policy=policy,
        expectations=known,
        now=now,
        elsewhere=keys.elsewhere,
    )


def learn(system: System, name: ResourceName, draft: Draft, *, now: datetime) -> RunTimes:
    """Let run times learn from the outcomes of the resource, in the commit that takes them off it."""
    document = system.documents.read([run_times_path(name)])[0]
    run_times = caught_up(read_run_times(document.fields), draft.resource, now=now)
    draft.apply(Learned(tokens=frozenset(draft.resource.outcomes)))
    draft.write(document.written(write_run_times(run_times)))
    return run_times
