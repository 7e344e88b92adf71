"""What a test may need of the machine beyond Python and the locked packages, and how its absence is told."""

from __future__ import annotations

import functools
import importlib.util
import os
import shutil
import sys
from collections.abc import Callable

from infra.local.emulators import google_emulators_missing
from infra.tools.browser import browser_missing


def _gcloud() -> str | None:
    return None if shutil.which("gcloud") else "gcloud is not installed (cloud.google.com/sdk)"


def _curl() -> str | None:
    return None if shutil.which("curl") else "curl is not installed"


def _terraform() -> str | None:
    return (
        None
        if shutil.which("terraform")
        else "terraform is not installed (developer.hashicorp.com/terraform)"
    )


def _kfp() -> str | None:
    """It pins half of what Google's clients bring, so it is none of our dependencies."""
    return None if importlib.util.find_spec("kfp") else "kfp is not installed (pip install kfp)"


def _thorough_run() -> str | None:
    """What is tried on the embedded emulators already, and takes a minute on Google's."""
    asked = os.environ.get("REQUIRE_ALL") == "1"
    return None if asked else "it takes long: only a thorough run has it (REQUIRE_ALL=1, as in .ci/run)"


def _linux() -> str | None:
    return None if sys.platform == "linux" else f"this is {sys.platform}, and the test reads /proc"


REQUIREMENTS: dict[str, Callable[[], str | None]] = {
    "browser": browser_missing,
    "curl": _curl,
    "gcloud": _gcloud,
    "google_emulators": google_emulators_missing,
    "kfp": _kfp,
    "linux": _linux,
    "terraform": _terraform,
    "thorough_run": _thorough_run,
}


@functools.cache
def missing(requirement: str) -> str | None:
    """Why this machine does not meet `requirement`; None when it does."""
    return REQUIREMENTS[requirement]()
