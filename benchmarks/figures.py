"""What a benchmark gives: named figures, some with a budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """`budget` is the most that `value` may be; None where none was set."""

    name: str
    value: float
    unit: str = ""
    budget: float | None = None
    decimals: int = 1

    @property
    def shown(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.value:,.{self.decimals}f}{unit}"

    @property
    def shown_budget(self) -> str:
        return (
            "" if self.budget is None else f"{self.budget:,.{0 if self.budget == int(self.budget) else 2}f}"
        )

    @property
    def holds(self) -> bool:
        """Compared as it is shown, so that nobody reads `6.0 of 6: over`."""
        return self.budget is None or round(self.value, self.decimals) <= self.budget


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """`measure` takes whether to be quick, and a function that shows progress; `note` says how it is done."""

    title: str
    note: str
    measure: Callable[[bool, Say], list[Figure]]
    lacking: Callable[[], str | None] = lambda: None


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The figures of one benchmark; without any, `lacking` says why it could not run."""

    benchmark: Benchmark
    figures: Sequence[Figure] = ()
    lacking: str | None = None
    seconds: float = 0.0


def percentile(values: Sequence[float], percent: int) -> float:
    """The nearest-rank percentile; ValueError for no values."""
    if not values:
        raise ValueError("no values")
    rank = -(-len(values) * percent // 100)
    return sorted(values)[max(0, rank - 1)]
