"""A system whose process ends itself with SIGKILL at a chosen call of a port, for tests only."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from poolqueue.system import System

PORTS = ("documents", "publisher", "submitter", "observer")


class When(StrEnum):
    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True, kw_only=True)
class Death:
    """At the call `number` of `call` (such as `documents.commit`), before or after its effect; counted in
    each process from 1, from when it was ordered.

    `function` is the one that may die of it, else any. With `whole_group` the processes of the same group die
    too: a machine is lost, not an instance.
    """

    call: str
    number: int
    when: When
    function: str | None = None
    whole_group: bool = False

    def __str__(self) -> str:
        return f"{self.when} {self.call} {self.number}"

    def as_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Death:
        fields = json.loads(text)
        return cls(**{**fields, "when": When(fields["when"])})


class Orders:
    """A file that holds the death of whichever process claims it first; without the file nobody dies.
    A process of `function` sees what is meant for it.
    """

    def __init__(self, path: Path, *, function: str | None = None) -> None:
        self._path = path
        self._function = function

    def __call__(self) -> Death | None:
        try:
            death = Death.from_json(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return None if self._function and death.function not in {None, self._function} else death

    def claim(self) -> None:
        self._path.unlink()

    def give(self, death: Death) -> None:
        """Written whole, or not yet there."""
        whole = self._path.with_suffix(".new")
        whole.write_text(death.as_json(), encoding="utf-8")
        whole.rename(self._path)


class Fate:
    """Counts calls by name, and carries out the death that is ordered, if any.

    `rival` is called with the path of a persistent resource's document just before the first commit to it.
    """

    def __init__(
        self,
        ordered: Callable[[], Death | None],
        *,
        claim: Callable[[], None] = lambda: None,
        rival: Callable[[str], None] | None = None,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._ordered = ordered
        self._claim = claim
        self._awaited: Death | None = None
        self._rival = rival
        self._lock = threading.Lock()

    def call(self, name: str, effect: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        death = self._ordered()
        with self._lock:
            if death != self._awaited:
                self._awaited = death
                self.counts.clear()
            self.counts[name] += 1
            is_last = death is not None and (death.call, death.number) == (name, self.counts[name])
        if death is None or not is_last:
            return self._carry_out(name, effect, *arguments, **named)
        if death.when is When.BEFORE:
            self._die(death)
        try:
            return self._carry_out(name, effect, *arguments, **named)
        finally:
            self._die(death)

    def _carry_out(self, name: str, effect: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        if name == "documents.commit":
            self._meet_rival([write.path for write in arguments[0]])
        return effect(*arguments, **named)

    def _die(self, death: Death) -> None:
        self._claim()
        if death.whole_group:
            os.killpg(0, signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)

    def _meet_rival(self, paths: list[str]) -> None:
        wanted = [path for path in paths if path.startswith("resources/")]
        if wanted and self._rival is not None:
            rival, self._rival = self._rival, None
            rival(wanted[0])


class _Watched:
    """A port whose every call goes through `fate`."""

    def __init__(self, name: str, port: Any, fate: Fate) -> None:
        self._name = name
        self._port = port
        self._fate = fate

    def __getattr__(self, method: str) -> Callable[..., Any]:
        effect = getattr(self._port, method)
        return lambda *arguments, **named: self._fate.call(
            f"{self._name}.{method}", effect, *arguments, **named
        )


def deadly(system: System, fate: Fate) -> System:
    """The same system, whose calls may be its last."""
    return replace(system, **{name: _Watched(name, getattr(system, name), fate) for name in PORTS})
