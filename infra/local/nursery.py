"""Python programs that start at once: born by fork of a process that has imported what they will need.

A function imports the cloud's libraries for two seconds, a stack has six functions, and tests kill them all
the time. A forked one has served nobody and holds no data: it knows as little as one that was started anew.
Only on Linux: elsewhere a fork after such imports is not safe.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import runpy
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

POLL_SECONDS = 0.02
CAN_FORK = sys.platform == "linux"


class Nursery:
    """A process to be forked, with `modules` imported, until `close`. Threads may share it."""

    def __init__(self, modules: Sequence[str], *, log: Path, cwd: Path) -> None:
        self._lock = threading.Lock()
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "infra.local.nursery", *modules],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=cwd,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def bear(self, command: Sequence[str], *, log: Path, cwd: Path, env: Mapping[str, str]) -> Born:
        """Run a Python script, leader of its own process group, with its output in `log`."""
        order = {"argv": list(command), "log": str(log), "cwd": str(cwd), "env": dict(env)}
        return Born(self, self._ask(order)["pid"])

    def returncode(self, pid: int) -> int | None:
        """None while it runs."""
        code: int | None = self._ask({"of": pid})["returncode"]
        return code

    def close(self) -> None:
        """What was born here lives on."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _ask(self, order: Mapping[str, Any]) -> dict[str, Any]:
        with self._lock:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()
            return dict(json.loads(self._process.stdout.readline()))


class Born:
    """A process of a nursery, as `subprocess.Popen` would show it."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self._nursery = nursery
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self._nursery.returncode(self.pid)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Raises `subprocess.TimeoutExpired`."""
        until = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if until is not None and time.monotonic() > until:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0.0)
            time.sleep(POLL_SECONDS)
        return code


# --- in the nursery's own process


def main() -> None:
    for module in sys.argv[1:]:
        importlib.import_module(module)
    gc.freeze()  # a collection in a child would copy all of it
    for line in sys.stdin.buffer:
        order = json.loads(line)
        answer = {"returncode": _returncode(order["of"])} if "of" in order else {"pid": _fork(order)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _returncode(pid: int) -> int | None:
    ended, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else None


def _fork(order: Mapping[str, Any]) -> int:
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    pid = os.fork()
    if not pid:
        try:
            _become(order, log)
        finally:
            os._exit(1)
    os.close(log)
    return pid


def _become(order: Mapping[str, Any], log: int) -> NoReturn:
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, standard in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, standard)
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    sys.argv = list(order["argv"])
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    code: Any = 0
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as ended:
        code = ended.code
    except BaseException:  # noqa: BLE001  as the interpreter does
        traceback.print_exc()
        code = 1
    if isinstance(code, str):
        print(code, file=sys.stderr)
    sys.stdout.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    main()
