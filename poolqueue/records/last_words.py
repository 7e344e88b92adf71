"""Last words within the documents of resources and of pauses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from poolqueue.scheduling.last_words import LastWords, Word


def write_last_words(words: LastWords) -> list[dict[str, Any]]:
    return [{"of": subject, **asdict(word)} for subject, word in words.items()]


def read_last_words(entries: Iterable[Mapping[str, Any]]) -> LastWords:
    return {entry["of"]: Word(**{k: v for k, v in entry.items() if k != "of"}) for entry in entries}
