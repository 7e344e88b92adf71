from __future__ import annotations

from collections.abc import Mapping

from poolqueue.scheduling.events import (
    Announced,
    Changed,
    DoubtedReadiness,
    Drained,
    Learned,
    Noted,
    Observed,
    Occupant,
    Queued,
    Released,
    Reserved,
    Resumed,
    RunEnded,
    SubmissionRefused,
    apply,
)
from poolqueue.scheduling.jobs import Reason
from poolqueue.scheduling.pools import (
    OUTCOMES_LIMIT,
    Drain,
    Pool,
    PoolKey,
    Ran,
    Resource,
    Unannounced,
    free,
    occupied,
)
from poolqueue.scheduling.traits import NO_TRAITS
from tests.unit.scheduling.building import CPU, GPU, NOW, at, pool, reservation, resource

DRAIN = Drain(reason="r", author="a", at=NOW)


def after(on: Resource, *events) -> Resource:
    for event in events:
        on = apply(on, event)
    return on


def seen(
    *listed: Occupant, used: Mapping[PoolKey, int] | None = None, before=(), seconds: float = 0
) -> Observed:
    used = used or {}
    pools: tuple[Pool, ...] = tuple(
        pool(key, capacity, used=used.get(key, 0)) for key, capacity in ((CPU, 4), (GPU, 2))
    )
    return Observed(
        state="RUNNING",
        created=NOW,
        pools=pools,
        listed=listed,
        reserved_before=frozenset(before),
        at=at(seconds),
    )


def other(replicas: int = 1) -> Occupant:
    return Occupant(replicas={CPU: replicas})


def refused(seconds: float = 0, reason: Reason = Reason.CAPACITY_REFUSED) -> SubmissionRefused:
    return SubmissionRefused(pools=(CPU,), reason=reason, at=at(seconds))


# --- reservations ----------------------------------------------------------------------------------------


def test_occupancy_is_the_sum_of_reservations_foreign_use_and_surplus() -> None:
    busy = resource(
        reservation("a"), reservation("b", replicas={CPU: 1, GPU: 2}), foreign={CPU: 3}, surplus={GPU: 1}
    )

    assert occupied(busy) == {CPU: 5, GPU: 3}
    assert free(busy) == {CPU: -1, GPU: -1}


def test_a_released_reservation_gives_its_replicas_back() -> None:
    busy = after(resource(), Reserved(reservations=(reservation("a"), reservation("b"))))

    released = after(busy, Released(token="a", at=at(9)))

    assert list(released.reservations) == ["b"]
    assert released.released_at == {CPU: at(9)}


def test_starts_and_ends_count_in_the_epoch() -> None:
    busy = after(resource(), Reserved(reservations=(reservation("a"), reservation("b"))))

    assert busy.epoch == 2
    assert after(busy, Released(token="a", at=NOW)).epoch == 3


def test_releasing_what_is_not_reserved_changes_nothing() -> None:
    assert after(resource(), Released(token="gone", at=NOW)) == resource()


def test_a_note_about_what_is_not_reserved_brings_nothing_back() -> None:
    assert after(resource(), Noted(reservation=reservation("gone"))) == resource()


def test_a_note_replaces_the_reservation() -> None:
    noted = after(resource(reservation("a")), Noted(reservation=reservation("a", running=True)))

    assert noted.reservations["a"].running


# --- what Vertex AI shows --------------------------------------------------------------------------------


def test_what_others_run_is_foreign_use() -> None:
    assert after(resource(), seen(other(2), other(1))).foreign == {CPU: 3}


def test_what_is_reserved_is_not_foreign() -> None:
    ours = Occupant(replicas={CPU: 2}, token="a")

    observed = after(resource(reservation("a", replicas={CPU: 2})), seen(ours, other()))

    assert observed.foreign == {CPU: 1}
    assert occupied(observed)[CPU] == 3


def test_what_was_reserved_when_the_listing_was_asked_for_and_is_released_by_now_is_not_foreign() -> None:
    ours = Occupant(replicas={CPU: 2}, token="a")

    assert not after(resource(), seen(ours, before=["a"])).foreign


def test_a_late_copy_of_ours_without_a_reservation_is_foreign() -> None:
    assert after(resource(), seen(Occupant(replicas={CPU: 1}, token="lost"))).foreign == {CPU: 1}


def ours(token: str = "a", number: str = "1", replicas: int = 1) -> Occupant:
    return Occupant(replicas={CPU: replicas}, token=token, number=number)


def test_a_second_custom_job_with_a_reserved_token_is_foreign() -> None:
    observed = after(resource(reservation("a")), seen(ours(number="1"), ours(number="2")))

    assert observed.foreign == {CPU: 1}


def test_a_custom_job_that_is_not_the_one_of_the_reservation_is_foreign() -> None:
    known = resource(reservation("a", number="1"))

    assert after(known, seen(ours(number="2"))).foreign == {CPU: 1}
    assert after(known, seen(ours(number="2", replicas=3), ours(number="1"))).foreign == {CPU: 3}


def test_surplus_counts_only_when_two_sweeps_in_a_row_saw_it() -> None:
    once = after(resource(), seen(used={CPU: 2}))
    twice = after(once, seen(used={CPU: 2}))

    assert not once.surplus
    assert twice.surplus == {CPU: 2}


def test_surplus_is_what_both_sweeps_saw() -> None:
    growing = after(resource(), seen(used={CPU: 1}), seen(used={CPU: 3}))

    assert growing.surplus == {CPU: 1}


def test_a_start_or_an_end_between_two_sweeps_makes_surplus_uncertain() -> None:
    first = after(resource(), seen(used={CPU: 2}), Reserved(reservations=(reservation("a"),)))

    assert not after(first, seen(used={CPU: 2}, before=["a"])).surplus


def test_a_start_or_an_end_between_looking_and_recording_makes_surplus_uncertain() -> None:
    """The first look was at a time when "a" was still reserved; it was released before that was recorded."""
    first = after(resource(), seen(used={CPU: 2}, before=["a"]))

    assert not after(first, seen(used={CPU: 2})).surplus


def test_surplus_that_is_gone_does_not_count_any_more() -> None:
    twice = after(resource(), seen(used={CPU: 2}), seen(used={CPU: 2}))

    assert not after(twice, seen()).surplus


def test_replicas_of_listed_jobs_are_no_surplus() -> None:
    listed = seen(other(2), used={CPU: 2})

    assert not after(resource(), listed, listed).surplus


def test_fewer_used_replicas_than_listed_jobs_hold_count_as_none() -> None:
    listed = seen(other(2), used={CPU: 0})

    assert not after(resource(), listed, listed).surplus


def test_pools_are_replaced_by_what_was_seen() -> None:
    observed = after(resource(pools=(pool(CPU, 99),)), seen(seconds=5))

    assert [each.capacity for each in observed.pools] == [4, 2]
    assert observed.observed_at == at(5)


def test_doubt_makes_the_capacity_unconfirmed() -> None:
    assert not after(resource(), DoubtedReadiness()).is_fresh(NOW)


# --- back-off --------------------------------------------------------------------------------------------


def test_each_further_refusal_leaves_the_pool_alone_for_longer() -> None:
    backed_off, seconds, lengths = resource(), 0.0, []
    for _ in range(8):
        backed_off = after(backed_off, refused(seconds))
        until = backed_off.backoffs[CPU].until
        lengths.append((until - at(seconds)).total_seconds())
        seconds += lengths[-1] + 1

    assert lengths == [15, 30, 60, 120, 240, 480, 600, 600]


def test_several_jobs_refused_at_once_are_one_step() -> None:
    backed_off = after(resource(), *(refused() for _ in range(10)))

    assert backed_off.backoffs[CPU].until == at(15)


def test_a_refusal_long_after_the_last_begins_anew() -> None:
    backed_off = after(resource(), refused(0), refused(16), refused(16 + 30 + 601))

    assert backed_off.backoffs[CPU].until == at(16 + 30 + 601 + 15)


def test_a_refusal_while_a_release_settles_waits_a_moment_and_is_no_step() -> None:
    settling = resource(reservation("a"))
    settling = after(settling, Released(token="a", at=at(0)), refused(29))

    assert settling.backoffs[CPU].until == at(34)
    assert after(settling, refused(36)).backoffs[CPU].until == at(51)


def test_what_no_custom_job_held_does_not_settle() -> None:
    released = after(resource(reservation("a")), Released(token="a", at=at(0), settles=False), refused(1))

    assert released.backoffs[CPU].until == at(16)


def test_a_quota_is_not_settled_by_a_release() -> None:
    released = after(resource(reservation("a")), Released(token="a", at=at(0)), refused(1, Reason.QUOTA))

    assert released.backoffs[CPU].until == at(16)
    assert released.backoffs[CPU].reason is Reason.QUOTA


def running(token: str, reserved_at: float) -> Noted:
    return Noted(reservation=reservation(token, reserved_at=at(reserved_at), number="1", running=True))


def test_a_custom_job_that_runs_though_it_was_started_after_the_back_off_makes_refusals_begin_anew() -> None:
    backed_off = after(resource(), refused(0), refused(16))  # until 46

    started = after(backed_off, Reserved(reservations=(reservation("a", reserved_at=at(47)),)))
    ran = after(started, running("a", 47), refused(60))

    assert ran.backoffs[CPU].until == at(75)


def test_one_that_was_started_before_the_refusal_tells_nothing_about_it() -> None:
    backed_off = after(resource(reservation("a")), refused(0), running("a", 0), refused(16))

    assert backed_off.backoffs[CPU].until == at(46)


def test_a_release_after_the_back_off_makes_refusals_begin_anew() -> None:
    backed_off = after(resource(reservation("a")), refused(0), refused(16))

    released = after(backed_off, Released(token="a", at=at(50)), refused(90))

    assert released.backoffs[CPU].until == at(105)


def test_a_release_lets_its_pool_be_tried_again_soon() -> None:
    backed_off = after(resource(reservation("a")), refused(0), refused(16))  # until 46

    assert after(backed_off, Released(token="a", at=at(20))).backoffs[CPU].until == at(25)
    assert after(backed_off, Released(token="a", at=at(45))).backoffs[CPU].until == at(46)


def test_what_no_custom_job_held_shortens_no_back_off() -> None:
    backed_off = after(resource(reservation("a")), refused(0), refused(16))

    released = after(backed_off, Released(token="a", at=at(20), settles=False))

    assert released.backoffs[CPU].until == at(46)


def test_a_release_gives_no_quota_back_and_makes_nothing_ready() -> None:
    backed_off = after(resource(reservation("a")), refused(0, Reason.QUOTA))

    assert after(backed_off, Released(token="a", at=at(2))).backoffs[CPU].until == at(15)


def test_only_the_refused_pool_backs_off() -> None:
    assert list(after(resource(), refused()).backoffs) == [CPU]


# --- drains, the queue -----------------------------------------------------------------------------------


def test_what_was_drained_is_resumed() -> None:
    drained = after(resource(), Drained(pool="cpu", drain=DRAIN), Drained(pool="gpu", drain=DRAIN))

    assert list(after(drained, Resumed(pool="cpu")).drained) == ["gpu"]
    assert after(drained, Resumed(pool="unknown")).drained == drained.drained


def test_the_length_of_the_queue_is_noted() -> None:
    noted = after(resource(), Queued(waiting=7, shards=2))

    assert (noted.waiting, noted.shards) == (7, 2)


# --- announcements ---------------------------------------------------------------------------------------


def changed(first: int, last: int) -> Changed:
    return Changed(key="k", first=first, last=last, at=NOW)


def open_changes(*events) -> Unannounced | None:
    return after(resource(), *events).unannounced.get("k")


def test_changes_of_a_job_are_one_range_until_they_are_announced() -> None:
    assert open_changes(changed(2, 3), changed(4, 4)) == Unannounced(first=2, last=4, at=NOW)


def test_announcing_the_last_change_closes_the_range() -> None:
    assert open_changes(changed(2, 4), Announced(key="k", first=2, last=4)) is None


def test_announcing_some_leaves_the_rest() -> None:
    assert open_changes(changed(2, 4), Announced(key="k", first=1, last=3)) == Unannounced(
        first=4, last=4, at=NOW
    )


def test_announcing_earlier_ones_again_changes_nothing() -> None:
    assert open_changes(changed(4, 5), Announced(key="k", first=2, last=3)) == Unannounced(
        first=4, last=5, at=NOW
    )


def test_announcing_the_end_first_leaves_what_another_process_has_still_to_announce() -> None:
    announced_last = Announced(key="k", first=4, last=4)

    assert open_changes(changed(2, 4), announced_last) == Unannounced(first=2, last=3, at=NOW)


def test_a_hole_in_the_middle_is_announced_again() -> None:
    middle = Announced(key="k", first=3, last=3)

    assert open_changes(changed(2, 4), middle) == Unannounced(first=2, last=4, at=NOW)


def test_an_announcement_of_an_unknown_job_changes_nothing() -> None:
    assert after(resource(), Announced(key="other", first=1, last=9)) == resource()


# --- outcomes that run times are yet to learn from ---------------------------------------------------------


RAN = Ran(traits=NO_TRAITS, since=NOW, seconds=5.0, by_itself=True)


def test_outcomes_are_kept_until_they_are_learned() -> None:
    ended = after(resource(), RunEnded(token="a", ran=RAN), RunEnded(token="b", ran=RAN))

    assert ended.outcomes == {"a": RAN, "b": RAN}
    assert after(ended, Learned(tokens=frozenset({"a"}))).outcomes == {"b": RAN}


def test_no_more_outcomes_are_kept_than_find_room() -> None:
    ended = after(resource(), *(RunEnded(token=str(n), ran=RAN) for n in range(OUTCOMES_LIMIT + 1)))

    assert len(ended.outcomes) == OUTCOMES_LIMIT
    assert "0" not in ended.outcomes
