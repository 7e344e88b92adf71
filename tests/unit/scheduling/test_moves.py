from __future__ import annotations

import itertools

import pytest

from poolqueue.scheduling.jobs import HISTORY_LIMIT, MOVES, IllegalMove, Job, Outcome, Reason, State, move
from tests.unit.scheduling.building import NOW, at, job

LEGAL = {
    (State.HELD, State.HELD),
    (State.HELD, State.QUEUED),
    (State.HELD, State.ENDED),
    (State.QUEUED, State.QUEUED),
    (State.QUEUED, State.HELD),
    (State.QUEUED, State.RESERVED),
    (State.QUEUED, State.ENDED),
    (State.RESERVED, State.QUEUED),
    (State.RESERVED, State.SUBMITTED),
    (State.RESERVED, State.RUNNING),
    (State.RESERVED, State.CANCELLING),
    (State.RESERVED, State.ENDED),
    (State.SUBMITTED, State.QUEUED),
    (State.SUBMITTED, State.RUNNING),
    (State.SUBMITTED, State.CANCELLING),
    (State.SUBMITTED, State.ENDED),
    (State.RUNNING, State.QUEUED),
    (State.RUNNING, State.CANCELLING),
    (State.RUNNING, State.ENDED),
    (State.CANCELLING, State.QUEUED),
    (State.CANCELLING, State.CANCELLING),
    (State.CANCELLING, State.HELD),
    (State.CANCELLING, State.ENDED),
}
PAIRS = list(itertools.product(State, State))


def in_state(state: State) -> Job:
    return Job(**{**job().__dict__, "state": state})


@pytest.mark.parametrize(("start", "to"), [pair for pair in PAIRS if pair in LEGAL])
def test_a_legal_move_is_made_and_recorded(start: State, to: State) -> None:
    outcome = Outcome.SUCCEEDED if to is State.ENDED else None

    after = move(in_state(start), to, at=at(1), outcome=outcome)

    assert after.state is to
    assert after.history[-1].state is to
    assert after.history[-1].at == at(1)


@pytest.mark.parametrize(("start", "to"), [pair for pair in PAIRS if pair not in LEGAL])
def test_any_other_move_is_refused(start: State, to: State) -> None:
    outcome = Outcome.SUCCEEDED if to is State.ENDED else None

    with pytest.raises(IllegalMove):
        move(in_state(start), to, at=at(1), outcome=outcome)


def test_every_state_is_in_the_table() -> None:
    assert MOVES.keys() == set(State)


def test_nothing_ends_without_an_outcome() -> None:
    with pytest.raises(IllegalMove):
        move(job(), State.ENDED, at=NOW)


def test_nothing_that_goes_on_has_an_outcome() -> None:
    with pytest.raises(IllegalMove):
        move(job(), State.RESERVED, at=NOW, outcome=Outcome.FAILED)


def test_an_ended_job_has_left_the_inbox_and_knows_when_it_ended() -> None:
    ended = move(job(), State.ENDED, at=at(5), outcome=Outcome.CANCELLED)

    assert (ended.inbox, ended.ended) == (False, at(5))


def test_each_move_counts_one_further() -> None:
    reserved = move(job(), State.RESERVED, at=NOW)

    assert [entry.sequence for entry in reserved.history] == [1, 2]
    assert reserved.sequence == 2


def test_history_keeps_how_the_job_began_and_the_latest_moves() -> None:
    requeued = job()
    for number in range(3 * HISTORY_LIMIT):
        requeued = move(requeued, State.QUEUED, at=at(number))

    sequences = [entry.sequence for entry in requeued.history]
    assert len(sequences) == HISTORY_LIMIT
    assert sequences[0] == 1
    assert sequences[1:] == list(range(requeued.sequence - HISTORY_LIMIT + 2, requeued.sequence + 1))


def test_a_long_text_is_cut_in_history_sooner_than_in_the_error() -> None:
    after = move(
        in_state(State.RUNNING),
        State.ENDED,
        at=at(1),
        outcome=Outcome.FAILED,
        note="x" * 9_000,
        error="x" * 9_000,
    )

    note, error = after.history[-1].note, after.error
    assert note is not None
    assert error is not None
    assert len(note) == 300
    assert note.endswith("…")
    assert len(error) == 4_000


def test_an_end_is_final_but_for_a_command_to_retry() -> None:
    after = move(in_state(State.ENDED), State.QUEUED, at=at(1), reason=Reason.RETRY_ASKED)

    assert (after.state, after.outcome) == (State.QUEUED, None)
