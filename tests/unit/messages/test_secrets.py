"""No value of `env`, however misplaced, is quoted in what is told of a request."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.messages.building import refused, with_container

SECRET = "hunter2-secret"


@pytest.mark.parametrize(
    "env",
    [
        SECRET,
        {"PW": SECRET},
        [SECRET],
        [{"name": "PW", SECRET: None}],
        [{SECRET: "PW"}],
        [{"name": "PW", "value": [SECRET]}],
        [{"name": "PW", "value": {SECRET: SECRET}}],
        [{"name": "PW", "valuee": SECRET}],
        [{"name": {"value": SECRET}}],
        [[SECRET]],
        [[{"value": SECRET}]],
    ],
)
def test_what_stands_in_env_is_never_quoted(env: Any) -> None:
    assert SECRET not in repr(refused(with_container(env=env)))


def test_a_key_of_env_given_twice_is_never_quoted() -> None:
    line = '{"name": "PW", "hunter2-secret": 1, "hunter2-secret": 2}'

    assert SECRET not in repr(refused('{"custom_job": {"jobSpec": {"env": [' + line + "]}}}"))
