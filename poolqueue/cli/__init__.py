"""`poolctl`, the operators' command: what it shows, and the commands it publishes."""

from __future__ import annotations

import io
import sys


def main() -> None:
    """Entry point of the console script."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that cannot show a character
    try:
        from poolqueue.cli.app import app  # noqa: PLC0415  says what to install when its libraries are not there
    except ModuleNotFoundError as error:
        sys.exit(f"poolctl needs {error.name}: pip install 'poolqueue[cli]'")
    app()
