"""Writes dead letters to files, each with the command that publishes it again."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

from poolqueue.dead_letters import DeadLetter
from poolqueue.requests.settings import is_transports

_TOPIC = re.compile(r"projects/[^/]+/topics/[^/]+")
_DELIMITERS = ",|;:#~!^"


def save(letter: DeadLetter, directory: Path) -> tuple[Path, Path | None]:
    """The message's file and, unless it cannot be published as it is kept, the script that does so.

    Both are for their owner's eyes only: a message may hold secrets.
    """
    assert letter.data is not None
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    message = directory / f"{letter.id}.message"
    _write(message, letter.data)
    command = replay(letter, message.name)
    if command is None:
        return message, None
    script = directory / f"{letter.id}.sh"
    _write(script, f'cd "$(dirname "$0")" && {command}\n'.encode())
    return message, script


def replay(letter: DeadLetter, file: str) -> str | None:
    """The shell command that publishes `file`, None for a message that was cut or came from no topic."""
    own = {name: value for name, value in letter.attributes.items() if not is_transports(name)}
    attributes = _attributes(own)
    if letter.is_cut or attributes is None or not _TOPIC.fullmatch(letter.topic):
        return None
    words = ["gcloud", "pubsub", "topics", "publish", letter.topic]
    return f'{shlex.join(words)} --message="$(cat {shlex.quote(file)})"{attributes}'


def _attributes(own: dict[str, str]) -> str | None:
    """As one flag of gcloud, whose delimiter must not stand in what it delimits; None if none can."""
    text = "".join([*own, *own.values()])
    delimiter = next((each for each in _DELIMITERS if each not in text), None)
    if not own:
        return ""
    if delimiter is None or any("=" in name or not name for name in own):
        return None
    listed = delimiter.join(f"{name}={value}" for name, value in own.items())
    prefix = "" if delimiter == "," and not listed.startswith("^") else f"^{delimiter}^"
    return " " + shlex.quote(f"--attribute={prefix}{listed}")


def _write(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
