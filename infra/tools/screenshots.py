"""`make screenshots`: pictures of the page and of `poolctl` for the docs, taken of a system that really runs.

Takes some minutes: the chart's past is the system's own.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from infra.local.processes import ROOT
from infra.local.stack import new_directory, start_stack
from infra.tools.browser import browser_missing, open_browser
from infra.tools.busy import Busy, busy_plan, submit_past_the_queue
from infra.tools.terminal_shots import TERMINAL_SHOTS, draw, prepare

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PICTURES = ROOT / "docs" / "pictures"
BUSY_SECONDS = 240.0
BUSY_AGAIN_SECONDS = 5.0
WAITING = 26
PATIENCE_MILLISECONDS = 60_000
SCROLL_TO = "part => document.querySelector(part).scrollIntoView({behavior: 'instant'})"
Scheme = Literal["light", "dark"]


@dataclass(frozen=True, kw_only=True)
class Shot:
    """A picture: of what, in which theme, and how large, from which part of it on."""

    name: str
    scheme: Scheme = "light"
    width: int = 1280
    height: int = 1330
    of: Literal["resource", "waiting job"] = "resource"
    part: str | None = None


SHOTS = (
    Shot(name="page-light"),
    Shot(name="page-dark", scheme="dark"),
    Shot(name="page-narrow", width=360, height=1500, scheme="dark"),
    Shot(name="page-job", of="waiting job", height=820),
    Shot(name="page-queue", part="#queue", height=780),
    Shot(name="page-teams-and-forecasts", part="#teams", height=420),
)


def main() -> int:
    if missing := browser_missing():
        print(missing, file=sys.stderr)
        return 1
    PICTURES.mkdir(exist_ok=True)
    with start_stack(new_directory(), busy_plan()) as stack, open_browser() as browser:
        print(f"busy for {BUSY_SECONDS:.0f} s at {stack.page_url}")
        busy = Busy(stack, waiting=WAITING)
        busy.keep(BUSY_SECONDS * 2 / 3)
        submit_past_the_queue(stack)
        busy.keep(BUSY_SECONDS / 3)
        assert stack.page_url is not None
        for shot in SHOTS:
            _tell(take(browser, stack.page_url, shot))
        busy.keep(BUSY_AGAIN_SECONDS)
        prepare(stack)
        for terminal_shot in TERMINAL_SHOTS:
            _tell(draw(stack, terminal_shot, PICTURES))
    return 0


def _tell(path: Path) -> None:
    print(f"{path.relative_to(ROOT)}  {path.stat().st_size // 1024} KB")


def take(browser: Browser, url: str, shot: Shot) -> Path:
    path = PICTURES / f"{shot.name}.png"
    viewport = {"width": shot.width, "height": shot.height}
    with browser.new_context(viewport=viewport, color_scheme=shot.scheme, base_url=url) as context:  # type: ignore[arg-type]
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MILLISECONDS)
        _go(page, shot)
        page.evaluate("document.fonts.ready")
        if shot.part is not None:
            page.evaluate(SCROLL_TO, shot.part)
        page.screenshot(path=path)
    return path


def _go(page: Page, shot: Shot) -> None:
    with page.expect_response("**/api/estimates*"):
        page.goto("/")
    page.locator("#queue tbody tr").first.wait_for()
    match shot.of:
        case "resource":
            page.locator("#queue tbody", has_text="in ").wait_for()
        case "waiting job":
            page.locator("#queue tbody a").nth(2).click()
            page.locator("#history-title").wait_for()


if __name__ == "__main__":
    sys.exit(main())
