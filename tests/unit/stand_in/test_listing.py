"""Pages and read masks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local.vertex import listing
from infra.local.vertex.errors import ServiceError


@given(st.integers(0, 30), st.integers(1, 10))
def test_pages_together_are_everything_once_in_order(count: int, size: int) -> None:
    items = [((f"{number:03}", "x"), number) for number in reversed(range(count))]
    seen, token = [], ""

    while True:
        shown, token = listing.page(items, size=size, token=token, question="q")
        assert len(shown) <= size
        seen += shown
        if not token:
            break

    assert seen == list(reversed(range(count)))


def test_what_is_new_does_not_shift_the_next_page() -> None:
    items = [(("3", ""), 3), (("2", ""), 2), (("1", ""), 1)]
    _, token = listing.page(items, size=2, token="", question="q")

    shown, _ = listing.page([(("4", ""), 4), *items], size=2, token=token, question="q")

    assert shown == [1]


@pytest.mark.parametrize("token", ["x", "!!", "WzFd"])
def test_a_token_of_nobodys_is_refused(token: str) -> None:
    with pytest.raises(ServiceError):
        listing.page([], size=1, token=token, question="q")


def test_a_token_belongs_to_its_filter() -> None:
    _, token = listing.page([(("2", ""), 2), (("1", ""), 1)], size=1, token="", question="state=a")

    with pytest.raises(ServiceError):
        listing.page([], size=1, token=token, question="state=b")


def test_a_read_mask_leaves_the_named_parts() -> None:
    rendered = {"name": "n", "createTime": "t", "jobSpec": {"persistentResourceId": "r", "network": "x"}}

    mask = listing.read_mask("name,create_time,job_spec.persistent_resource_id,labels")

    assert listing.masked(rendered, mask) == {
        "name": "n",
        "createTime": "t",
        "jobSpec": {"persistentResourceId": "r"},
    }


def test_a_read_mask_of_unknown_fields_is_refused() -> None:
    with pytest.raises(ServiceError, match="nope"):
        listing.read_mask("name,nope")
