"""Commands about one pool that come late, again, or in another order than they were published in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from poolqueue.scheduling.events import Drained, Event, Resumed, apply
from poolqueue.scheduling.last_words import LastWords, Word, with_word
from poolqueue.scheduling.pools import WHOLE_RESOURCE, WORDS_LIMIT, Drain, Resource
from tests.unit.scheduling.building import NOW, at, resource


def word(command: str, seconds: float, **changes: str) -> Word:
    fields = {"kind": "drain", "author": "ann", "reason": "driver", **changes}
    return Word(command=command, published=at(seconds), **fields)


def drain(command: str, seconds: float, *, pool: str = "gpu", author: str = "ann", done: float = 99) -> Event:
    return Drained(
        pool=pool,
        drain=Drain(reason="driver", author=author, at=at(done)),
        word=word(command, seconds, author=author),
    )


def resume(command: str, seconds: float, *, pool: str = "gpu") -> Event:
    return Resumed(pool=pool, word=word(command, seconds, kind="resume"))


def after(*events: Event) -> Resource:
    found = resource()
    for event in events:
        found = apply(found, event)
    return found


def test_a_drain_that_comes_again_after_a_resume_drains_nothing() -> None:
    assert not after(drain("d", 1), resume("r", 2), drain("d", 1, done=100)).drained


def test_a_resume_that_comes_late_leaves_what_was_drained_since() -> None:
    found = after(drain("d", 1), drain("e", 3, author="bob"), resume("r", 2))

    assert found.drained["gpu"].author == "bob"


def test_a_drain_that_comes_again_says_still_when_it_was_first_done() -> None:
    assert after(drain("d", 1, done=5), drain("d", 1, done=60)).drained["gpu"].at == at(5)


def test_of_two_drains_the_later_one_says_why() -> None:
    assert after(drain("d", 1), drain("e", 2, author="bob")).drained["gpu"].author == "bob"
    assert after(drain("e", 2, author="bob"), drain("d", 1)).drained["gpu"].author == "bob"


def test_a_pool_and_its_whole_resource_have_a_last_word_each() -> None:
    found = after(resume("r", 5, pool=WHOLE_RESOURCE), drain("d", 1))

    assert [*found.drained] == ["gpu"]


def test_a_resume_of_what_is_not_drained_is_remembered_all_the_same() -> None:
    assert not after(resume("r", 2), drain("d", 1)).drained


def test_who_resumed_it_and_why_is_on_record() -> None:
    assert after(drain("d", 1), resume("r", 2)).last_words["gpu"] == word("r", 2, kind="resume")


@given(st.data())
def test_all_orders_of_coming_end_alike(data: st.DataObject) -> None:
    """Also where two were published in the same moment, and however often each comes."""
    given_ = data.draw(
        st.lists(st.tuples(st.booleans(), st.integers(0, 3)), min_size=1, max_size=6), label="commands"
    )
    events = [
        drain(f"c{n}", seconds) if drains else resume(f"c{n}", seconds)
        for n, (drains, seconds) in enumerate(given_)
    ]
    coming = data.draw(st.permutations([*events, *events]), label="coming")
    in_order = sorted(events, key=lambda event: (event.word.published, event.word.command))

    assert after(*coming) == after(*in_order)


def test_no_more_words_are_kept_than_there_is_room_for_the_latest() -> None:
    words: LastWords = {}
    for number in range(WORDS_LIMIT + 5):
        words = with_word(words, f"pool-{number}", word("c", number), limit=WORDS_LIMIT) or words

    assert len(words) == WORDS_LIMIT
    assert min(each.published for each in words.values()) > NOW
