"""Which jobs are similar: the keys under which their run times are learned."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence

from poolqueue.scheduling.traits import Traits

KEY_BYTES = 5  # eight characters: a thousand keys share one with a chance of one in two million
LEAST_HASH_CHARACTERS = 6
LEAST_ID_CHARACTERS = 5

_UUID = re.compile(r"(?<![0-9a-z])[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}(?![0-9a-z])")
_TIME = re.compile(
    r"(?<!\d)\d{4}[-_.]?\d\d[-_.]?\d\d(?:[t_ -]?\d\d[:-]?\d\d(?:[:-]?\d\d(?:\.\d+)?)?z?)?(?![0-9a-z])"
)
_VERSION = re.compile(r"(?<![^\W_])v\d+(?:\.\d+)*(?![^\W_])")
_TOKEN = re.compile(r"[^\W_]+")
_HASH = re.compile(rf"(?=.*\d)[0-9a-f]{{{LEAST_HASH_CHARACTERS},}}")
_DIGITS = re.compile(r"\d+")
_STAMP = re.compile(r"\d{10,}")


def traits_of(
    *,
    team: str,
    name: str,
    images: Iterable[str],
    machines: Iterable[tuple[str, int]],
    arguments: Sequence[str] = (),
    timeout: int,
    claimed: int | None = None,
    min_run: int = 0,
) -> Traits:
    """The traits of a job; `machines` are canonical machines with their replicas, spans are in seconds.

    From the most specific to the least, its keys are shared by jobs with the same: name pattern, images,
    machines and arguments; name pattern, images and machines; name pattern and images; claim, within a factor
    of two (only of a job with a claim); images and machines; team. All these are of one team. The last is of
    all teams: the same machines. The same job has the same keys in every process and version.
    """
    pattern, repositories = name_pattern(name), sorted({image_repository(image) for image in images})
    total: Counter[str] = Counter()
    for machine, replicas in machines:
        total[machine] += replicas
    size = sorted(total.items())
    own = [
        _key("again", team, pattern, repositories, size, [argument_pattern(each) for each in arguments]),
        _key("size", team, pattern, repositories, size),
        _key("name", team, pattern, repositories),
        *([] if claimed is None else [_key("claim", team, claimed.bit_length())]),
        _key("image", team, repositories, size),
        _key("team", team),
    ]
    return Traits(keys=(*own, _key("machines", size)), timeout=timeout, claimed=claimed, min_run=min_run)


def name_pattern(name: str) -> str:
    """The words of a display name, without what tells one run from the next.

    Left out are digits, dates and times, UUIDs, hexadecimal hashes, versions such as `v2.1`, and tokens that
    mix letters and digits as generated ids do: `ResNet50 v2 2026-11-23 3f9a1c7` is `resnet`.
    """
    text = name.casefold()
    for told_apart in (_UUID, _TIME, _VERSION):
        text = told_apart.sub(" ", text)
    words = [_word(token) for token in _TOKEN.findall(text)]
    return " ".join(word for word in words if word)


def _word(token: str) -> str:
    is_id = len(token) >= LEAST_ID_CHARACTERS and len(_DIGITS.findall(token)) > 1
    return "" if is_id or _HASH.fullmatch(token) else _DIGITS.sub("", token)


def image_repository(image: str) -> str:
    """An image's name without its tag and digest."""
    name = image.partition("@")[0]
    folder, slash, last = name.rpartition("/")
    return f"{folder}{slash}{last.partition(':')[0]}"


def argument_pattern(argument: str) -> str:
    """An argument without dates, UUIDs and time stamps; `--epochs=30` stays, for it says how long."""
    text = argument
    for told_apart in (_UUID, _TIME, _STAMP):
        text = told_apart.sub("#", text)
    return text


def _key(level: str, *parts: object) -> str:
    canonical = json.dumps([level, *parts], separators=(",", ":"))
    digest = hashlib.blake2b(canonical.encode(), digest_size=KEY_BYTES).digest()
    return base64.b32encode(digest).decode().lower()
