"""The last word on a pool or on a team: of all commands about it, the one that was published last.

Commands come late, again, and in another order than they were published in. Each is held against the last
word: what is not later changes nothing, so that all orders of coming end alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class Word:
    """A command as its subject remembers it: of which kind, by its id; who gave it, why, and when it was
    published.
    """

    kind: str
    command: str
    author: str
    reason: str
    published: datetime

    def is_later_than(self, other: Word) -> bool:
        """The id decides between two of one moment: by chance, but alike wherever they are compared."""
        return (self.published, self.command) > (other.published, other.command)


LastWords = Mapping[str, Word]


def with_word(words: LastWords, subject: str, word: Word, *, limit: int) -> LastWords | None:
    """With this one as the last; None if it was there before, or a later one is. So many are kept."""
    last = words.get(subject)
    if last is not None and not word.is_later_than(last):
        return None
    others = {name: each for name, each in words.items() if name != subject}
    latest = sorted(others.items(), key=lambda item: item[1].published, reverse=True)
    return {**dict(latest[: limit - 1]), subject: word}
