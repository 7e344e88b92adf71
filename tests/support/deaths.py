"""A process dies between any two of its effects in turn; the message comes again, and sweeps look."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handlers.delivery import Delivery
from poolqueue.system import System
from tests.support.faults import Death, Killed, mortal
from tests.support.installation import Installation

MORE_THAN_ANY_CALLS = 10_000
EFFECTS = {"commit", "create", "cancel", "publish", "publish_all"}
AFTER_TIMEOUT_SECONDS = 3 * 60
QUIET_PERIOD_SECONDS = 6 * 60

Act = Callable[[Installation], Any]


def sweep_until_settled(installation: Installation) -> None:
    """One of the sweeps during the quiet period, which notes what it misses, and the one after it."""
    for seconds in (AFTER_TIMEOUT_SECONDS, QUIET_PERIOD_SECONDS):
        installation.clock.advance(seconds=seconds)
        installation.sweep()


@dataclass(frozen=True, kw_only=True)
class Deaths:
    directory: Path
    project: str

    def at_each_effect(
        self,
        *,
        handle: Callable[[System, Delivery], None],
        prepare: Callable[[Installation], Delivery],
        verify: Act,
        install: Callable[[Path, str], Installation] = Installation,
        look: Act = lambda _installation: None,
        again: bool = True,
        repair: Act = sweep_until_settled,
    ) -> None:
        """A fresh installation for each death: before the first effect, and after each of them. Who dies
        before a call that only looks, or before the next effect, leaves behind what was after the last one.

        `look` looks right after the death. Without `again` the message does not come again: it is left to
        what is to `repair`.
        """
        calls = self._calls(handle, prepare, install)
        effects = [number for number, name in enumerate(calls, start=1) if name in EFFECTS]
        assert effects, f"nothing is done: {calls}"
        deaths = [Death(at=effects[0]), *(Death(at=number, after_effect=True) for number in effects)]
        for number, death in enumerate(deaths, start=1):
            with self._fresh(number, install) as installation:
                delivery = prepare(installation)
                with suppress(Killed):
                    handle(mortal(installation.system, death), delivery)
                try:
                    look(installation)
                    if again:
                        handle(installation.system, delivery)
                    repair(installation)
                    verify(installation)
                except AssertionError as error:
                    when = "after" if death.after_effect else "before"
                    said = f"killed {when} call {death.at}, {calls[death.at - 1]}: {error}"
                    raise AssertionError(said) from error

    def _calls(
        self,
        handle: Callable[[System, Delivery], None],
        prepare: Callable[[Installation], Delivery],
        install: Callable[[Path, str], Installation],
    ) -> list[str]:
        spared = Death(at=MORE_THAN_ANY_CALLS)
        with self._fresh(0, install) as installation:
            handle(mortal(installation.system, spared), prepare(installation))
        return spared.names

    def _fresh(self, number: int, install: Callable[[Path, str], Installation]) -> Installation:
        here = self.directory / str(number)
        here.mkdir()
        return install(here, f"{self.project}-{number}")
