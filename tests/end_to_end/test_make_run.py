"""`make run` as a user runs it: it ends well and says so, stays up on request, and leaves no process."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.local.processes import ROOT
from infra.local.run.demo import load_demo

MARK = "MAKE_RUN_TEST"
RUN_SECONDS = 200.0
STOP_SECONDS = 60.0

pytestmark = pytest.mark.timeout(400)


class Run:
    """`python -m infra.local.run` as a process whose output goes to a file."""

    def __init__(self, directory: Path, **settings: str) -> None:
        self.mark = uuid.uuid4().hex
        others = {"EMULATORS", "KEEP", "FIRESTORE_EMULATOR_HOST", "PUBSUB_EMULATOR_HOST"}
        inherited = {name: value for name, value in os.environ.items() if name not in others}
        self._log = directory / "output.txt"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "infra.local.run"],
                cwd=ROOT,
                env={**inherited, MARK: self.mark, **settings},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        return self._log.read_text(encoding="utf-8")

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
        files = re.search(r"files in (\S+)", self.output)
        buckets = {f"STAND_IN_BUCKETS={ROOT / files[1] / 'buckets'}"} if files else set()
        marks = {mark.encode() for mark in {f"{MARK}={self.mark}", *buckets}}
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


@pytest.mark.requires("linux", "curl")
@pytest.mark.parametrize(
    ("kind", "commands", "end"),
    [
        ("embedded", ("curl ", "python ", "poolctl "), signal.SIGINT),
        pytest.param(
            "google",
            ("curl ", "gcloud "),
            signal.SIGTERM,
            marks=pytest.mark.requires("google_emulators", "gcloud"),
        ),
    ],
)
def test_it_ends_well_and_stays_up_for_what_is_published_as_it_says(
    start: Callable[..., Run], kind: str, commands: tuple[str, ...], end: signal.Signals
) -> None:
    run = start(KEEP="1", EMULATORS=kind)

    run.wait_for_output(r"Ctrl-C ends everything")
    report = run.output
    assert "All is as it should be" in report, report
    table = re.findall(r"^(\S+) +(succeeded|failed|rejected) +\S+ +\S+", report, re.MULTILINE)
    expected = {entry.job: entry.outcome.value for entry in load_demo().entries}
    assert {name.partition("-")[0] if "arrived" in name else name: outcome for name, outcome in table} == (
        expected
    )

    script = "\n".join(_printed(report, first_words) for first_words in (". ", *commands))
    done = subprocess.run(
        ["bash", "-ec", script], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "messageIds" in done.stdout
    run.wait_for_output(r"ends everything\.(.|\n)* succeeded\b(.|\n)* succeeded\b")

    assert run.end(end) == 0
    run.assert_nothing_left()


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
