"""A line of numbers that is asked again and again for the first one that is not above a limit."""

from __future__ import annotations

import math


class FirstBelow:
    """`size` places, empty at first. A tree of minima: setting and finding take the logarithm of `size`."""

    def __init__(self, size: int) -> None:
        self._leaves = 1 << max(0, size - 1).bit_length()
        self._least = [math.inf] * (2 * self._leaves)

    @property
    def is_empty(self) -> bool:
        return self._least[1] == math.inf

    def set(self, place: int, value: float) -> None:
        """`value` is a finite number, or infinite to empty the place."""
        least = self._least
        node = place + self._leaves
        least[node] = value
        while node > 1:
            node //= 2
            left, right = least[2 * node], least[2 * node + 1]
            least[node] = min(right, left)

    def find(self, limit: float) -> int | None:
        """The first place whose value is at most `limit`; None if there is none."""
        least = self._least
        if least[1] == math.inf or least[1] > limit:
            return None
        node = 1
        while node < self._leaves:
            node *= 2
            if least[node] > limit or least[node] == math.inf:
                node += 1
        return node - self._leaves
