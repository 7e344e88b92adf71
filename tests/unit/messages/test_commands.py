from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from poolqueue.messages import BadCommand, Command, CommandKind, Running, parse_command

CANCEL = {"kind": "cancel", "job_id": "resnet", "reason": "wrong data", "author": "ann@example.com"}
DRAIN = {"kind": "drain", "persistent_resource": "gpu-a", "reason": "repair", "author": "ann@example.com"}


def parse(message: dict[str, Any] | bytes, **attributes: str) -> Command | BadCommand:
    raw = message if isinstance(message, bytes) else json.dumps(message).encode()
    return parse_command(raw, attributes, default_id="derived")


def problems(message: dict[str, Any] | bytes, **attributes: str) -> list[str]:
    parsed = parse(message, **attributes)
    assert isinstance(parsed, BadCommand), parsed
    return [problem.path for problem in parsed.problems]


def clear(message: dict[str, Any], **attributes: str) -> Command:
    command = parse(message, **attributes)
    assert isinstance(command, Command), command
    return command


def test_a_cancel_names_a_job() -> None:
    assert parse(CANCEL) == Command(
        id="derived",
        kind=CommandKind.CANCEL,
        job_id="resnet",
        reason="wrong data",
        author="ann@example.com",
    )


@pytest.mark.parametrize("kind", ["drain", "resume"])
def test_a_drain_or_resume_names_a_resource_and_perhaps_a_pool(kind: str) -> None:
    command = parse({**DRAIN, "kind": kind, "pool": "p1", "id": "c-1", "team": "research"})

    assert isinstance(command, Command)
    assert (command.kind, command.id, command.team) == (kind, "c-1", "research")
    assert (command.persistent_resource, command.pool) == ("gpu-a", "p1")


def test_fields_may_be_attributes_or_yaml() -> None:
    assert parse(b"", **CANCEL) == parse(CANCEL)
    assert parse(b"kind: cancel\nreason: wrong data", **{**CANCEL, "traceparent": "x"}) == parse(CANCEL)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"kind": "explode"}, "kind"),
        ({"kind": None}, "kind"),
        ({"id": "C 1"}, "id"),
        ({"job_id": "Resnet"}, "job_id"),
        ({"job_id": None}, "job_id"),
        ({"persistent_resource": "gpu-a"}, "persistent_resource"),
        ({"pool": "p"}, "pool"),
        ({"reason": None}, "reason"),
        ({"reason": "x" * 501}, "reason"),
        ({"author": ""}, "author"),
        ({"author": 7}, "author"),
        ({"reason": "two\nlines"}, "reason"),
        ({"force": True}, "force"),
    ],
)
def test_a_command_that_is_not_clear_is_refused(changes: dict[str, Any], path: str) -> None:
    assert problems({**CANCEL, **changes}) == [path]


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"persistent_resource": None}, "persistent_resource"),
        ({"persistent_resource": "projects/p"}, "persistent_resource"),
        ({"job_id": "resnet"}, "job_id"),
    ],
)
def test_a_drain_of_something_else_is_refused(changes: dict[str, Any], path: str) -> None:
    assert problems({**DRAIN, **changes}) == [path]


APPLY = {"kind": "apply", "settings": "installation: prod\nteams: []", "reason": "x", "author": "ann"}


def test_an_apply_has_the_text_of_settings_and_perhaps_what_they_were_made_from() -> None:
    command = parse({**APPLY, "base_version": 3})

    assert isinstance(command, Command)
    assert (command.settings, command.base_version) == (APPLY["settings"], 3)
    assert parse(b"", **APPLY, base_version="3") == command
    assert parse({**APPLY, "base_version": 0}) != parse(APPLY)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"settings": None}, "settings"),
        ({"settings": {"installation": "prod"}}, "settings"),
        ({"settings": " \n"}, "settings"),
        ({"settings": "#" * 200_001}, "settings"),
        ({"base_version": -1}, "base_version"),
        ({"base_version": "latest"}, "base_version"),
        ({"job_id": "resnet"}, "job_id"),
        ({"reason": None}, "reason"),
    ],
)
def test_an_apply_that_is_not_clear_is_refused(changes: dict[str, Any], path: str) -> None:
    assert path in problems({**APPLY, **changes})


def test_only_an_apply_has_settings() -> None:
    assert problems({**DRAIN, "settings": "x: 1", "base_version": 1}) == ["settings", "base_version"]


def test_message_and_attribute_must_agree() -> None:
    assert problems(CANCEL, job_id="other") == ["job_id"]


def test_an_unreadable_command_keeps_the_default_id() -> None:
    parsed = parse(b"\xff")

    assert parsed.id == "derived"
    assert isinstance(parsed, BadCommand)
    assert "UTF-8" in parsed.problems[0].problem


# --- other terms, stops and pauses


@pytest.mark.parametrize("kind", ["change", "retry"])
def test_other_terms_are_read_as_a_request_has_them(kind: str) -> None:
    command = clear(
        {
            **CANCEL,
            "kind": kind,
            "priority": "80",
            "deadline": "2026-11-24T07:00:00+01:00",
            "max_wait": "8h",
            "alternatives": ["gpu-b", {"persistent_resource": "any", "after": "30m"}],
        }
    )

    assert command.changes.given == {"priority", "deadline", "max_wait", "alternatives"}
    assert (command.changes.priority, command.changes.max_wait) == (80, 28_800)
    assert command.changes.deadline == datetime(2026, 11, 24, 6, tzinfo=UTC)
    assert [(each.resource and each.resource.id, each.after) for each in command.changes.alternatives] == [
        ("gpu-b", 0),
        (None, 1800),
    ]


def test_none_takes_a_term_away_and_what_is_not_named_stays() -> None:
    command = clear({**CANCEL, "kind": "change", "deadline": "none", "alternatives": []})

    assert command.changes.given == {"deadline", "alternatives"}
    assert (command.changes.deadline, command.changes.alternatives) == (None, ())


def test_terms_may_be_attributes() -> None:
    body = {**CANCEL, "kind": "change"}
    attributes = {"priority": "7", "alternatives": '["gpu-b"]'}

    command = clear(body, **attributes)

    assert (command.changes.priority, len(command.changes.alternatives)) == (7, 1)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"kind": "change"}, "kind"),
        ({"kind": "change", "priority": 101}, "priority"),
        ({"kind": "change", "deadline": "soon"}, "deadline"),
        ({"kind": "change", "max_wait": 0}, "max_wait"),
        ({"kind": "change", "alternatives": "gpu-b"}, "alternatives"),
        ({"kind": "retry", "alternatives": ["Bad"]}, "alternatives[0]"),
        ({"kind": "hold", "priority": 7}, "priority"),
        ({"kind": "cancel", "hold": True}, "hold"),
        ({"kind": "requeue", "hold": "yes"}, "hold"),
        ({"kind": "requeue", "running": "cancel"}, "running"),
    ],
)  # fmt: skip
def test_terms_that_are_not_clear_or_belong_elsewhere_are_refused(changes: dict[str, Any], path: str) -> None:
    assert problems({**CANCEL, **changes}) == [path]


def test_a_stop_says_what_becomes_of_what_runs() -> None:
    stop = {**CANCEL, "job_id": None, "kind": "stop", "persistent_resource": "gpu-a", "pool": "p"}

    assert clear({**stop, "running": "cancel"}).running is Running.CANCEL
    assert clear(stop).running is None
    assert problems({**stop, "running": "kill"}) == ["running"]


@pytest.mark.parametrize("kind", ["pause", "unpause"])
def test_a_pause_names_a_team(kind: str) -> None:
    pause = {**CANCEL, "job_id": None, "kind": kind}

    assert clear({**pause, "team": "research"}).team == "research"
    assert problems(pause) == ["team"]
    assert problems({**pause, "team": "research", "job_id": "j"}) == ["job_id"]
