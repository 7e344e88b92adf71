"""What a distribution of run times says."""

from __future__ import annotations

import pytest

from poolqueue.scheduling.buckets import COUNT, EDGES, bucket_of, part_of, seconds_at
from poolqueue.scheduling.distributions import Basis, Distribution

BASIS = Basis(runs=3, level=0)
DAY = 86_400.0


def distribution(hazard: float = 0.3, *, timeout: float = 10 * DAY) -> Distribution:
    return Distribution([hazard] * COUNT, timeout=timeout, basis=BASIS)


def all_end_between(low: float, high: float, *, timeout: float = 10 * DAY) -> Distribution:
    inside = range(bucket_of(low), bucket_of(high))
    hazards = [0.999999 if bucket in inside else 0.0 for bucket in range(COUNT)]
    return Distribution(hazards, timeout=timeout, basis=BASIS)


@pytest.mark.parametrize("seconds", [1.0, 3.0, 10.0, 17.0, 600.0, 86_400.0, 604_800.0])
def test_a_time_is_found_again_at_its_part_of_its_bucket(seconds: float) -> None:
    bucket = bucket_of(seconds)

    assert EDGES[bucket] <= seconds < EDGES[bucket + 1]
    assert seconds_at(bucket, part_of(seconds, bucket)) == pytest.approx(seconds)


def test_no_time_is_too_short_or_too_long_for_a_bucket() -> None:
    assert bucket_of(0.0) == 0
    assert bucket_of(1e12) == COUNT - 1


@pytest.mark.parametrize("chance", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("elapsed", [0.0, 5.0, 100.0, 5_000.0])
def test_a_quantile_is_survived_with_the_rest_of_its_chance(chance: float, elapsed: float) -> None:
    runs = distribution()

    end = runs.quantile(chance, elapsed)

    assert runs.survival(end) == pytest.approx((1 - chance) * runs.survival(elapsed))


def test_what_has_elapsed_moves_all_quantiles_on() -> None:
    runs = distribution()

    ends = [runs.quantile(0.5, elapsed) for elapsed in (0.0, 60.0, 3_600.0, DAY)]

    assert ends == sorted(ends)
    assert runs.quantile(0.0, 3_600.0) == pytest.approx(3_600.0)


def test_nothing_lasts_longer_than_its_timeout() -> None:
    runs = distribution(timeout=600.0)

    assert runs.quantile(0.999) <= 600.0
    assert runs.survival(600.0) == 0.0
    assert runs.mean() <= 600.0


def test_the_mean_of_runs_of_about_one_length_is_about_that_length() -> None:
    assert all_end_between(1_000.0, 2_000.0).mean() == pytest.approx(1_400, rel=0.1)


def test_the_mean_of_runs_that_never_end_by_themselves_is_the_timeout() -> None:
    never = Distribution([0.0] * COUNT, timeout=5_000.0, basis=BASIS)

    assert never.mean() == pytest.approx(5_000.0)
    assert never.quantile(0.01) == pytest.approx(5_000.0)


def test_the_mean_is_that_of_its_samples() -> None:
    runs = distribution(timeout=3 * DAY)

    samples = [runs.sample((n + 0.5) / 2_000) for n in range(2_000)]

    assert sum(samples) / len(samples) == pytest.approx(runs.mean(), rel=0.05)


def test_an_attempt_beyond_its_timeout_ends_now() -> None:
    assert distribution(timeout=600.0).quantile(0.9, 700.0) == 700.0
