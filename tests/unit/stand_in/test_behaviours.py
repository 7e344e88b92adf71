"""Behaviours: merged, validated, counted down."""

from __future__ import annotations

import pytest

from infra.local.vertex.behaviours import Misbehaviour, seconds_of
from infra.local.vertex.errors import ServiceError


def test_changes_merge_into_what_is_in_force() -> None:
    it = Misbehaviour({"over_capacity": "reject"})

    it.merge({"get_lag_seconds": 2})

    assert (it.now.over_capacity, it.now.get_lag_seconds) == ("reject", 2.0)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"over_capcity": "reject"}, "over_capcity"),
        ({"over_capacity": "explode"}, "over_capacity"),
        ({"errors": [{"method": "*", "statsu": 500}]}, "errors.0.statsu"),
        ({"log_lines": {"loose": 1}}, "log_lines.loose"),
        ({"endings": [{"code": 17, "message": "m"}]}, "endings.0.code"),
        ({"latency_seconds": {"*": -1}}, "latency_seconds.*"),
    ],
)
def test_unknown_keys_and_bad_values_are_named(given: dict, field: str) -> None:
    it = Misbehaviour({})

    with pytest.raises(ServiceError) as refusal:
        it.merge(given)

    assert refusal.value.code == 400
    assert field in refusal.value.message


def test_an_error_strikes_as_often_as_it_says() -> None:
    it = Misbehaviour({"errors": [{"method": "GetCustomJob", "status": 500, "count": 2}]})

    struck = [it.injected_error("GetCustomJob") is not None for _ in range(3)]

    assert struck == [True, True, False]
    assert it.injected_error("ListCustomJobs") is None


def test_random_errors_repeat_with_their_seed() -> None:
    def struck() -> list[bool]:
        it = Misbehaviour({"seed": 7, "errors": [{"status": 503, "probability": 0.5}]})
        return [it.injected_error("GetCustomJob") is not None for _ in range(50)]

    assert struck() == struck()
    assert 5 < sum(struck()) < 45


def test_lines_are_lost_then_doubled_then_normal() -> None:
    it = Misbehaviour({"log_lines": {"lose": 1, "double": 2}})

    assert [it.copies_of_a_line() for _ in range(4)] == [0, 2, 2, 1]


def test_all_lines_can_be_lost() -> None:
    it = Misbehaviour({"log_lines": {"lose": "all"}})

    assert [it.copies_of_a_line() for _ in range(3)] == [0, 0, 0]


def test_calls_go_unanswered_as_often_as_asked() -> None:
    it = Misbehaviour({"never_answer": {"CreateCustomJob": 1}})

    assert [it.leaves_unanswered("CreateCustomJob") for _ in range(2)] == [True, False]


def test_which_jobs_is_a_pattern_bare_or_named() -> None:
    for given in ("slow-*", {"display_name": "slow-*"}):
        which = Misbehaviour({"hang": given}).now.hang
        assert which is not None
        assert which.match("slow-1")
        assert not which.match("fast-1")


def test_a_method_without_seconds_of_its_own_takes_those_of_all() -> None:
    assert seconds_of({"*": 1.0, "GetCustomJob": 2.0}, "GetCustomJob") == 2.0
    assert seconds_of({"*": 1.0}, "GetCustomJob") == 1.0
    assert seconds_of({}, "GetCustomJob") == 0.0


def test_a_job_ends_by_force_as_often_as_asked_and_only_when_its_name_fits() -> None:
    ending = {"display_name": "train-*", "code": 13, "message": "Internal error occurred", "count": 1}
    it = Misbehaviour({"endings": [{**ending, "before_running": True}, ending]})

    assert it.injected_ending("other", before_running=False) is None
    for before_running in (True, False):
        found = it.injected_ending("train-7", before_running=before_running)
        assert found is not None
        assert (found.code, found.before_running) == (13, before_running)
        assert it.injected_ending("train-7", before_running=before_running) is None
