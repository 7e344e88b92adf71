from __future__ import annotations

import pytest

from benchmarks.figures import Figure, percentile


@pytest.mark.parametrize(("percent", "expected"), [(50, 5), (90, 9), (100, 10), (1, 1)])
def test_a_percentile_is_a_value_that_was_measured(percent: int, expected: int) -> None:
    assert percentile([10, 9, 8, 7, 6, 5, 4, 3, 2, 1], percent) == expected


def test_nothing_measured_has_no_percentile() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)


@pytest.mark.parametrize(("value", "holds"), [(6.0, True), (6.04, True), (6.06, False), (5, True)])
def test_a_budget_is_compared_with_what_is_shown(value: float, *, holds: bool) -> None:
    assert Figure(name="writes", value=value, budget=6).holds is holds


def test_a_figure_without_a_budget_holds() -> None:
    assert Figure(name="rate", value=1e9).holds
    assert Figure(name="rate", value=1234.5, unit="/s").shown == "1,234.5 /s"
