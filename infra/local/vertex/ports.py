"""Free TCP ports for replicas, below the range from which the system hands out its own."""

from __future__ import annotations

import contextlib
import random
import socket

_RANGE = range(20_000, 32_000)


class Ports:
    """Hands out ports that nobody listens on and that were not handed out to a job that still lives."""

    def __init__(self) -> None:
        self._taken: set[int] = set()
        self._random = random.SystemRandom()

    def take(self) -> int:
        for _ in range(10_000):
            port = self._random.choice(_RANGE)
            if port not in self._taken and _is_free(port):
                self._taken.add(port)
                return port
        raise RuntimeError("no free port was found")

    def give_back(self, port: int) -> None:
        self._taken.discard(port)


def _is_free(port: int) -> bool:
    with contextlib.closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
