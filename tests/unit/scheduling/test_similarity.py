from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poolqueue.scheduling.similarity import argument_pattern, image_repository, name_pattern, traits_of
from poolqueue.scheduling.traits import Traits

NAMES = st.text(max_size=40)
WORDS = st.from_regex(r"[a-z]{2,12}", fullmatch=True)
JOBS = st.fixed_dictionaries(
    {
        "team": WORDS,
        "name": NAMES,
        "images": st.lists(WORDS, max_size=2),
        "machines": st.lists(st.tuples(WORDS, st.integers(1, 9)), min_size=1, max_size=3),
        "arguments": st.lists(NAMES, max_size=3),
        "claimed": st.none() | st.integers(1, 10**6),
    }
)


def traits(**changes: Any) -> Traits:
    described: dict[str, Any] = {
        "team": "research",
        "name": "resnet-7",
        "images": ["eu/p/train:1"],
        "machines": [("cpu", 1)],
        "arguments": ["--epochs=3"],
        "timeout": 3600,
    }
    return traits_of(**{**described, **changes})


def shared(one: Traits, other: Traits) -> int:
    return len(set(one.keys) & set(other.keys))


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("ResNet50 v2 2026-11-23 3f9a1c7", "resnet"),
        ("llama-3.1-8b-sft-v2", "llama b sft"),
        ("train_20261123T120000Z_run7", "train run"),
        ("eval/3f2b8c1e-aaaa-bbbb-cccc-abcdefabcdef", "eval"),
        ("bert_base v1.2.3 (final)", "bert base final"),
        ("sweep-x7k2p", "sweep"),
        ("facade-2", "facade"),
        ("20261123-120000-abcdef0123456789", ""),
        ("模型-3", "模型"),
    ],
)
def test_a_name_is_told_by_its_words(name: str, pattern: str) -> None:
    assert name_pattern(name) == pattern


@pytest.mark.parametrize(
    ("image", "repository"),
    [
        ("localhost:5000/a/b:1@sha256:ab", "localhost:5000/a/b"),
        ("train:latest", "train"),
        ("eu/p/train", "eu/p/train"),
    ],
)
def test_an_image_is_told_by_its_repository(image: str, repository: str) -> None:
    assert image_repository(image) == repository


def test_an_argument_keeps_what_says_how_long_and_loses_what_says_when() -> None:
    assert argument_pattern("--steps=100000") == "--steps=100000"
    assert argument_pattern("gs://b/2026-11-23/1700000000") == "gs://b/#/#"


def test_keys_go_from_the_most_specific_to_the_least() -> None:
    job = traits()

    assert len(job.keys) == 6
    assert shared(job, traits(name="resnet-8", images=["eu/p/train:2"])) == 6
    assert shared(job, traits(arguments=["--epochs=4"])) == 5
    assert shared(job, traits(machines=[("cpu", 2)])) == 2  # name, team
    assert shared(job, traits(name="bert")) == 3  # image, team, machines
    assert job.keys[-2:] == traits(name="bert", images=["x"], arguments=[]).keys[-2:]
    assert set(job.keys) & set(traits(team="other").keys) == {job.keys[-1]}


def test_replicas_of_one_machine_add_up() -> None:
    assert traits(machines=[("cpu", 1), ("cpu", 2)]) == traits(machines=[("cpu", 3)])


def test_a_claim_is_one_more_key_within_a_factor_of_two() -> None:
    claimed = traits(claimed=3600)

    assert len(claimed.keys) == 7
    assert claimed.keys == traits(claimed=4000).keys
    assert shared(claimed, traits(claimed=9000)) == 6
    assert (claimed.claimed, claimed.timeout) == (3600, 3600)


def test_keys_are_the_same_for_ever() -> None:
    """They are stored: another key for the same job forgets what was learned of it."""
    keys = traits_of(team="t", name="a", images=[], machines=[("m", 1)], timeout=1).keys

    assert keys == ("yw6qwirw", "6ks2bpmh", "or3o6zhw", "itw5nqco", "gcnjisg4", "iapo74hk")


@given(NAMES, st.integers(0, 10**12), st.sampled_from("-_ ./"))
def test_the_same_name_with_another_number_is_similar(name: str, number: int, separator: str) -> None:
    assert name_pattern(f"{name}{separator}{number}") == name_pattern(name)


@given(JOBS, JOBS)
def test_two_teams_share_nothing_but_the_key_of_all_teams(one: dict[str, Any], other: dict[str, Any]) -> None:
    mine = traits_of(**{**one, "team": "a"}, timeout=1)
    theirs = traits_of(**{**other, "team": "b"}, timeout=1)

    assert not set(mine.keys[:-1]) & set(theirs.keys)


@given(JOBS)
def test_keys_are_short_and_distinct(described: dict[str, Any]) -> None:
    keys = traits_of(**described, timeout=1).keys

    assert all(len(key) == 8 for key in keys)
    assert len(set(keys)) == len(keys) in (6, 7)
