"""What a process has announced is noted whole, whichever thread announced first, and never more than that."""

from __future__ import annotations

import pytest

from poolqueue.announced import AnnouncedChanges, Span


@pytest.mark.parametrize(
    ("first", "second", "noted"),
    [
        (Span(first=3, last=4), Span(first=5, last=5), Span(first=3, last=5)),
        (Span(first=5, last=5), Span(first=3, last=4), Span(first=3, last=5)),
        (Span(first=3, last=5), Span(first=4, last=4), Span(first=3, last=5)),
        (Span(first=3, last=4), Span(first=7, last=8), Span(first=7, last=8)),
        (Span(first=7, last=8), Span(first=3, last=4), Span(first=7, last=8)),
    ],
)
def test_two_spans_become_what_both_cover_without_a_gap(first: Span, second: Span, noted: Span) -> None:
    announced = AnnouncedChanges()

    announced.add("resource", {"job": first})
    announced.add("resource", {"job": second})

    assert announced.pending("resource") == {"job": noted}
