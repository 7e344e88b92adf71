"""The stand-in as a command: `python -m infra.local.vertex --config FILE.yaml --directory DIR [--port 0]`.

Prints one JSON line when it listens; ends, and all its replicas with it, on SIGTERM or SIGINT.
"""

from __future__ import annotations

import argparse
import json
import signal
import threading
from pathlib import Path

from infra.local.vertex.settings import load
from infra.local.vertex.stand_in import StandIn


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m infra.local.vertex", description="A stand-in for Vertex AI."
    )
    parser.add_argument("--config", type=Path, required=True, help="YAML file: resources, timings, behaviour")
    parser.add_argument("--directory", type=Path, required=True, help="gets the journal, logs and outputs")
    parser.add_argument("--port", type=int, default=0, help="of 127.0.0.1; 0 picks a free one")
    given = parser.parse_args()
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    with StandIn.from_settings(given.directory, load(given.config), port=given.port) as stand_in:
        print(json.dumps({"port": stand_in.port, "journal": str(stand_in.journal_path)}), flush=True)
        stopped.wait()


if __name__ == "__main__":
    main()
