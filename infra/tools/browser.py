"""Debian's Chromium, or another that is installed, driven by Playwright; nothing is downloaded."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome")
# It looks for updates, and for places that a closed network does not have, unless it is told not to.
QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)


def browser_path() -> str | None:
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def browser_missing() -> str | None:
    """Why there is no browser here; None if there is one."""
    return None if browser_path() else "no Chromium is installed (Debian and Ubuntu: apt install chromium)"


@contextmanager
def open_browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  most tests ask only whether there is one

    path = browser_path()
    if path is None:
        raise FileNotFoundError(browser_missing())
    as_root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*QUIET, *as_root])
        try:
            yield browser
        finally:
            browser.close()
