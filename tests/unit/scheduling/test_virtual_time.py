from __future__ import annotations

import math

from poolqueue.scheduling.policies import Preemption
from poolqueue.scheduling.pools import Reservation
from poolqueue.scheduling.virtual_time import VirtualTime
from poolqueue.scheduling.waiting import Waiting
from tests.unit.scheduling.building import CPU, NOW, at, board, demand, lasting, pool, resource, waiting

CANCELLING = 20.0


class Played:
    """A resource of four replicas on which each job runs for 100 s, and what became of them."""

    def __init__(self, *queue: Waiting, **policy) -> None:
        on = board(resource(pools=(pool(CPU, 4),)), *queue, **policy)
        self.over: list[tuple[str, float, bool]] = []
        self.time = VirtualTime(
            on, beginning=NOW, runs=lambda _attempt: 100.0, over=self._note, cancelling=CANCELLING
        )

    def _note(self, attempt: Reservation, preempted: bool) -> None:
        self.over.append((attempt.job_id, self.time.at, preempted))

    def tokens(self) -> list[str]:
        return [*self.time.board.resource.reservations]

    def lines(self) -> list[Waiting]:
        return [*self.time.board.lines()]


def urgent(job_id: str = "urgent") -> Waiting:
    return waiting(job_id, demand(4), priority=90, traits=lasting(100))


def test_attempts_end_when_they_have_run_and_decisions_start_what_then_fits() -> None:
    played = Played(waiting("a", demand(3), age=9), waiting("b", demand(3), age=8))
    played.time.decide()
    played.time.go_to(played.time.next_end)
    played.time.decide()

    assert played.over == [("a", 100.0, False)]
    assert played.tokens() == ["research.b#1"]
    assert (played.time.now, played.time.next_end, played.time.waiting) == (at(100), 200.0, 0)


def test_nothing_that_ended_ends_again() -> None:
    played = Played(waiting("a", demand(3)))
    played.time.decide()
    played.time.end("research.a#1")
    played.time.go_to(1_000)

    assert played.over == [("a", 0.0, False)]
    assert played.time.next_end == math.inf


def test_what_is_preempted_gives_its_replicas_back_later_and_waits_in_its_old_place() -> None:
    played = Played(waiting("victim", demand(3), age=50), preemption=Preemption.HIGHER)
    played.time.decide()
    played.time.arrive(urgent())
    played.time.decide()
    assert played.tokens() == ["research.victim#1"]

    played.time.go_to(CANCELLING)
    [again] = [line for line in played.lines() if line.job_id == "victim"]
    played.time.decide()

    assert played.over == [("victim", CANCELLING, True)]
    assert (again.arrived, again.attempt, again.preemptions) == (at(-50), 1, 1)
    assert played.tokens() == ["research.urgent#1"]


def test_what_ends_by_itself_while_it_is_cancelled_waits_no_more() -> None:
    played = Played(waiting("victim", demand(3)), preemption=Preemption.HIGHER)
    played.time.decide()
    played.time.go_to(90)
    played.time.arrive(urgent())
    played.time.decide()
    played.time.go_to(200)

    assert played.over == [("victim", 100.0, False)]
    assert [line.job_id for line in played.lines()] == ["urgent"]


def test_a_job_is_preempted_as_often_as_the_policy_allows() -> None:
    played = Played(waiting("victim", demand(3)), preemption=Preemption.HIGHER, max_preemptions=2)
    for number in range(4):
        played.time.decide()
        played.time.arrive(urgent(f"urgent-{number}"))
        played.time.decide()
        for _ in range(2):
            played.time.go_to(played.time.next_end)
            played.time.decide()

    assert sum(preempted for _, _, preempted in played.over) == 2
