"""The parent process of all replicas: it starts each in a session of its own and ends them all when the
stand-in is gone, however it went. A program by itself that uses nothing but the standard library.

It reads JSON lines on stdin, `start {key, argv, env, directory, output}` and `signal {key, signal}`, and
writes `started {key, pid}` and `ended {key, pid, exit_code}`. The end of stdin is the order to end all.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

NOT_STARTED = 127


class Warden:
    def __init__(self) -> None:
        self._replicas: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, order: dict[str, Any]) -> None:
        key = order["key"]
        with Path(order["output"]).open("ab", buffering=0) as output:
            try:
                replica = subprocess.Popen(
                    order["argv"],
                    env=order["env"],
                    cwd=order["directory"],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except (OSError, ValueError) as error:
                output.write(f"cannot start {order['argv'][0]!r}: {error}\n".encode())
                report(event="ended", key=key, pid=None, exit_code=NOT_STARTED)
                return
        self._replicas[key] = replica
        report(event="started", key=key, pid=replica.pid)

    def signal(self, key: str, number: int) -> None:
        if replica := self._replicas.get(key):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(replica.pid, number)

    def reap(self) -> None:
        """A container ends with its first process: what that one left behind goes with it."""
        for key, replica in list(self._replicas.items()):
            code = replica.poll()
            if code is not None:
                self.signal(key, signal.SIGKILL)
                del self._replicas[key]
                exit_code = code if code >= 0 else 128 - code
                report(event="ended", key=key, pid=replica.pid, exit_code=exit_code)

    def end_all(self) -> None:
        for key in list(self._replicas):
            self.signal(key, signal.SIGKILL)
        for replica in self._replicas.values():
            replica.wait()
        self.reap()

    def obey(self, line: bytes) -> None:
        order = json.loads(line)
        match order.pop("order"):
            case "start":
                self.start(order)
            case "signal":
                self.signal(order["key"], order["signal"])


def report(**event: Any) -> None:
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(json.dumps(event) + "\n")
        sys.stdout.flush()


def main() -> None:
    woken, waker = socket.socketpair()
    for end in (woken, waker):
        end.settimeout(0)
    signal.set_wakeup_fd(waker.fileno())
    # Handlers that do nothing, because ignored signals would stay ignored in the replicas.
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    warden = Warden()
    try:
        serve(warden, woken)
    finally:
        warden.end_all()


def serve(warden: Warden, woken: socket.socket) -> None:
    selector = selectors.DefaultSelector()
    selector.register(0, selectors.EVENT_READ)
    selector.register(woken, selectors.EVENT_READ)
    pending = b""
    while True:
        for ready, _ in selector.select():
            if ready.fileobj is woken:
                woken.recv(4096)
                continue
            received = os.read(0, 65536)
            if not received:
                return
            *lines, pending = (pending + received).split(b"\n")
            for line in lines:
                warden.obey(line)
        warden.reap()


if __name__ == "__main__":
    main()
