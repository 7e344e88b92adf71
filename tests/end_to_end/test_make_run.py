"""`make run` as a user runs it: it ends well and says so, stays up on request for whoever follows what it
prints, or the tour through a newcomer's hour, and leaves no process.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from infra.local.processes import ROOT
from infra.local.run.demo import load_demo
from tests.end_to_end.documented import Block, blocks
from tests.end_to_end.stack_support import PATIENCE_SECONDS
from tests.end_to_end.terminal import Terminal, missing

MARK = "MAKE_RUN_TEST"
RUN_SECONDS = 200.0
STOP_SECONDS = 60.0
# Nothing of ours, so that what is printed and documented must say it all; and the code that is tested.
READER = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}

pytestmark = pytest.mark.timeout(400)


# By kind of emulators: which of the commands that are printed are tried, and what ends a run that stays up.
COMMANDS = {"embedded": ("curl ", "python ", "poolctl "), "google": ("curl ", "gcloud ")}
ENDS = {"embedded": signal.SIGINT, "google": signal.SIGTERM}


class Run:
    """`python -m infra.local.run` in a folder of its own, as a process whose output goes to a file."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.settings = settings
        self.mark = uuid.uuid4().hex
        others = {"EMULATORS", "KEEP", "FIRESTORE_EMULATOR_HOST", "PUBSUB_EMULATOR_HOST"}
        inherited = {name: value for name, value in os.environ.items() if name not in others}
        self._log = folder / "output.txt"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "infra.local.run"],
                cwd=folder,
                env={**inherited, "PYTHONPATH": str(ROOT), MARK: self.mark, **settings},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        return self._log.read_text(encoding="utf-8")

    def terminal(self, name: str) -> Terminal:
        """One that somebody has opened in its folder."""
        return Terminal(name, self.folder, {**READER, "HOME": str(self.folder)})

    def wait_for_output(self, pattern: str) -> None:
        def found() -> re.Match[str] | None:
            assert self.process.poll() is None, self.output
            return re.search(pattern, self.output, re.MULTILINE)

        wait(found, lambda: f"{pattern!r} in:\n{self.output}", RUN_SECONDS)

    def end(self, number: signal.Signals) -> int:
        """Send the signal to the run alone, as a terminal's Ctrl-C reaches nothing else of it."""
        self.process.send_signal(number)
        return self.process.wait(STOP_SECONDS)

    def processes(self) -> list[str]:
        """The command lines of all living processes that it started, by their environment.

        A replica's environment is only what the stand-in gives it, the bucket's directory among it.
        """
        buckets = (self.folder / ".run" / "latest").resolve() / "buckets"
        marks = {f"{MARK}={self.mark}".encode(), f"STAND_IN_BUCKETS={buckets}".encode()}
        return [_command_line(entry) for entry in Path("/proc").glob("[0-9]*") if _has(entry, marks)]

    def assert_nothing_left(self) -> None:
        wait(lambda: not self.processes(), lambda: f"the end of {self.processes()}", STOP_SECONDS)


def wait(ask: Callable[[], Any], what: Callable[[], str], seconds: float) -> Any:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := ask():
            return found
        time.sleep(0.05)
    pytest.fail(f"waited {seconds} s for {what()}")


def _has(entry: Path, marks: set[bytes]) -> bool:
    try:
        return not marks.isdisjoint((entry / "environ").read_bytes().split(b"\0"))
    except OSError:
        return False


def _command_line(entry: Path) -> str:
    try:
        return (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    runs: list[Run] = []

    def started(**settings: str) -> Run:
        runs.append(Run(tmp_path, **settings))
        return runs[-1]

    yield started
    for run in runs:
        run.process.kill()
        run.process.wait()


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("embedded", marks=pytest.mark.requires("linux")),
        pytest.param(
            "google", marks=pytest.mark.requires("linux", "google_emulators", "gcloud", "thorough_run")
        ),
    ],
)
def kept(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A run that stays up when its demo has ended."""
    run = Run(tmp_path_factory.mktemp("kept"), KEEP="1", EMULATORS=request.param)
    try:
        run.wait_for_output(r"Ctrl-C ends everything")
        yield run
        assert run.end(ENDS[request.param]) == 0
        run.assert_nothing_left()
    finally:
        run.process.kill()
        run.process.wait()


def test_it_ends_well_and_says_so(kept: Run) -> None:
    report = kept.output

    assert "All is as it should be" in report, report
    table = re.findall(r"^(\S+) +(succeeded|failed|rejected) +\S+ +\S+", report, re.MULTILINE)
    expected = {entry.job: entry.outcome.value for entry in load_demo().entries}
    assert {name.partition("-")[0] if "arrived" in name else name: outcome for name, outcome in table} == (
        expected
    )


@pytest.mark.requires("linux", "curl")
@pytest.mark.parametrize("kept", ["embedded"], indirect=True)
def test_the_tour_shows_what_its_page_shows(kept: Run) -> None:
    with kept.terminal("second") as second, kept.terminal("third") as third:
        follow(blocks("tour.md"), kept, second, third)

        assert third.wait() == 0


def follow(page: Sequence[Block], run: Run, second: Terminal, third: Terminal) -> None:
    """A block of a shell is labelled by its terminal, unless that is the second; by `again` if one looks
    until it shows what comes next; or by the exit code. What is shown stands below.
    """
    for block, following in zip(page, [*page[1:], None], strict=True):
        match block.language, block.label:
            case "sh", "first":
                assert block.text == "make run KEEP=1\n", "it is what `kept` does"
            case "sh", "third":
                third.type(block.text)
            case "sh", "again":
                assert following is not None
                look(second, following.text, lambda asked=block.text: second.run(asked))
            case "sh", label:
                assert second.run(block.text) == int(label.removeprefix("exit=") or 0), second.shown
            case "text", "first":
                assert missing(block.text, run.output) is None, run.output
            case "text", "third":
                look(third, block.text, lambda: True)
            case "text", "exact":
                assert block.text in second.shown
            case "text", "":
                assert missing(block.text, second.shown) is None, second.shown
            case unknown:
                pytest.fail(f"nobody knows how to read a block of {unknown}")


def look(terminal: Terminal, shown: str, again: Callable[[], object]) -> None:
    def is_shown() -> bool:
        again()
        return missing(shown, terminal.shown) is None

    wait(is_shown, lambda: f"{missing(shown, terminal.shown)!r} in:\n{terminal.shown}", PATIENCE_SECONDS)


@pytest.mark.requires("curl")
def test_what_it_prints_publishes(kept: Run) -> None:
    commands = (". ", *COMMANDS[kept.settings["EMULATORS"]])
    script = "\n".join(_printed(kept.output, first_words) for first_words in commands)
    begin = len(kept.output)

    done = subprocess.run(
        ["bash", "-ec", script],
        cwd=ROOT,
        env=READER,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "messageIds" in done.stdout
    wait(
        lambda: len(re.findall(r" succeeded$", kept.output[begin:], re.MULTILINE)) >= 2,
        lambda: f"two successes in {kept.output[begin:]}",
        RUN_SECONDS,
    )


@pytest.mark.requires("linux")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_ended_in_the_middle_it_leaves_no_process(
    start: Callable[..., Run], number: signal.Signals, code: int
) -> None:
    run = start()
    run.wait_for_output(r" submitted$")
    wait(lambda: "infra.local.training" in str(run.processes()), lambda: "a training process", STOP_SECONDS)

    assert run.end(number) == code
    run.assert_nothing_left()


def test_an_unknown_kind_of_emulators_is_refused_with_the_choices(start: Callable[..., Run]) -> None:
    run = start(EMULATORS="gogle")
    assert run.process.wait(STOP_SECONDS) == 2
    assert "EMULATORS is one of embedded, google, hosts" in run.output


def _printed(report: str, first_word: str) -> str:
    """The command that begins so at the margin, up to the next empty line."""
    command = report[report.index(f"\n{first_word}") :].lstrip("\n")
    return command[: command.index("\n\n")]
