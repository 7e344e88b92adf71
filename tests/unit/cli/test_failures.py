"""Failures: every trouble with Google Cloud has its remedy, and a fault of ours is not hidden."""

from __future__ import annotations

import pytest
from google.api_core import exceptions
from google.auth.exceptions import DefaultCredentialsError, RefreshError

from poolqueue.cli.failures import Exit, failure_of
from poolqueue.config import Environment
from poolqueue.ports import LogsUnavailable, PublishFailed, StoreUnavailable

REAL = Environment(project="p", database="queue")


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (DefaultCredentialsError("x"), "run `gcloud auth application-default login`"),
        (RefreshError("x"), "does not accept these credentials"),
        (
            caused(
                StoreUnavailable("x"),
                exceptions.ServiceUnavailable("Getting metadata from plugin failed with error"),
            ),
            "does not accept these credentials",
        ),
        (exceptions.PermissionDenied("x"), "ask for roles/datastore.viewer"),
        (caused(PublishFailed("x"), exceptions.PermissionDenied("x")), "ask for roles/pubsub.publisher"),
        (exceptions.NotFound("x"), "no Firestore database queue: name it with --database"),
        (caused(PublishFailed("x"), exceptions.NotFound("x")), "no such topic"),
        (StoreUnavailable("x"), "Firestore does not answer"),
        (exceptions.DeadlineExceeded("x"), "Firestore does not answer"),
        (exceptions.InvalidArgument("no such name"), "Google Cloud refuses it: 400 no such name"),
        (caused(PublishFailed("x"), exceptions.InvalidArgument("bad")), "Google Cloud refuses it: 400 bad"),
        (PublishFailed("x"), "Pub/Sub does not answer"),
        (LogsUnavailable("x"), "Cloud Logging does not answer"),
        (caused(LogsUnavailable("x"), exceptions.Forbidden("x")), "ask for roles/logging.viewer"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_trouble_with_google_cloud_is_told_with_its_remedy(error: Exception, remedy: str) -> None:
    failure = failure_of(error, REAL, "p")

    assert failure is not None
    assert remedy in failure.message
    assert failure.code is Exit.UNREACHABLE


def test_an_emulator_that_is_silent_is_named() -> None:
    local = Environment(project="demo-x", pubsub_emulator_host="127.0.0.1:1")
    failure = failure_of(PublishFailed("x"), local, "demo-x")

    assert failure is not None
    assert "127.0.0.1:1: start it, or correct PUBSUB_EMULATOR_HOST" in failure.message


def test_a_fault_of_ours_is_seen_in_full() -> None:
    assert failure_of(KeyError("x"), REAL, "p") is None
