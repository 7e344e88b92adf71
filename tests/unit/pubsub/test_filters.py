"""The filter language of subscriptions, as production documents it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local.pubsub.filters import BadFilter, parse_filter


@pytest.mark.parametrize(
    ("text", "attributes", "accepted"),
    [
        ("", {}, True),
        ('attributes.state = "ended"', {"state": "ended"}, True),
        ('attributes.state = "ended"', {"state": "queued"}, False),
        ('attributes.state="ended"', {"state": "ended"}, True),
        ('attributes.state != "ended"', {"state": "queued"}, True),
        ('attributes.state != "ended"', {"state": "ended"}, False),
        ('attributes.state != "ended"', {}, False),
        ("attributes:state", {"state": ""}, True),
        ("attributes:state", {}, False),
        ('attributes:"a.b/c"', {"a.b/c": "x"}, True),
        ('attributes."a.b/c" = "x"', {"a.b/c": "x"}, True),
        ('attributes.a-b = "x"', {"a-b": "x"}, True),
        ('hasPrefix(attributes.team, "vis")', {"team": "vision"}, True),
        ('hasPrefix(attributes.team, "vis")', {"team": "speech"}, False),
        ('hasPrefix(attributes.team, "")', {}, False),
        ("NOT attributes:quiet", {}, True),
        ("-attributes:quiet", {"quiet": "1"}, False),
        ('attributes:a AND attributes.b = "1"', {"a": "", "b": "1"}, True),
        ('attributes:a AND attributes.b = "1"', {"a": ""}, False),
        ("attributes:a OR attributes:b OR attributes:c", {"c": ""}, True),
        ("attributes:a AND (attributes:b OR attributes:c)", {"a": "", "c": ""}, True),
        ("attributes:a AND (attributes:b OR attributes:c)", {"c": ""}, False),
        ("NOT (attributes:a OR attributes:b)", {"b": ""}, False),
        (r'attributes.a = "say \"x\" \\"', {"a": r'say "x" \ '.strip()}, True),
        ('attributes.AND = "OR"', {"AND": "OR"}, True),
    ],
)
def test_a_filter_decides_by_attributes(text: str, attributes: dict[str, str], *, accepted: bool) -> None:
    assert parse_filter(text)(attributes) is accepted


@pytest.mark.parametrize(
    "text",
    [
        "state",
        "attributes",
        "attributes.state",
        "attributes.state = ended",
        'attributes.state = "ended',
        'attributes.state > "a"',
        "attributes:a AND",
        "attributes:a attributes:b",
        "attributes:a AND attributes:b OR attributes:c",
        "(attributes:a",
        "hasPrefix(attributes.a)",
        'data = "x"',
        "attributes:" + "a" * 256,
    ],
)
def test_what_is_no_filter_is_refused(text: str) -> None:
    with pytest.raises(BadFilter):
        parse_filter(text)


@given(st.text() | st.text(alphabet='attributes.:="()-NOTANDOR ,', max_size=60))
def test_any_text_is_a_filter_or_refused(text: str) -> None:
    try:
        parse_filter(text)({"a": "b"})
    except BadFilter:
        return
