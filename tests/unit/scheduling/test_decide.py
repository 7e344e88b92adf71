from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from poolqueue.scheduling import walk
from poolqueue.scheduling.admission import decide
from poolqueue.scheduling.expectations import TimeoutsOnly
from poolqueue.scheduling.jobs import Reason
from poolqueue.scheduling.ordering import Order
from poolqueue.scheduling.policies import Ordering
from poolqueue.scheduling.pools import WHOLE_RESOURCE, Backoff, Drain, Promise, Use
from poolqueue.scheduling.turns import in_turn
from poolqueue.scheduling.verdicts import Admit, Reject, Wait
from tests.unit.scheduling.building import (
    CPU,
    GPU,
    NOW,
    at,
    board,
    decided,
    demand,
    lasting,
    pool,
    reservation,
    resource,
    waiting,
)

DRAIN = Drain(reason="new driver", author="ops", at=NOW)


def names(verdicts) -> list[str]:
    return [verdict.waiting.job_id for verdict in verdicts if isinstance(verdict, Admit)]


def only_wait(verdicts) -> Wait:
    (wait,) = verdicts
    assert isinstance(wait, Wait)
    return wait


# --- ordering --------------------------------------------------------------------------------------------


def order(*queue) -> list[str]:
    return [line.job_id for line in in_turn(board(resource(), *queue), now=NOW)]


def test_higher_priority_comes_first_then_the_older() -> None:
    queue = [waiting("young"), waiting("old", age=9), waiting("urgent", priority=5)]

    assert order(*queue) == ["urgent", "old", "young"]


def test_jobs_of_one_moment_have_an_order_of_their_own() -> None:
    queue = [waiting("b"), waiting("a"), waiting("a", team="other")]

    assert order(*queue) == order(*reversed(queue))


# --- what fits -------------------------------------------------------------------------------------------


def test_whatever_fits_starts_in_order() -> None:
    queue = [waiting(str(age), demand(2), age=age) for age in (1, 2, 3)]

    assert names(decided(resource(), *queue)) == ["3", "2"]


def test_what_does_not_fit_says_how_many_replicas_are_missing() -> None:
    wait = only_wait(decided(resource(reservation(replicas={CPU: 3})), waiting("j", demand(2))))

    assert wait.reason is Reason.NEEDS_REPLICAS
    assert wait.short_by == {CPU: 1}
    assert wait.note == "cpu: needs 2, 1 free"


def test_a_smaller_job_goes_ahead_of_a_larger_one_that_does_not_fit() -> None:
    queue = [waiting("large", demand(4), age=2), waiting("small", age=1)]

    assert names(decided(resource(reservation()), *queue)) == ["small"]


def test_foreign_use_and_surplus_are_not_free() -> None:
    busy = resource(foreign={CPU: 2}, surplus={CPU: 1})

    assert names(decided(busy, waiting("a", demand(2)), waiting("b", demand(1)))) == ["b"]


def test_above_capacity_by_shrinkage_nothing_is_admitted() -> None:
    shrunk = resource(reservation(replicas={CPU: 4}), pools=(pool(capacity=2),))

    wait = only_wait(decided(shrunk, waiting("j")))

    assert wait.note == "cpu: needs 1, 0 free"
    assert wait.short_by == {CPU: 3}


def test_a_job_gets_all_its_pools_or_none() -> None:
    both = waiting("both", demand(1), demand(2, GPU, index=1), age=5)

    verdicts = decided(resource(reservation(replicas={GPU: 1})), both, waiting("cpu", demand(4)))

    assert names(verdicts) == ["cpu"]


def test_replicas_of_all_worker_pool_specs_are_reserved_per_pool() -> None:
    (admit,) = decided(resource(), waiting("j", demand(1), demand(2, index=1), demand(2, GPU, index=2)))

    assert isinstance(admit, Admit)
    assert admit.replicas == {CPU: 3, GPU: 2}
    assert [assignment.index for assignment in admit.assignments] == [0, 1, 2]


# --- planned starts --------------------------------------------------------------------------------------


def busy(seconds: int = 100, replicas: int = 1, **more):
    """One attempt holds replicas, for so long as is expected."""
    return resource(reservation(replicas={CPU: replicas}, traits=lasting(seconds)), **more)


def small(job_id: str, seconds: int, replicas: int = 1, **more):
    return waiting(job_id, demand(replicas), traits=lasting(seconds), **more)


def test_the_first_that_does_not_fit_is_planned_for_when_enough_is_expected_to_be_free() -> None:
    wait = only_wait(decided(busy(100), waiting("large", demand(4))))

    assert wait.block.start == at(100)


def test_a_later_job_goes_ahead_that_is_expected_to_end_before_the_planned_start() -> None:
    queue = [waiting("large", demand(4), age=9), small("long", 101, age=8), small("short", 100)]

    verdicts = decided(busy(100), *queue)

    assert names(verdicts) == ["short"]
    assert [v.reason for v in verdicts if isinstance(v, Wait)] == [
        Reason.NEEDS_REPLICAS,
        Reason.BEHIND_PLANNED_START,
    ]
    assert "research.large" in verdicts[1].note


def test_whom_it_went_ahead_of_is_told() -> None:
    verdicts = decided(busy(100), waiting("large", demand(4), age=9), small("short", 50))

    (overtaken,) = verdicts[1].overtakes
    assert (overtaken.key, overtaken.start, overtaken.expected_delay) == ("research.large", at(100), 0.0)


class Evenly(TimeoutsOnly):
    """Any time up to the timeout is as likely as any other."""

    def run_seconds(self, traits, chance):
        return chance * traits.timeout

    def chance_within(self, traits, seconds):
        return min(1.0, seconds / traits.timeout)

    def excess_seconds(self, traits, room):
        return max(0.0, traits.timeout - room) ** 2 / (2 * traits.timeout)


def test_by_how_much_an_overtaking_is_expected_to_delay_is_the_mean_of_what_exceeds_the_start() -> None:
    """Up to 1000 s, of which the last 100 s are beyond the planned start: 50 s in a tenth of the cases."""
    queue = [waiting("large", demand(4), age=9), small("may-exceed", 1000)]
    known = Evenly()

    decision = decide(board(busy(900), *queue, expectations=known), now=NOW, slots=9)

    (overtaken,) = decision.admits[0].overtakes
    assert overtaken.expected_delay == pytest.approx(5, rel=0.05)


def test_what_the_planned_start_leaves_delays_it_by_nothing() -> None:
    queue = [waiting("large", demand(3), age=9), small("long", 10**5)]

    decision = decide(board(busy(100, replicas=2), *queue, expectations=Evenly()), now=NOW, slots=9)

    (overtaken,) = decision.admits[0].overtakes
    assert overtaken.expected_delay == 0


def test_who_passes_a_firm_place_has_gone_ahead_of_it() -> None:
    """It started before the start that it passed was planned."""
    held = resource(reservation(replicas={CPU: 20}, traits=lasting(10**5)), pools=(pool(capacity=40),))
    queue = [small("wide", 10**5, 30, age=10**6), small("short", 60)]

    decision = decide(board(held, *queue, ordering=Ordering.EXPECTED), now=NOW, slots=9)

    (admit,) = decision.admits
    assert admit.passes
    assert [each.key for each in admit.overtakes] == ["research.wide"]


def test_a_long_job_goes_ahead_in_what_the_planned_one_leaves() -> None:
    queue = [waiting("large", demand(3), age=9), small("a", 1000), small("b", 1000)]

    assert names(decided(busy(100, replicas=2), *queue)) == ["a"]


def test_a_place_is_held_only_on_the_pools_that_the_job_waits_for() -> None:
    queue = [waiting("large", demand(4), age=9), waiting("gpu", demand(1, GPU))]

    assert names(decided(busy(100), *queue)) == ["gpu"]


def test_a_place_is_held_on_all_pools_of_the_job_else_the_others_would_never_be_free_together() -> None:
    both = waiting("both", demand(4), demand(2, GPU, index=1), age=9)
    held = resource(reservation(replicas={GPU: 1}, traits=lasting(50)))

    verdicts = decided(held, both, small("cpu", 51))

    assert verdicts[1].reason is Reason.BEHIND_PLANNED_START


def test_a_planned_start_does_not_stop_a_job_of_higher_priority() -> None:
    queue = [waiting("large", demand(4), age=100), waiting("urgent", priority=9)]

    assert names(decided(busy(100), *queue)) == ["urgent"]


def test_what_starts_now_is_part_of_the_plan() -> None:
    first = small("first", 500, 2, age=9)

    verdicts = decided(busy(100), first, waiting("large", demand(4), age=8))

    assert verdicts[1].block.start == at(500)


def test_an_attempt_that_outlasted_what_was_expected_is_expected_to_end_later() -> None:
    late = resource(reservation(traits=lasting(100), reserved_at=at(-200)))

    assert only_wait(decided(late, waiting("large", demand(4)))).block.start == at(1)


def test_what_is_being_cancelled_is_expected_to_be_free_soon() -> None:
    going = resource(reservation(traits=lasting(10_000), cancelled_at=NOW))

    assert only_wait(decided(going, waiting("large", demand(4)))).block.start == at(60)


def test_who_waits_for_foreign_use_lets_others_pass_until_its_place_is_firm() -> None:
    queue = [waiting("large", demand(4), age=100), small("long", 10**6)]
    foreign = resource(foreign={CPU: 1})

    assert names(decided(foreign, *queue, firm_after=timedelta(seconds=101))) == ["long"]
    assert names(decided(foreign, *queue, firm_after=timedelta(seconds=100))) == []


def test_jobs_of_an_hour_go_ahead_of_a_firm_place_that_waits_for_foreign_use() -> None:
    queue = [waiting("large", demand(4), age=100), small("hour", 3_600), small("more", 3_601)]

    verdicts = decided(resource(foreign={CPU: 1}), *queue, firm_after=timedelta(seconds=100))

    assert names(verdicts) == ["hour"]


def test_in_strict_fifo_nobody_passes_what_waits_for_foreign_use() -> None:
    queue = [waiting("large", demand(4), age=100), small("small", 10)]

    assert names(decided(resource(foreign={CPU: 1}), *queue, ordering=Ordering.FIFO)) == []


def test_a_job_of_two_pools_gets_its_planned_start_before_later_ones_at_either() -> None:
    """Else it would wait for as long as planned starts at one pool or the other overlap."""
    held = resource(reservation(replicas={CPU: 1, GPU: 1}, traits=lasting(100)))
    first = waiting("first", demand(4), age=9)
    both = waiting("both", demand(4), demand(2, GPU, index=1), age=8)
    later = waiting("later", demand(2, GPU), age=7)

    decision = decide(board(held, first, both, later), now=NOW, slots=9)

    assert [plan.key for plan in decision.planned] == ["research.first"]


def test_who_was_promised_a_start_keeps_its_turn_against_a_team_that_used_less() -> None:
    promised = {"research.large": Promise(start=at(100), made=at(-10))}
    uses = {"research": Use(at=NOW, seconds=10**6, waiting=True), "other": Use(at=NOW, waiting=True)}
    held = busy(100, promises=promised, uses=uses)
    queue = [waiting("large", demand(4), age=9), small("long", 101, team="other", age=20)]

    assert names(decided(held, *queue)) == []
    assert names(decided(replace(held, promises={}), *queue)) == ["long"]


def test_a_demand_that_the_pool_can_never_meet_holds_no_place() -> None:
    queue = [waiting("huge", demand(9), age=1000), waiting("small")]

    verdicts = decided(resource(), *queue)

    assert verdicts[0].reason is Reason.ABOVE_CAPACITY
    assert names(verdicts) == ["small"]


def test_strict_fifo_lets_nobody_pass_on_the_same_pools() -> None:
    queue = [waiting("large", demand(4), age=9), small("short", 1), waiting("gpu", demand(1, GPU))]

    verdicts = decided(busy(100), *queue, ordering=Ordering.FIFO)

    assert names(verdicts) == ["gpu"]
    assert {v.waiting.job_id: v.reason for v in verdicts if isinstance(v, Wait)}["short"] is (
        Reason.BEHIND_PLANNED_START
    )


def test_in_strict_fifo_nobody_passes_what_waits_behind_another_at_one_of_its_pools() -> None:
    both = waiting("both", demand(1), demand(1, GPU, index=1), age=8)
    queue = [waiting("large", demand(4), age=9), both, waiting("gpu", demand(1, GPU))]

    assert names(decided(busy(100), *queue, ordering=Ordering.FIFO)) == []


def test_strict_fifo_knows_no_priority() -> None:
    queue = [waiting("old", demand(4), age=9), waiting("urgent", demand(4), priority=99)]

    assert names(decided(resource(), *queue, ordering=Ordering.FIFO)) == ["old"]


def test_expected_to_be_short_goes_first_within_its_class() -> None:
    queue = [small("long", 100, 4, age=9), small("short", 50, 4), small("urgent", 500, 4, priority=1)]

    ordering = Ordering.EXPECTED
    assert [v.waiting.job_id for v in decided(resource(), *queue, ordering=ordering)] == [
        "urgent",
        "short",
        "long",
    ]


def test_who_has_waited_for_long_has_a_firm_place_before_what_is_short() -> None:
    queue = [small("long", 100, 4, age=60), small("short", 50, 4)]
    policy = {"ordering": Ordering.EXPECTED, "firm_after": timedelta(seconds=60)}

    assert names(decided(resource(), *queue, **policy)) == ["long"]


def test_a_job_that_sleeps_makes_nobody_late_however_long_ago_it_arrived() -> None:
    policy = {"ordering": Ordering.EXPECTED, "firm_after": timedelta(seconds=60)}
    asleep = waiting("asleep", age=9_000, not_before=at(9_000))
    awake = waiting("asleep", age=9_000)

    assert not Order(board(resource(), asleep, **policy), now=NOW).is_late
    assert not Order(board(resource(), asleep, **policy), now=NOW).is_any_firm
    assert Order(board(resource(), awake, **policy), now=NOW).is_late


# --- when nothing can start ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "reason", "told"),
    [
        ({"state": "MISSING"}, Reason.RESOURCE_MISSING, "no persistent resource"),
        ({"state": "PROVISIONING"}, Reason.RESOURCE_NOT_READY, "is PROVISIONING"),
        ({"state": "REBOOTING"}, Reason.RESOURCE_NOT_READY, "is REBOOTING"),
        ({"state": "ERROR"}, Reason.RESOURCE_NOT_READY, "is ERROR"),
        ({"observed_at": at(-91)}, Reason.RESOURCE_NOT_READY, "not confirmed"),
        ({"observed_at": None}, Reason.RESOURCE_NOT_READY, "not confirmed"),
        ({"drained": {WHOLE_RESOURCE: DRAIN}}, Reason.DRAINED, "new driver"),
    ],
)
def test_an_unusable_resource_makes_every_job_wait_with_the_reason(changes, reason, told) -> None:
    verdicts = decided(resource(**changes), waiting("a", is_new=True), waiting("b", demand(99)))

    assert {verdict.reason for verdict in verdicts} == {reason}
    assert told in verdicts[0].note


def test_capacity_seen_90_seconds_ago_still_counts() -> None:
    assert names(decided(resource(observed_at=at(-90)), waiting("j"))) == ["j"]


def test_a_drained_pool_holds_up_only_those_who_need_it() -> None:
    drained = resource(drained={"gpu": DRAIN})

    verdicts = decided(drained, waiting("gpu", demand(1, GPU)), waiting("cpu"))

    assert names(verdicts) == ["cpu"]
    assert {v.reason for v in verdicts if isinstance(v, Wait)} == {Reason.DRAINED}


@pytest.mark.parametrize("reason", [Reason.CAPACITY_REFUSED, Reason.QUOTA, Reason.RESOURCE_NOT_READY])
def test_a_pool_that_backs_off_is_left_alone_until_then(reason) -> None:
    backoff = Backoff(until=at(15), step=0, reason=reason)

    wait = only_wait(decided(resource(backoffs={CPU: backoff}), waiting("j")))

    assert (wait.reason, wait.until) == (reason, at(15))


def test_a_back_off_that_is_over_keeps_nobody_waiting() -> None:
    over = resource(backoffs={CPU: Backoff(until=NOW, step=3)})

    assert names(decided(over, waiting("j"))) == ["j"]


def test_a_job_that_backs_off_waits_until_its_time() -> None:
    wait = only_wait(decided(resource(), waiting("j", attempt=1, not_before=at(10))))

    assert (wait.reason, wait.until) == (Reason.BACKING_OFF, at(10))
    assert names(decided(resource(), waiting("j", not_before=NOW))) == ["j"]


# --- limits ----------------------------------------------------------------------------------------------


def test_what_waits_for_the_pace_says_so_and_keeps_its_replicas() -> None:
    queue = [waiting(str(number), demand(2), age=9 - number) for number in range(3)]

    verdicts = decided(resource(), *queue, slots=1)

    assert names(verdicts) == ["0"]
    assert [v.reason for v in verdicts[1:]] == [Reason.PACED, Reason.NEEDS_REPLICAS]


def test_without_a_slot_nothing_is_admitted() -> None:
    assert only_wait(decided(resource(), waiting("j"), slots=0)).reason is Reason.PACED


def test_a_resource_takes_no_more_than_its_limit_of_reservations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "RESERVATIONS_LIMIT", 2)

    verdicts = decided(resource(reservation()), waiting("a", age=1), waiting("b"))

    assert names(verdicts) == ["a"]
    assert verdicts[1].reason is Reason.TOO_MANY_RESERVATIONS


# --- refusals --------------------------------------------------------------------------------------------


def test_a_new_job_that_no_pool_can_ever_run_is_refused_with_all_that_is_wrong() -> None:
    unknown = replace(demand(), machine='{"machineType":"m"}')

    (verdict,) = decided(resource(), waiting("j", unknown, demand(9, index=1), is_new=True))

    assert isinstance(verdict, Reject)
    assert verdict.reason is Reason.NO_MATCHING_POOL
    assert len(verdict.problems) == 2


def test_a_new_job_above_capacity_is_refused_as_that() -> None:
    (verdict,) = decided(resource(), waiting("j", demand(5), is_new=True))

    assert isinstance(verdict, Reject)
    assert verdict.reason is Reason.ABOVE_CAPACITY


def test_a_job_that_waited_before_its_pool_shrank_goes_on_waiting() -> None:
    assert only_wait(decided(resource(), waiting("j", demand(5)))).reason is Reason.ABOVE_CAPACITY


def test_a_resource_that_comes_back_without_pools_makes_old_jobs_wait() -> None:
    assert only_wait(decided(resource(pools=()), waiting("j"))).reason is Reason.NO_MATCHING_POOL


def test_every_waiting_job_gets_a_verdict() -> None:
    queue = [waiting(str(n), demand(n + 1), is_new=n % 2 == 0) for n in range(8)]

    assert {v.waiting.job_id for v in decided(resource(), *queue)} == {str(n) for n in range(8)}
