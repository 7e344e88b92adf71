"""Whether a terminal shows what a page shows: as the test of docs/tour.md compares it."""

from __future__ import annotations

import pytest

from tests.end_to_end.terminal import missing

OUTPUT = """\
job        state    pools  prio  turn   time  starts  reason
────────────────────────────────────────────────────────────
by-curl    queued   l4 x1    50     1  1m56s  2-23m   needs_replicas: l4: need…
2026-11-25 20:40:05  cancelled  asked: root@vm: wrong dataset
expected to start in 94s-12m, at 127.0.0.1:8080, 28.5% used
"""


@pytest.mark.parametrize(
    "shown",
    [
        OUTPUT,
        "by-curl queued l4 x1 50 1 3s 5m needs_replicas: ...",
        "job ... by-curl ... wrong dataset",
        "2027-01-01 00:00:00 cancelled asked: ann@laptop: wrong dataset",
        "start in 2h-3h, at 10.0.0.1:80, 1.0% used",
    ],
)
def test_words_and_counts_are_compared_and_what_varies_is_not(shown: str) -> None:
    assert missing(shown, OUTPUT) is None


@pytest.mark.parametrize(
    ("shown", "lacking"),
    [
        ("by-curl running", "by-curl running"),
        ("by-curl queued l4 x1 50 2", "by-curl queued l4 x1 50 2"),
        ("by-curl queued x1", "by-curl queued x1"),
        ("cancelled ... by-curl", "by-curl"),
        ("wrong dataset ... succeeded", "succeeded"),
    ],
)
def test_another_word_count_or_order_is_missed(shown: str, lacking: str) -> None:
    assert missing(shown, OUTPUT) == lacking
