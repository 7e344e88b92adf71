"""The admission cycle: from the bell to the recorded answer, in numbered steps."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from poolqueue.announcing import Announcer
from poolqueue.announcing import Change as AnnouncedChange
from poolqueue.cycle.bell import BellHolder
from poolqueue.cycle.pacing import Slots
from poolqueue.cycle.retrying import pause, until_settled
from poolqueue.cycle.round import Asked, Round, run_round
from poolqueue.cycle.submission import Submissions
from poolqueue.ports import Conflict
from poolqueue.records import ResourceName
from poolqueue.scheduling.changes import Change
from poolqueue.scheduling.events import Event
from poolqueue.scheduling.jobs import Reason
from poolqueue.system import System

WINDING_UP = timedelta(seconds=20)
OPTIMISTIC_ATTEMPTS = 2
STEP = timedelta(seconds=5)

log = logging.getLogger(__name__)


def ring(system: System, name: ResourceName, *, deadline: datetime) -> None:
    """Ask for an admission cycle of `name`: run it here, or leave it to whoever is running one.

    1. If somebody holds the bell, ring it and leave: they will go round again.
    2. Otherwise try one round at once. The bell would only save work, and alone there is none to save.
    3. If that meets a rival, or leaves work over, take the bell and go round until nothing is left:
       read a bounded snapshot, decide, commit, begin to submit, let go unless rung meanwhile.
    4. Wait for Vertex AI's answers; what was refused is put back, which may admit others.
    5. Note what was announced.

    At `deadline` whatever is left is handed on to another invocation.
    """
    cycle = _Cycle(system, name, deadline)
    if not cycle.bell.leave_to_holder():
        cycle.run(Asked())
    cycle.finish()


def settle(
    system: System,
    name: ResourceName,
    changes: Sequence[Change],
    *,
    deadline: datetime,
    events: Sequence[Event] = (),
    arrivals: bool = False,
) -> None:
    """Make these changes, and in the same commit admit what now fits; look at new jobs too with `arrivals`.

    With many rivals for the resource's document the changes go first, alone, and a cycle is asked for after.
    """
    cycle = _Cycle(system, name, deadline)
    cycle.make(Asked(changes=changes, events=events, arrivals=arrivals))
    cycle.finish()


class _Cycle:
    def __init__(self, system: System, name: ResourceName, deadline: datetime) -> None:
        self._system = system
        self._name = name
        self._deadline = deadline
        self._announcer = Announcer(system)
        self._slots = Slots(system, name)
        self._submissions = Submissions(system, name, self._announcer)
        self.bell = BellHolder(system, name)

    def run(self, asked: Asked) -> None:
        """One round without the bell; with it, if there is a rival or more to do."""
        try:
            done = self._round(asked)
        except Conflict:
            self._with_bell()
            return
        if done.more or self._is_due_soon(done):
            self._with_bell()

    def make(self, asked: Asked) -> None:
        for number in range(OPTIMISTIC_ATTEMPTS):
            try:
                done = self._round(asked)
            except Conflict:
                pause(self._system, number)
                continue
            if done.more or self._is_due_soon(done):
                self._with_bell()
            return
        alone = Asked(changes=asked.changes, events=asked.events, arrivals=False, admit=False)
        until_settled(self._system, lambda: self._round(alone))
        self._with_bell()

    def finish(self) -> None:
        """Settle what was submitted, then note what was announced."""
        try:
            while failures := self._submissions.settle():
                if any(failure.reason is Reason.PACED for failure in failures):
                    self._slots.block()
                self.make(Asked(changes=failures, arrivals=False))
        finally:
            self._submissions.close()
        if self._announcer.settled():
            self._note_announced()

    def _with_bell(self) -> None:
        if not self.bell.take():
            return
        number = 0
        while True:
            try:
                done = self._round(Asked())
            except Conflict:
                number += 1
                pause(self._system, number)
                done = Round(more=True)
            if self._must_stop() and done.more:
                self._hand_on()
                return
            if not done.more and not self._linger(done) and self.bell.let_go():
                return
            self.bell.clear()

    def _round(self, asked: Asked) -> Round:
        announced = self._announcer.settled()
        done = run_round(self._system, self._name, asked, slots=self._slots, announced=announced)
        self._announcer.forget(announced)
        self._submissions.begin(list(done.admissions))
        self._announcer.announce(
            AnnouncedChange(job=moved.after, first=moved.before.job.sequence + 1)
            for moved in done.moved.values()
        )
        return done

    def _linger(self, done: Round) -> bool:
        """Stay for what only needs a little time; True when another round is worth while."""
        if not self._is_due_soon(done):
            return False
        assert done.due is not None
        wait = min(done.due - self._system.clock(), STEP)
        self._system.sleep(max(0.0, wait.total_seconds()))
        return True

    def _is_due_soon(self, done: Round) -> bool:
        now = self._system.clock()
        soon = min(now + self._system.settings.timing.linger, self._deadline - WINDING_UP)
        return done.due is not None and done.due <= soon

    def _must_stop(self) -> bool:
        return self._system.clock() >= self._deadline - WINDING_UP

    def _hand_on(self) -> None:
        """Leave the bell rung, and ask for another invocation to take it."""
        self.bell.let_go(rung=True)
        body = json.dumps({"resource": self._name.full}).encode()
        self._system.publish(self._system.settings.sweeps_topic, body, {})
        log.info("cycle_handed_on", extra={"resource": self._name.full})

    def _note_announced(self) -> None:
        """If others keep changing the resource, leave it: at worst the sweep announces once more."""
        quiet = Asked(arrivals=False, admit=False)
        try:
            until_settled(self._system, lambda: self._round(quiet), attempts=5)
        except Conflict:
            log.info("announcements_not_noted", extra={"resource": self._name.full})
