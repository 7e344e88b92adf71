"""What would change if a settings file were applied: a pure value, which is shown and told as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from poolqueue.cli.failures import Exit, Failure
from poolqueue.config import Difference, Settings, differences, parse_settings, topology_notes
from poolqueue.ports import Documents
from poolqueue.reality import findings, read_reality
from poolqueue.viewing.found import Found


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A file beside what is in force. `problems` would have it refused as things are; `notes` would not."""

    found: Found
    text: str
    differences: Sequence[Difference] = ()
    problems: Sequence[str] = ()
    notes: Sequence[str] = ()

    @property
    def is_same_text(self) -> bool:
        return self.found.text == self.text


def read_file(path: str) -> str:
    """Raises `Failure` when the file cannot be read."""
    try:
        with open(path, encoding="utf-8", newline="") as file:  # noqa: PTH123 - as it is, line ends included
            return file.read()
    except OSError as error:
        raise Failure(f"{path}: {error.strerror}", Exit.USAGE) from error
    except UnicodeDecodeError as error:
        raise Failure(f"{path}: is not UTF-8", Exit.USAGE) from error


def compared(found: Found, text: str, documents: Documents, *, project: str, now: datetime) -> Comparison:
    """Raises `SettingsError` when the text is wrong by itself, `Failure` when there is nothing to compare."""
    new = parse_settings(text, project=project)
    old = _old(found)
    held = findings(old, new, read_reality(documents, old, new), now=now)
    return Comparison(
        found=found,
        text=text,
        differences=differences(old, new),
        problems=[str(each) for each in held if each.refuses],
        notes=[*(str(each) for each in held if not each.refuses), *topology_notes(old, new)],
    )


def _old(found: Found) -> Settings:
    if found.unreadable is not None:
        told = f"version {found.version} is in force, and this poolctl cannot read it: {found.unreadable}"
        raise Failure(told, Exit.REFUSED)
    if found.settings is None:
        told = (
            "nothing was applied yet, and no sweep has noted yet which file the functions are deployed with: "
            "name that with --settings or POOL_QUEUE_SETTINGS"
        )
        raise Failure(told, Exit.USAGE)
    return found.settings
