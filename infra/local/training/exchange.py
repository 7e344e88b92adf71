"""Exchange of numbers between replicas over TCP: everyone sends to the chief, the chief answers everyone."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce

import numpy as np

from infra.local.training.cluster import Cluster
from infra.local.training.examples import Floats
from infra.local.training.program import TrainingError, say

GREETING = b"gradient-exchange-1 "
LONGEST_FRAME = 64 * 1024 * 1024
ANSWER_SECONDS = 60.0
GREETING_SECONDS = 5.0
RETRY_SECONDS = 0.1


@dataclass(frozen=True, kw_only=True)
class Group:
    """Connections of one replica: the chief's to every worker in order of rank, a worker's to the chief."""

    rank: int
    world_size: int
    connections: tuple[socket.socket, ...] = ()

    def total(self, vector: Floats) -> Floats:
        """The sum of the vectors that all replicas gave; the same bits in every replica."""
        own = vector.astype("<f8").tobytes()
        if self.rank > 0:
            send(self.connections[0], own)
            return _floats(receive(self.connections[0]))
        parts = [vector, *(_floats(receive(connection)) for connection in self.connections)]
        if len({part.shape for part in parts}) > 1:
            raise TrainingError(f"the replicas' vectors differ in length: {[len(part) for part in parts]}")
        summed: Floats = reduce(np.add, parts)
        for connection in self.connections:
            send(connection, summed.astype("<f8").tobytes())
        return summed

    def gather(self, own: bytes) -> list[bytes]:
        """In the chief, what every replica gave, by rank; in a worker, only its own."""
        if self.rank > 0:
            send(self.connections[0], own)
            return [own]
        return [own, *(receive(connection) for connection in self.connections)]


@contextlib.contextmanager
def joined(cluster: Cluster, *, wait_seconds: float) -> Iterator[Group]:
    """The group of all replicas, once all are there.

    Raises `TrainingError` when after `wait_seconds` some are not, and when one is lost later.
    """
    with contextlib.ExitStack() as stack:
        try:
            connections = _connections(cluster, wait_seconds, stack)
            yield Group(rank=cluster.rank, world_size=cluster.world_size, connections=tuple(connections))
        except OSError as error:
            raise TrainingError(f"the connection to another replica broke: {error}") from error


def _connections(cluster: Cluster, wait_seconds: float, stack: contextlib.ExitStack) -> list[socket.socket]:
    if cluster.world_size == 1:
        return []
    if cluster.rank == 0:
        return _accept_workers(cluster, wait_seconds, stack)
    return [_connect_to_chief(cluster, wait_seconds, stack)]


def _accept_workers(
    cluster: Cluster, wait_seconds: float, stack: contextlib.ExitStack
) -> list[socket.socket]:
    deadline = time.monotonic() + wait_seconds
    workers: dict[int, socket.socket] = {}
    try:
        listener = stack.enter_context(socket.create_server(cluster.chief))
    except OSError as error:
        raise TrainingError(f"the chief cannot listen on {_text(cluster.chief)}: {error}") from error
    say(f"chief: one of {cluster.world_size} replicas, waiting on {_text(cluster.chief)} for the others")
    while len(workers) < cluster.world_size - 1:
        try:
            listener.settimeout(max(0.01, deadline - time.monotonic()))
            connection = stack.enter_context(listener.accept()[0])
        except TimeoutError as error:
            missing = sorted(set(range(1, cluster.world_size)) - set(workers))
            names = ", ".join(f"{rank} ({_text(cluster.addresses[rank])})" for rank in missing)
            raise TrainingError(
                f"not all replicas came within {wait_seconds:g} s; missing: {names}"
            ) from error
        rank = _greeted_rank(connection)
        if rank is not None and 0 < rank < cluster.world_size and rank not in workers:
            connection.settimeout(ANSWER_SECONDS)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            workers[rank] = connection
            say(f"chief: replica {rank} is there")
    return [workers[rank] for rank in sorted(workers)]


def _greeted_rank(connection: socket.socket) -> int | None:
    """The rank that the other side says it has; None for a stranger that found the port."""
    connection.settimeout(GREETING_SECONDS)
    try:
        greeting = receive(connection, longest=64)
    except (OSError, TrainingError):
        return None
    rank = greeting.removeprefix(GREETING)
    return int(rank) if greeting.startswith(GREETING) and rank.isdigit() else None


def _connect_to_chief(cluster: Cluster, wait_seconds: float, stack: contextlib.ExitStack) -> socket.socket:
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            connection = stack.enter_context(socket.create_connection(cluster.chief, timeout=5.0))
        except OSError as error:
            if time.monotonic() >= deadline:
                raise TrainingError(
                    f"the chief at {_text(cluster.chief)} did not answer within {wait_seconds:g} s: {error}"
                ) from error
            time.sleep(RETRY_SECONDS)
        else:
            connection.settimeout(ANSWER_SECONDS)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            send(connection, GREETING + str(cluster.rank).encode())
            return connection


def send(connection: socket.socket, body: bytes) -> None:
    connection.sendall(struct.pack("!Q", len(body)) + body)


def receive(connection: socket.socket, *, longest: int = LONGEST_FRAME) -> bytes:
    """One frame; raises `TrainingError` when the other side left or sent one longer than `longest`."""
    (length,) = struct.unpack("!Q", _receive_exactly(connection, 8))
    if length > longest:
        raise TrainingError(f"another replica announced {length} bytes; at most {longest} are expected")
    return _receive_exactly(connection, length)


def _receive_exactly(connection: socket.socket, length: int) -> bytes:
    body = bytearray()
    while len(body) < length:
        part = connection.recv(min(length - len(body), 1 << 20))
        if not part:
            raise TrainingError("another replica closed its connection before training was over")
        body += part
    return bytes(body)


def _floats(body: bytes) -> Floats:
    return np.frombuffer(body, dtype="<f8").astype(np.float64)


def _text(address: tuple[str, int]) -> str:
    return f"{address[0]}:{address[1]}"
