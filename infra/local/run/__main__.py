"""`python -m infra.local.run`: start the system, run the demo, say whether all is as it should be.

Exit code 0 only if it is. `KEEP=1` stays up afterwards; `EMULATORS=google` uses Google's emulators.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.padding import Padding
from rich.table import Table

from infra.local.emulators import Kind, kind_from
from infra.local.processes import NotReady
from infra.local.run.demo import demo_plan, load_demo
from infra.local.run.next_steps import how_to_go_on, shown, where_to_look, write_environment
from infra.local.run.results import results, show_results
from infra.local.run.session import Session, watch
from infra.local.run.verdicts import show_verdicts, verdicts
from infra.local.stack import Stack, new_directory, start_stack

INTERRUPTED = 130
UNUSABLE = 2
KINDS = {
    Kind.EMBEDDED: "embedded Firestore and Pub/Sub (Google's: EMULATORS=google)",
    Kind.GOOGLE: "Google's emulators of Firestore and Pub/Sub",
    Kind.HOSTS: "the Firestore and Pub/Sub that *_EMULATOR_HOST name",
}


def main() -> int:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # a shell's background job ignores INT
        signal.signal(number, _interrupt)
    console = Console()
    try:
        kind = kind_from(os.environ)
    except ValueError as error:
        print(f"{error}; EMULATORS is one of {', '.join(Kind)}", file=sys.stderr)
        return UNUSABLE
    try:
        return _run(kind, console)
    except NotReady as error:
        print(f"The system did not start: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        console.print("Interrupted; everything was stopped.")
        return INTERRUPTED


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _run(kind: Kind, console: Console) -> int:
    plan, directory = demo_plan(kind), new_directory(Path.cwd())
    console.print(f"[bold]Pool Queue[/] on {KINDS[kind]}", highlight=False)
    _say(
        console,
        "project",
        f"{plan.project}, sweep every {plan.sweep_seconds:.0f} s; files in {shown(directory)}",
    )
    with start_stack(directory, plan, say=lambda part, where: _say(console, part, where)) as stack:
        is_as_it_should_be = _demonstrate(stack, console)
        if os.environ.get("KEEP", "") not in {"", "0"}:
            _keep(stack, console)
    return 0 if is_as_it_should_be else 1


def _say(console: Console, part: str, where: str) -> None:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(width=12, style="dim")
    grid.add_column(overflow="fold")
    grid.add_row(Padding(part, (0, 0, 0, 2)), where)
    console.print(grid, highlight=False)


def _demonstrate(stack: Stack, console: Console) -> bool:
    demo = load_demo()
    session = Session(stack, demo)
    session.run(console)
    report = session.settled_report()
    found = results(stack, demo, session.publications, report)
    judged = verdicts(found, report, resource=stack.plan.persistent_resources[0]["id"])
    console.print()
    show_results(found, console)
    console.print()
    show_verdicts(judged, console)
    holds = all(each.holds for each in judged)
    summary = "All is as it should be" if holds else "Not all is as it should be"
    style = "bold green" if holds else "bold red"
    console.print(
        f"\n[{style}]{summary}[/] after {session.elapsed.total_seconds():.0f} s.\n", highlight=False
    )
    console.print(where_to_look(stack), highlight=False, soft_wrap=True, markup=False)
    return holds


def _keep(stack: Stack, console: Console) -> None:
    """Until Ctrl-C, which is then the ordinary end."""
    text = how_to_go_on(write_environment(stack), stack.page_url)
    console.print(f"\n{text}\n", highlight=False, soft_wrap=True, markup=False)
    try:
        watch(stack, console)
    except KeyboardInterrupt:
        console.print("Stopping.")


if __name__ == "__main__":
    sys.exit(main())
