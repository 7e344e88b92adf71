"""Embedded Pub/Sub: a server of the gRPC and REST wire for what we and our users call, in pure Python.

`python -m infra.local.pubsub_wire --port 0` prints one line, `{"port": N, "http_port": M}`, and serves until
it is ended. State is in memory only. Project ids must begin with `demo-`.
"""

from __future__ import annotations

import argparse
import json
import signal
from types import TracebackType
from typing import Self

from infra.local.pubsub.grpc_face import start_grpc
from infra.local.pubsub.rest_face import start_rest
from infra.local.pubsub.service import PubSub

PUSH_CONCURRENCY = 16


class EmbeddedPubSub:
    """Pub/Sub within this process, on two free ports of 127.0.0.1."""

    def __init__(
        self, *, port: int = 0, http_port: int = 0, push_concurrency: int = PUSH_CONCURRENCY
    ) -> None:
        self._wanted = (port, http_port)
        self._push_concurrency = push_concurrency
        self.port = self.http_port = 0

    def start(self) -> Self:
        port, http_port = self._wanted
        self._pubsub = PubSub(push_concurrency=self._push_concurrency)
        self._http, self.http_port = start_rest(self._pubsub, http_port)
        self._grpc, self.port = start_grpc(self._pubsub, port)
        return self

    def stop(self) -> None:
        """Answer nothing more; deliveries under way may still end."""
        self._pubsub.close()
        self._http.shutdown()
        self._http.server_close()
        self._grpc.stop(grace=0).wait()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def http_address(self) -> str:
        return f"127.0.0.1:{self.http_port}"

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description="Embedded Pub/Sub; prints its ports as one line of JSON.")
    parser.add_argument("--port", type=int, default=0, help="for gRPC; 0 takes a free one")
    parser.add_argument("--http-port", type=int, default=0, help="for REST; 0 takes a free one")
    parser.add_argument("--push-concurrency", type=int, default=PUSH_CONCURRENCY)
    asked = parser.parse_args()
    ends = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)  # before any thread starts, so that none takes them
    with EmbeddedPubSub(
        port=asked.port, http_port=asked.http_port, push_concurrency=asked.push_concurrency
    ) as pubsub:
        print(json.dumps({"port": pubsub.port, "http_port": pubsub.http_port}), flush=True)
        signal.sigwait(ends)


if __name__ == "__main__":
    main()
