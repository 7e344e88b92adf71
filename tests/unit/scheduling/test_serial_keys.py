"""Of the jobs that name one serial key only so many run at a time; who waits for it holds nobody up."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from poolqueue.scheduling.admission import decide
from poolqueue.scheduling.events import Released
from poolqueue.scheduling.forward import expected_left, run_forward
from poolqueue.scheduling.happenings import AttemptEnds, KeyComesFree
from poolqueue.scheduling.jobs import Reason
from poolqueue.scheduling.policies import Ordering
from poolqueue.scheduling.reasons import explain
from poolqueue.scheduling.remedies import HigherSerialLimit
from poolqueue.scheduling.serial_keys import TURN, Holder, Serial, SerialKey, Turn, Waiter
from poolqueue.scheduling.verdicts import Admit, Wait
from tests.unit.scheduling.building import (
    CPU,
    GPU,
    KEY,
    NOW,
    at,
    board,
    decided,
    demand,
    lasting,
    reservation,
    resource,
    waiting,
)

ONE, TWO = Serial(key="resnet"), Serial(key="resnet", limit=2)
OTHER = "demo-p.us-central1.gpu-b"
THIRD = "demo-p.us-central1.gpu-c"


def keyed(job_id: str, *demands: Any, serial: Serial = ONE, **more: Any):
    return waiting(job_id, *demands, serial=serial, **more)


def running(job_id: str, *, serial: Serial = ONE, seconds: int = 600, **more: Any):
    return reservation(f"t-{job_id}", job_id, serial=serial, traits=lasting(seconds), number="1", **more)


def holder(job_id: str, *, at_resource: str = OTHER, limit: int = 1) -> Holder:
    return Holder(token=f"t-{job_id}", job_id=job_id, attempt=1, resource=at_resource, limit=limit, since=NOW)


def waiter(job_id: str, *, at_resource: str = OTHER, priority: int = 0, age: float = 0) -> Waiter:
    return Waiter(resource=at_resource, job_id=job_id, priority=priority, arrived=at(-age))


def beside(key: SerialKey, *queue: Any, on: Any = None, **policy: Any):
    """A board whose other resources have the key so."""
    made = board(resource() if on is None else on, *queue, **policy)
    made.elsewhere = {("research", "resnet"): key.elsewhere(KEY)}
    return made


def starts(made) -> list[str]:
    return [admit.waiting.job_id for admit in decide(made, now=NOW, slots=50).admits]


def reasons(*verdicts) -> dict[str, Reason]:
    return {each.waiting.job_id: each.reason for each in verdicts if isinstance(each, Wait)}


# --- a decision ------------------------------------------------------------------------------------------


def test_only_one_of_a_key_starts() -> None:
    verdicts = decided(resource(), keyed("a", age=9), keyed("b"), waiting("c"))

    assert reasons(*verdicts) == {"b": Reason.SERIAL_KEY_TAKEN}


def test_as_many_start_as_the_key_allows() -> None:
    queue = [keyed(name, serial=TWO, age=9 - n) for n, name in enumerate("abc")]

    assert reasons(*decided(resource(), *queue)) == {"c": Reason.SERIAL_KEY_TAKEN}


def test_a_job_waits_for_the_one_that_runs_with_its_key() -> None:
    (wait,) = decided(resource(running("a")), keyed("b"))

    assert isinstance(wait, Wait)
    assert wait.note == "serial key resnet: 1 at a time; a has it"


def test_keys_of_other_teams_and_other_keys_are_others() -> None:
    queue = [keyed("a", team="vision"), keyed("b", serial=Serial(key="bert"))]

    assert reasons(*decided(resource(running("r")), *queue)) == {}


def test_a_key_is_shared_by_all_resources() -> None:
    made = beside(SerialKey(holders=(holder("far"),)), keyed("a"), waiting("b"))

    assert starts(made) == ["b"]
    (wait,) = decide(made, now=NOW, slots=50).waits()
    assert wait.note == "serial key resnet: 1 at a time; far on gpu-b has it"


def test_what_holds_is_the_smallest_limit_of_all_who_share_it() -> None:
    assert reasons(*decided(resource(running("a", serial=TWO)), keyed("one"))) == {
        "one": Reason.SERIAL_KEY_TAKEN
    }
    assert reasons(*decided(resource(running("a")), keyed("two", serial=TWO))) == {
        "two": Reason.SERIAL_KEY_TAKEN
    }
    assert reasons(*decided(resource(running("a", serial=TWO)), keyed("two", serial=TWO))) == {}


def test_who_waits_for_a_key_holds_nobody_up() -> None:
    """It would be first at the pool, and takes all of it: without its key no start is planned for it."""
    on = resource(running("a", replicas={CPU: 1}))
    queue = [keyed("large", demand(4), priority=9, age=9), waiting("small", demand(3), traits=lasting(9_000))]

    for ordering in Ordering:
        verdicts = decided(on, *queue, ordering=ordering)
        assert [each.waiting.job_id for each in verdicts if isinstance(each, Admit)] == ["small"]


def test_a_team_that_waits_for_its_own_key_does_not_compete() -> None:
    decision = decide(board(resource(running("a")), keyed("b")), now=NOW, slots=50)

    assert decision.competing == set()
    assert decision.planned == []


def test_without_a_slot_left_the_key_is_kept_for_who_comes_first() -> None:
    decision = decide(board(resource(), keyed("a", age=9), keyed("b")), now=NOW, slots=0)

    assert {wait.waiting.job_id: wait.reason for wait in decision.waits()} == {
        "a": Reason.PACED,
        "b": Reason.SERIAL_KEY_TAKEN,
    }


# --- turns -----------------------------------------------------------------------------------------------


def released(*waiters: Waiter, **more: Any) -> tuple[SerialKey, tuple[str, ...]]:
    key = SerialKey(holders=(holder("a", at_resource=KEY),), waiters=waiters, **more)
    return key.released(KEY, [], now=NOW)


def test_who_waits_elsewhere_is_told_and_has_the_first_turn() -> None:
    key, told = released(waiter("late"), waiter("early", at_resource=THIRD, age=9))

    assert set(told) == {OTHER, THIRD}
    assert key == SerialKey(turn=Turn(waiter=waiter("early", at_resource=THIRD, age=9), until=NOW + TURN))


def test_the_turn_holds_back_only_who_comes_after() -> None:
    key, _ = released(waiter("far", priority=5))

    assert starts(beside(key, keyed("after", priority=4))) == []
    assert starts(beside(key, keyed("before", priority=6))) == ["before"]


def test_a_turn_is_over_in_time() -> None:
    key, _ = released(waiter("far", age=9))
    made = beside(key, keyed("here"))
    decision = decide(made, now=NOW, slots=50)
    made.confirm(NOW + TURN)

    assert decision.due() == NOW + TURN
    assert [each.waiting.job_id for each in decide(made, now=NOW + TURN, slots=50).admits] == ["here"]


def test_the_turn_is_no_obstacle_where_it_is() -> None:
    key, _ = released(waiter("far", age=9))

    assert key.elsewhere(OTHER) == SerialKey()


def test_who_waits_where_the_key_came_free_needs_no_turn() -> None:
    key, told = released(waiter("here", at_resource=KEY, age=9), waiter("far"))

    assert told == (OTHER,)
    assert key.turn is None


def test_nobody_is_told_while_the_key_stays_taken() -> None:
    key = SerialKey(
        holders=(holder("a", at_resource=KEY, limit=2), holder("b", limit=1)), waiters=(waiter("c"),)
    )

    after, told = key.released(KEY, [], now=NOW)

    assert told == ()
    assert after.waiters == key.waiters


def test_a_turn_that_was_used_is_over() -> None:
    key, _ = released(waiter("far", age=9))

    after = key.taken(OTHER, [holder("far")], None)

    assert after == SerialKey(holders=(holder("far"),))


def test_one_waiter_is_kept_per_resource_the_first() -> None:
    key = SerialKey(holders=(holder("a"),), waiters=(waiter("b", at_resource=KEY),))

    assert key.taken(KEY, [], waiter("later", at_resource=KEY, age=-1)) == key
    assert key.taken(KEY, [], waiter("c", at_resource=KEY, age=9)).waiters == (
        waiter("c", at_resource=KEY, age=9),
    )


def test_a_key_that_nobody_has_or_waits_for_is_forgotten() -> None:
    key, _ = released()

    assert key.is_forgettable


SERIALS = st.builds(Serial, key=st.sampled_from(["k", "l"]), limit=st.integers(1, 3))


@given(
    st.lists(SERIALS, max_size=4),
    st.lists(st.tuples(SERIALS, st.integers(0, 3)), max_size=12),
    st.lists(st.tuples(st.sampled_from(["k", "l"]), st.integers(1, 3)), max_size=3),
    st.sampled_from(Ordering),
)
def test_no_decision_lets_more_run_than_the_smallest_limit(held, queue, far, ordering) -> None:
    """Whatever was running before counts too, even where it is more than it ought to be."""
    on = resource(
        *(running(f"r{n}", serial=each, replicas={GPU: 1}) for n, each in enumerate(held)),
        pools=(resource().pools[0],),
    )
    lines = [keyed(f"w{n}", serial=each, priority=p) for n, (each, p) in enumerate(queue)]
    made = board(on, *lines, ordering=ordering)
    made.elsewhere = {
        ("research", name): SerialKey(
            holders=tuple(holder(f"f{n}", limit=limit) for n, (key, limit) in enumerate(far) if key == name)
        )
        for name in "kl"
    }

    decision = decide(made, now=NOW, slots=50)

    for name in "kl":
        before = [each.limit for each in held if each.key == name]
        before += [limit for key, limit in far if key == name]
        begun = [
            each.waiting.serial.limit
            for each in decision.admits
            if each.waiting.serial is not None and each.waiting.serial.key == name
        ]
        assert not begun or len(before) + len(begun) <= min([*before, *begun])


# --- looking ahead ---------------------------------------------------------------------------------------


def test_a_run_forward_lets_one_after_the_other_run() -> None:
    on = board(
        resource(running("a", seconds=100)),
        keyed("b", age=2, traits=lasting(50)),
        keyed("c", age=1, traits=lasting(10)),
        waiting("free", traits=lasting(10)),
    )

    course = run_forward(on, now=NOW, left=expected_left(on))

    assert course.starts == {"research.free": NOW, "research.b": at(100), "research.c": at(150)}


def test_what_another_resource_holds_never_ends_in_a_run_forward() -> None:
    on = beside(SerialKey(holders=(holder("far"),)), keyed("a"))

    course = run_forward(on, now=NOW, left=expected_left(on))

    assert course.starts == {}
    assert course.is_over


def test_a_release_frees_the_key_on_the_board() -> None:
    on = board(resource(running("a")), keyed("b"))
    on.apply(Released(token="t-a", at=NOW, settles=False), now=NOW)

    assert starts(on) == ["b"]


def test_a_wait_for_a_key_is_explained_by_who_has_it() -> None:
    line = keyed("b")
    told = explain(board(resource(running("a", seconds=90)), line), line, now=NOW, slots=50)

    assert told.reason is Reason.SERIAL_KEY_TAKEN
    assert told.happenings == (AttemptEnds(key="research.a", at=at(90)),)
    assert told.remedies == ()


def test_a_higher_limit_helps_where_those_that_run_allow_it() -> None:
    line = keyed("b", serial=ONE)
    told = explain(board(resource(running("a", serial=TWO)), line), line, now=NOW, slots=50)

    assert told.remedies == (HigherSerialLimit(to=2),)


def test_nobody_says_when_a_key_comes_free_elsewhere() -> None:
    line = keyed("b")
    told = explain(beside(SerialKey(holders=(holder("far"),)), line), line, now=NOW, slots=50)

    assert told.happenings == (KeyComesFree(holders=("far on gpu-b",)),)
