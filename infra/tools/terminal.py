"""Pictures of `poolctl` in a terminal: the real command in a pseudo terminal, what it draws as SVG."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from infra.local.processes import ROOT

COLUMNS = 100
ROWS = 60
PATIENCE_SECONDS = 60.0
# Whoever looks at the picture has one of these; nothing is fetched.
FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace"

_CLEARED = "\x1b[2K"
_MOVES = re.compile(r"\x1b\[[0-9;?]*[A-HJKSTfhlsu]")
_FONT_FACE = re.compile(r"@font-face \{\{.*?\}\}\s*", re.DOTALL)


class WontShow(Exception):
    """What was drawn tells of this machine."""


def drawn(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    directory: Path,
    *,
    until: str | None = None,
    columns: int = COLUMNS,
) -> str:
    """What `poolctl` draws in a terminal so wide: all of it, or until that text is there, when it is
    interrupted. Of what is drawn in place the last picture.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-c", "from poolqueue.cli import main; main()", *arguments],
        cwd=directory,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "TERM": "xterm-256color",
            "LANG": "C.UTF-8",
            **environment,
        },
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        told = _read(ours, process, until)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    return _MOVES.sub("", told.rpartition(_CLEARED)[2]).replace("\r\n", "\n").strip("\n")


def _read(terminal: int, process: subprocess.Popen[bytes], until: str | None) -> str:
    ends_at = time.monotonic() + PATIENCE_SECONDS
    told = b""
    while time.monotonic() < ends_at:
        if not select.select([terminal], [], [], 0.2)[0]:
            if process.poll() is not None:
                break
            continue
        try:
            read = os.read(terminal, 65_536)
        except OSError:  # Linux says so when nobody has the other end any more
            break
        if not read:
            break
        told += read
        if until is not None and until in told.decode(errors="replace"):
            process.send_signal(signal.SIGINT)
            until = None
    return told.decode(errors="replace")


def picture(command: str, told: str, *, name: str, columns: int = COLUMNS) -> str:
    """SVG of a terminal in which `command` was given and `told` is what it drew. Raises `WontShow`."""
    _refuse_traces(told)
    console = Console(record=True, width=columns, file=StringIO(), force_terminal=True, legacy_windows=False)
    whole = Text.assemble(("$ ", "green"), (command, "bold"), "\n", Text.from_ansi(told))
    for line in whole.split(allow_blank=True):
        for part in line.divide(range(columns, len(line), columns)):  # as terminals wrap
            console.print(part, soft_wrap=True)
    svg = console.export_svg(title="poolctl", code_format=_svg_format(), unique_id=name)
    return "\n".join(line.rstrip() for line in svg.splitlines() if line.strip()) + "\n"


def _svg_format() -> str:
    without_fonts = _FONT_FACE.sub("", CONSOLE_SVG_FORMAT)
    return without_fonts.replace("Fira Code, monospace", FONTS).replace("arial", "sans-serif")


def _refuse_traces(told: str) -> None:
    plain = Text.from_ansi(told).plain
    traces = [str(ROOT), str(Path.home()), os.uname().nodename, "127.0.0.1", "/tmp/"]
    if found := [trace for trace in traces if trace in plain]:
        raise WontShow(f"it shows {', '.join(found)}:\n{plain}")
