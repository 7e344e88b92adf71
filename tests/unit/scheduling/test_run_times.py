"""What is learned from runs, for which others, and for how long."""

from __future__ import annotations

import pytest

from poolqueue.scheduling.distributions import Distribution
from poolqueue.scheduling.run_times import Outcome, RunTimes
from poolqueue.scheduling.traits import Traits
from tests.unit.scheduling.learning import DAY, HOUR, MINUTE, cut, learned, traits

TRAIN, EVALUATE = traits("train"), traits("evaluate")


def median(run_times: RunTimes, of: Traits) -> float:
    return run_times.distribution(of).quantile(0.5)


def mean(run_times: RunTimes, of: Traits) -> float:
    return run_times.distribution(of).mean()


def in_same_bucket(seconds: float) -> object:
    return pytest.approx(seconds, rel=0.8)


# --- from whom


def test_a_job_is_taken_to_run_as_long_as_similar_ones_did() -> None:
    run_times = learned((TRAIN, 2 * HOUR), (EVALUATE, 5 * MINUTE), times=10)

    assert median(run_times, TRAIN) == in_same_bucket(2 * HOUR)
    assert median(run_times, EVALUATE) == in_same_bucket(5 * MINUTE)


def test_a_job_of_an_unseen_name_is_taken_for_one_of_its_team_and_image() -> None:
    run_times = learned((TRAIN, 2 * HOUR), times=20)

    assert median(run_times, traits("never-seen-before")) == in_same_bucket(2 * HOUR)


def test_a_team_without_runs_is_taken_for_any_other_with_the_same_machines() -> None:
    run_times = learned((TRAIN, 2 * HOUR), (traits(team="b", replicas=8), 10 * MINUTE), times=20)

    assert median(run_times, traits(team="new")) == in_same_bucket(2 * HOUR)
    assert median(run_times, traits(team="new", replicas=8)) == in_same_bucket(10 * MINUTE)


def test_unseen_machines_are_taken_for_any() -> None:
    run_times = learned((TRAIN, 2 * HOUR), times=200)

    assert median(run_times, traits(team="new", replicas=5)) == in_same_bucket(2 * HOUR)


def test_one_run_says_less_than_many() -> None:
    run_times = learned((TRAIN, 2 * HOUR), times=30)
    before = mean(run_times, EVALUATE)

    learned((EVALUATE, MINUTE), into=run_times)
    after_one = mean(run_times, EVALUATE)
    learned((EVALUATE, MINUTE), times=10, into=run_times)

    assert mean(run_times, EVALUATE) < after_one < before
    assert after_one > before / 3


def test_what_one_team_does_changes_nothing_for_a_team_with_runs_of_its_own() -> None:
    run_times = learned((TRAIN, 2 * HOUR), times=50)
    before = median(run_times, TRAIN)

    learned((traits(team="other"), MINUTE), times=1_000, into=run_times)

    assert median(run_times, TRAIN) == pytest.approx(before, rel=0.3)


# --- names and claims


def test_an_unseen_name_is_no_shorter_than_the_teams_runs_of_that_image() -> None:
    run_times = learned((TRAIN, 5 * HOUR), times=40)
    known = run_times.distribution(TRAIN)

    unseen = run_times.distribution(traits("quick"))

    assert unseen.mean() >= 0.9 * known.mean()
    assert unseen.quantile(0.5) == in_same_bucket(5 * HOUR)


def test_a_claim_that_nobody_has_kept_yet_makes_no_job_look_shorter() -> None:
    run_times = learned((TRAIN, 5 * HOUR), times=40)
    honest = run_times.distribution(traits("new"))

    claiming = run_times.distribution(traits("new", claimed=MINUTE))

    assert claiming.mean() >= honest.mean()
    assert all(claiming.quantile(chance) >= honest.quantile(chance) for chance in (0.1, 0.5, 0.7, 0.9))


def test_a_lie_told_again_and_again_buys_nothing() -> None:
    run_times = learned((TRAIN, 5 * HOUR), times=40)
    for n in range(40):
        name = "abcdefghijklmnopqrstuvwxyz"[n % 26] + "x" * (n // 26)
        learned((traits(name, claimed=MINUTE), 5 * HOUR), into=run_times)

    lying = run_times.distribution(traits("yet-another", claimed=MINUTE))

    assert lying.quantile(0.5) == in_same_bucket(5 * HOUR)
    assert lying.mean() >= 0.9 * mean(run_times, traits("yet-another"))


def test_a_claim_that_is_kept_again_and_again_counts() -> None:
    run_times = learned((TRAIN, 5 * HOUR), times=40)
    for name in ("a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"):
        learned((traits(name, claimed=5 * MINUTE), 5 * MINUTE), into=run_times)

    assert median(run_times, traits("new", claimed=5 * MINUTE)) == in_same_bucket(5 * MINUTE)


def test_a_long_claim_makes_a_job_look_longer_by_about_one_run() -> None:
    run_times = learned((EVALUATE, 5 * MINUTE), times=40)

    with_claim = run_times.distribution(traits("new", claimed=DAY))

    assert 1.5 * mean(run_times, traits("new")) < with_claim.mean() < 6 * HOUR


# --- ageing


def test_behaviour_that_changes_is_learned_anew_within_some_runs() -> None:
    run_times = learned((TRAIN, 4 * HOUR), times=200)

    learned((TRAIN, 5 * MINUTE), times=25, into=run_times)

    assert median(run_times, TRAIN) == in_same_bucket(5 * MINUTE)


def test_an_outlier_moves_neither_the_median_nor_the_p90_by_more_than_a_bucket() -> None:
    run_times = learned((TRAIN, HOUR), times=30)
    before = run_times.distribution(TRAIN)

    learned((TRAIN, 6 * DAY), into=run_times)

    after = run_times.distribution(TRAIN)
    assert after.quantile(0.5) == pytest.approx(before.quantile(0.5), rel=0.2)
    assert after.quantile(0.9) <= 1.8 * before.quantile(0.9)


def test_an_outlier_is_forgotten() -> None:
    run_times = learned((TRAIN, HOUR), times=30)
    before = mean(run_times, TRAIN)
    learned((TRAIN, 6 * DAY), into=run_times)

    learned((TRAIN, HOUR), times=60, into=run_times)

    assert mean(run_times, TRAIN) < 1.5 * before


def test_in_a_burst_those_that_end_last_count_no_more_than_those_that_ended_first() -> None:
    """All start at once; what counts is when runs began, or only the long ones would be remembered."""
    run_times = RunTimes()
    for n in range(100):
        run_times.started(str(n), TRAIN, 0.0)
    run_times.advance(20 * HOUR)
    for n in sorted(range(100), key=lambda n: n % 2):
        run_times.ended(str(n), Outcome(traits=TRAIN, seconds=10 * HOUR if n % 2 else MINUTE))

    chance_of_a_short_one = 1.0 - run_times.distribution(TRAIN).survival(10 * MINUTE)

    assert 0.4 < chance_of_a_short_one < 0.6


# --- runs that were cut, and runs that go on


def test_a_run_that_was_cut_only_says_that_it_would_have_lasted_longer() -> None:
    run_times = learned((TRAIN, 4 * HOUR), times=10)
    before = run_times.distribution(TRAIN)

    cut(run_times, TRAIN, [MINUTE] * 10)

    after = run_times.distribution(TRAIN)
    assert after.quantile(0.5) >= before.quantile(0.5)


def test_runs_that_always_meet_their_timeout_are_taken_to_meet_it() -> None:
    run_times = RunTimes()
    cut(run_times, traits(timeout=HOUR), [HOUR] * 30)

    assert median(run_times, traits(timeout=HOUR)) == pytest.approx(HOUR)


def test_what_goes_on_for_long_is_known_before_anything_ends() -> None:
    run_times = RunTimes()
    before = median(run_times, TRAIN)
    for n in range(20):
        run_times.started(str(n), TRAIN, 0.0)

    run_times.advance(5 * HOUR)

    assert before < HOUR
    assert median(run_times, TRAIN) > 4 * HOUR


def test_what_goes_on_counts_as_much_however_often_time_is_told() -> None:
    often, once = RunTimes(), RunTimes()
    for run_times in (often, once):
        run_times.started("a", TRAIN, 100.0)
    for minutes in range(300):
        often.advance(minutes * MINUTE)

    once.advance(299 * MINUTE)

    assert often.distribution(TRAIN).hazards == pytest.approx(once.distribution(TRAIN).hazards)


def test_a_run_that_was_watched_teaches_what_one_that_was_not_does() -> None:
    watched, told = RunTimes(), learned((TRAIN, 5 * HOUR))
    watched.started("a", TRAIN, 0.0)
    watched.advance(5 * HOUR)
    watched.ended("a", Outcome(traits=TRAIN, seconds=5 * HOUR))

    assert watched.distribution(TRAIN).hazards == pytest.approx(told.distribution(TRAIN).hazards)


def test_a_run_that_was_shorter_than_believed_teaches_how_long_it_was() -> None:
    """It was reserved long before it ran."""
    watched, told = RunTimes(), learned((TRAIN, MINUTE))
    watched.started("a", TRAIN, 0.0)
    watched.advance(5 * HOUR)
    watched.ended("a", Outcome(traits=TRAIN, seconds=MINUTE))

    assert watched.distribution(TRAIN).hazards == pytest.approx(told.distribution(TRAIN).hazards)


def test_a_start_told_twice_counts_once() -> None:
    once, twice = RunTimes(), RunTimes()
    for run_times in (once, twice, twice):
        run_times.started("a", TRAIN, 0.0)

    assert twice.distribution(TRAIN).hazards == once.distribution(TRAIN).hazards


# --- bounds and copies


def test_keys_are_bounded_and_the_ones_not_used_for_longest_go_first() -> None:
    run_times = RunTimes(keys_limit=200)
    for n in range(300):
        name = chr(97 + n % 26) + chr(97 + n // 26 % 26)
        learned((traits(name), HOUR), into=run_times)
        learned((TRAIN, MINUTE), into=run_times)

    assert len(run_times.evidence) <= 200
    assert median(run_times, TRAIN) == in_same_bucket(MINUTE)
    assert run_times.distribution(traits("aa")).basis.level > 1


def test_a_run_whose_keys_were_forgotten_still_ends() -> None:
    run_times = RunTimes(keys_limit=20)
    run_times.started("old", traits("old"), 0.0)
    for n in range(26):
        learned((traits(chr(97 + n)), HOUR), into=run_times)

    run_times.advance(HOUR)
    run_times.ended("old", Outcome(traits=traits("old"), seconds=HOUR))

    assert median(run_times, traits("old")) == in_same_bucket(HOUR)


def test_weights_stay_finite_after_very_many_starts() -> None:
    run_times = learned((TRAIN, HOUR), times=3_000)

    assert max(max(each.at_risk) for each in run_times.evidence.values()) < 1e13
    assert median(run_times, TRAIN) == in_same_bucket(HOUR)


def test_a_fork_changes_on_its_own() -> None:
    run_times = learned((TRAIN, HOUR), times=5)
    run_times.started("a", TRAIN, 0.0)
    before = [*run_times.distribution(TRAIN).hazards]

    fork = run_times.fork()
    fork.advance(10 * HOUR)
    fork.ended("a", Outcome(traits=TRAIN, seconds=10 * HOUR))
    learned((TRAIN, MINUTE), times=20, into=fork)

    assert run_times.distribution(TRAIN).hazards == before
    assert median(fork, TRAIN) == in_same_bucket(MINUTE)


def test_a_basis_is_the_most_similar_runs_of_which_there_are_some() -> None:
    run_times = learned((TRAIN, HOUR), times=37)
    learned((EVALUATE, HOUR), into=run_times)

    def basis(of: Traits) -> tuple[int, int]:
        found: Distribution = run_times.distribution(of)
        return found.basis.runs, found.basis.level

    assert basis(TRAIN) == (37, 0)
    assert basis(EVALUATE) == (38, EVALUATE.keys.index(TRAIN.keys[3]))
    assert basis(traits(team="new", replicas=3)) == (38, len(TRAIN.keys))
    assert RunTimes().distribution(TRAIN).basis.runs == 0
