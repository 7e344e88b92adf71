"""What a test may need of the machine beyond Python and the locked packages, and how its absence is told."""

from __future__ import annotations

import functools
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

EMULATOR_JARS = ("cloud-firestore-emulator/cloud-firestore-emulator.jar", "pubsub-emulator/lib/*pubsub*.jar")


def _gcloud() -> str | None:
    return None if shutil.which("gcloud") else "gcloud is not installed (cloud.google.com/sdk)"


def _google_emulators() -> str | None:
    gcloud = shutil.which("gcloud")
    if gcloud is None:
        return "Google's emulators come with the gcloud SDK, which is not installed"
    if shutil.which("java") is None:
        return "Google's emulators need Java, which is not installed"
    platform = Path(gcloud).resolve().parent.parent / "platform"
    absent = [pattern for pattern in EMULATOR_JARS if not any(platform.glob(pattern))]
    if absent:
        return f"the gcloud SDK at {platform.parent} has no {' and no '.join(absent)}"
    return None


def _terraform() -> str | None:
    return (
        None
        if shutil.which("terraform")
        else "terraform is not installed (developer.hashicorp.com/terraform)"
    )


def _linux() -> str | None:
    return None if sys.platform == "linux" else f"this is {sys.platform}, and the test reads /proc"


REQUIREMENTS: dict[str, Callable[[], str | None]] = {
    "gcloud": _gcloud,
    "google_emulators": _google_emulators,
    "terraform": _terraform,
    "linux": _linux,
}


@functools.cache
def missing(requirement: str) -> str | None:
    """Why this machine does not meet `requirement`; None when it does."""
    return REQUIREMENTS[requirement]()
