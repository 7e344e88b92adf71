"""The admission cycle: from the bell to the recorded answer, in numbered steps.

Three ways in, one round (`round.py`) inside:

- `ring`: something new was recorded; new jobs are taken up, and whatever fits is admitted.
- `end`: a custom job ended; its end first, then whatever fits. Among rivals the end is only noted on its job.
- `settle`: changes that must be made come what may (a command, a sweep's findings), then whatever fits.

A round without the bell does just that. With the bell, rounds go on, and take up new jobs and noted ends too,
until nobody rings any more.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

from poolqueue.announcing import Announcement, announce_and_remember
from poolqueue.cycle.bell import BellHolder
from poolqueue.cycle.elsewhere import Elsewhere
from poolqueue.cycle.pacing import Slots
from poolqueue.cycle.retrying import pause, until_settled
from poolqueue.cycle.round import Asked, Round, run_round
from poolqueue.cycle.submission import Submissions
from poolqueue.ports import Conflict, PublishFailed, Replace
from poolqueue.records import ResourceName, job_path, read_job, write_job
from poolqueue.scheduling.changes import Change, CustomJobEnded
from poolqueue.scheduling.events import Event
from poolqueue.scheduling.jobs import Reason
from poolqueue.system import System

WINDING_UP = timedelta(seconds=20)  # what is left of an invocation once its last call is answered
LISTEN_SECONDS = 2.0
GATHER_SECONDS = 0.05
FAILURES_AT_ONCE = 8  # of 256 KB each, at the most, beside what the round admits

log = logging.getLogger(__name__)


def ring(system: System, name: ResourceName, *, deadline: datetime, elsewhere: bool = False) -> None:
    """Ask for an admission cycle of `name`: run it here, or leave it to whoever is running one.

    1. If somebody holds the bell, ring it and leave: they will go round again.
    2. Otherwise try one round at once. The bell would only save work, and alone there is none to save.
    3. If that meets a rival, or leaves work over, take the bell and go round until nothing is left:
       read a bounded snapshot, decide, commit, begin to submit, let go unless rung meanwhile.
    4. Wait for Vertex AI's answers; what was refused is put back, which may admit others.
    5. Note what was announced.

    At `deadline` whatever is left is handed on to another invocation. With `elsewhere`, because replicas came
    free there, a round is run in any case, and looks where all waiting jobs may go.
    """
    looking = Elsewhere(system, name, everyone=elsewhere)
    with _cycle(system, name, deadline, elsewhere=looking) as cycle:
        if elsewhere:
            cycle.make(Asked())
        elif not cycle.bell.leave_to_holder() and not cycle.try_alone(Asked()):
            cycle.with_bell()


def settle(
    system: System,
    name: ResourceName,
    changes: Sequence[Change],
    *,
    deadline: datetime,
    events: Sequence[Event] = (),
    arrivals: bool = False,
    linger: bool = True,
    learn: bool = False,
    elsewhere: Elsewhere | None = None,
) -> None:
    """Make these changes, and in the same commit admit what now fits; empty the inbox too with `arrivals`,
    and let run times learn from what ended with `learn`.

    With many rivals for the resource's document the changes go first, alone, and a cycle is asked for after.
    Without `linger` it leaves at once what only needs a little time.
    """
    with _cycle(system, name, deadline, linger=linger, elsewhere=elsewhere) as cycle:
        cycle.make(Asked(changes=changes, events=events, arrivals=arrivals, endings=arrivals, learn=learn))


def end(system: System, name: ResourceName, ending: CustomJobEnded, *, deadline: datetime) -> None:
    """End the job of a custom job, release its replicas and admit what now fits, in one commit.

    Among rivals the end is only noted on the job, and whoever holds the bell takes it up with all the others:
    a hundred ends at once then cost the resource's document a few writes, not a hundred fought for.
    """
    with _cycle(system, name, deadline) as cycle:
        if cycle.has_rivals() or not cycle.try_alone(Asked(changes=[ending], arrivals=False)):
            until_settled(system, lambda: _note(system, ending))
            cycle.with_bell()


def _note(system: System, ending: CustomJobEnded) -> None:
    document = system.documents.read([job_path(ending.key)])[0]
    if document.fields is None or (noted := ending.noted(read_job(document.fields))) is None:
        return
    fields = write_job(noted, retention=system.settings.retention)
    write = Replace(path=document.path, fields=fields, version=document.version)
    system.documents.commit([write])


@contextmanager
def _cycle(
    system: System,
    name: ResourceName,
    deadline: datetime,
    *,
    linger: bool = True,
    elsewhere: Elsewhere | None = None,
) -> Iterator[_Cycle]:
    """A cycle whose submissions are settled however its rounds end."""
    cycle = _Cycle(system, name, deadline, linger=linger, elsewhere=elsewhere or Elsewhere(system, name))
    try:
        yield cycle
    finally:
        cycle.finish()


class _Cycle:
    def __init__(
        self,
        system: System,
        name: ResourceName,
        deadline: datetime,
        *,
        linger: bool,
        elsewhere: Elsewhere,
    ) -> None:
        self._system = system
        self._name = name
        self._deadline = deadline
        self._slots = Slots(system, name)
        self._submissions = Submissions(system, name)
        self._lingers = linger
        self._elsewhere = elsewhere
        system.announced.enter(name.key)
        self.bell = BellHolder(system, name)

    def has_rivals(self) -> bool:
        return self._system.announced.has_company(self._name.key) or self.bell.is_held()

    def try_alone(self, asked: Asked) -> bool:
        """One round without the bell, and further ones with it for what it leaves; False after a conflict."""
        try:
            done = self._round(asked)
        except Conflict:
            return False
        if done.more or self._is_due_soon(done):
            self.with_bell()
        return True

    def make(self, asked: Asked) -> None:
        """Make these changes whatever it takes; admitting comes second."""
        if self.try_alone(asked):
            return
        alone = Asked(changes=asked.changes, events=asked.events, arrivals=False, admit=False)
        until_settled(self._system, lambda: self._round(alone))
        self.with_bell()

    def finish(self) -> None:
        """Settle what was submitted, then note what was announced."""
        try:
            while self._submissions.wait_for_failures():
                self.make(Asked(arrivals=False, admit=not self._must_stop()))
        finally:
            self._submissions.close()
            is_last = self._system.announced.leave(self._name.key)
        if is_last:
            self._note_announced()

    def with_bell(self) -> None:
        if not self.bell.take():
            return
        try:
            self._go_round()
        except BaseException:
            self.bell.let_go(rung=True)
            raise

    def _go_round(self) -> None:
        conflicts = 0
        while True:
            try:
                done = self._round(Asked(endings=True))
            except Conflict:
                conflicts += 1
                pause(self._system, conflicts)
                done = Round(more=True)
            if self._must_stop():
                if done.more or not self.bell.let_go():
                    self._hand_on()
                return
            if done.more or self._linger(done):
                self.bell.renew()
            elif self.bell.let_go():
                return
            else:
                # Rung: there is a rush. What comes while we pause goes into the next commit, and rings free.
                self._system.sleep(GATHER_SECONDS)
                self.bell.clear()

    def _round(self, asked: Asked) -> Round:
        """One round, which also puts back what Vertex AI has refused by now. The settings in force when it
        begins are those of all of it.
        """
        system = self._system.refreshed()
        failures = self._submissions.failures()[:FAILURES_AT_ONCE]
        if any(failure.reason is Reason.PACED for failure in failures):
            self._slots.block()
        announced = self._system.announced.pending(self._name.key)
        changes = [*asked.changes, *failures]
        asked = replace(asked, changes=changes, submit_within=self._submit_within())
        done = run_round(
            system,
            self._name,
            asked,
            slots=self._slots,
            announced=announced,
            elsewhere=self._elsewhere,
        )
        self._submissions.put_back(failures)
        self._system.announced.noted(self._name.key, announced)
        self._submissions.begin(list(done.admissions))
        self._submissions.cancel(done.cancels)
        announcements = [
            Announcement(job=moved.after, first=moved.before.job.sequence + 1)
            for moved in done.moved.values()
        ]
        announce_and_remember(self._system, self._name, announcements)
        self._tell_others(done)
        again = done.looked is not None and self._elsewhere.committed(done.looked)
        return replace(done, more=True) if again else done

    def _tell_others(self, done: Round) -> None:
        """Those whom jobs have gone to, who waits for a serial key that came free, and whose jobs would come
        here. What is not told, sweeps find.
        """
        try:
            for key in [*done.goals, *done.told]:
                self._ask_for(ResourceName.from_key(key))
            for key in done.suitors:
                self._ask_for(ResourceName.from_key(key), elsewhere=True)
            for key in done.ended:
                self._publish({"dependants_of": key, "resource": self._name.full})
        except PublishFailed as error:
            log.warning("others_not_told", extra={"resource": self._name.full, "error": str(error)})

    def _ask_for(self, name: ResourceName, **how: bool) -> None:
        """Ask for a cycle of that resource."""
        self._publish({"resource": name.full, **how})

    def _publish(self, asked: Mapping[str, object]) -> None:
        self._system.publish(self._system.settings.sweeps_topic, json.dumps(asked).encode(), {})

    def _linger(self, done: Round) -> bool:
        """Stay for what only needs a little time; True when another round is worth while: then, or as soon as
        somebody rings or a submission has failed.
        """
        if not self._is_due_soon(done):
            return False
        assert done.due is not None
        until = min(done.due, self._system.clock() + self._system.settings.timing.bell_lease / 2)
        while (left := (until - self._system.clock()).total_seconds()) > 0:
            self._system.sleep(min(left, LISTEN_SECONDS))
            if self.bell.is_rung():
                self.bell.clear()
                break
            if self._submissions.failures():
                break
        return True

    def _is_due_soon(self, done: Round) -> bool:
        if not self._lingers or done.due is None:
            return False
        now = self._system.clock()
        soon = min(now + self._system.settings.timing.linger, self._stop_at())
        return done.due <= soon

    def _must_stop(self) -> bool:
        return self._system.clock() >= self._stop_at()

    def _stop_at(self) -> datetime:
        """After this no round begins: the calls of the last one must be answered by the deadline."""
        return self._deadline - self._system.settings.timing.call_timeout - WINDING_UP

    def _submit_within(self) -> timedelta:
        """A call that begins by then is answered, or has timed out, while this invocation may still work."""
        timing = self._system.settings.timing
        left = self._deadline - self._system.clock()
        return max(timedelta(0), min(timing.submit_within, max(left - timing.call_timeout, left / 2)))

    def _hand_on(self) -> None:
        """Leave the bell rung, and ask for another invocation to take it."""
        self.bell.let_go(rung=True)
        self._ask_for(self._name)
        log.info("cycle_handed_on", extra={"resource": self._name.full})

    def _note_announced(self) -> None:
        """If others keep changing the resource, leave it: at worst the sweep announces once more."""
        quiet = Asked(arrivals=False, admit=False)
        try:
            until_settled(self._system, lambda: self._round(quiet), attempts=5)
        except Conflict:
            log.info("announcements_not_noted", extra={"resource": self._name.full})
