"""A process is killed (SIGKILL) at each step of the cycle in turn: then the quiet period, and one sweep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from handlers.delivery import Delivery
from infra.local.checker import check_journal
from infra.local.emulators import Kind
from poolqueue.ports import TOKEN_LABEL
from poolqueue.scheduling.jobs import Outcome, Reason
from tests.end_to_end.killing.deadly import Death, When
from tests.end_to_end.killing.ground import Ground, at_once, wait_for
from tests.end_to_end.killing.killed_stack import KilledStack, killed_stack

# Who dies before a read, or before the next effect, leaves behind what was there after the last one.
FIRST, *_ = EFFECTS = ("documents.commit", "submitter.create", "publisher.publish_all")
RESOURCES = [f"r{number}" for number in range(60)]
STACK_RESOURCES = ("lost", *When)
SIGKILL = 9
ALONE_OR_NOT = ["alone", "among rivals"]

pytestmark = pytest.mark.timeout(240)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One death, on a persistent resource of one replica; or none, to compare with."""

    resource: str
    death: Death | None
    delivery: Delivery
    jobs: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.resource}, killed {self.death}"


Prepare = Callable[[Ground, str], tuple[Delivery, list[str]]]


def a_request(ground: Ground, resource: str) -> tuple[Delivery, list[str]]:
    """One that is admitted."""
    return ground.request(resource, f"{resource}-killed"), [f"{resource}-killed"]


def an_end(ground: Ground, resource: str) -> tuple[Delivery, list[str]]:
    """One that admits the next job."""
    first, following = f"{resource}-killed", f"{resource}-next"
    for job_id in (first, following):
        ground.deliver(ground.request(resource, job_id))
    custom_job = ground.job(first).custom_job
    assert custom_job is not None
    ground.finish(custom_job)
    return ground.line_of(custom_job), [first, following]


@pytest.mark.parametrize(
    ("kind", "meets_rival"),
    [
        pytest.param(Kind.EMBEDDED, False, id="alone"),
        pytest.param(Kind.EMBEDDED, True, id="among rivals"),
        pytest.param(
            Kind.GOOGLE,
            True,
            id="among rivals, Google's emulators",
            marks=pytest.mark.requires("google_emulators", "thorough_run"),
        ),
    ],
)
def test_while_it_handles_a_request_that_is_delivered_again(
    kind: Kind, meets_rival: bool, tmp_path: Path, demo_project: str
) -> None:
    with Ground(kind, tmp_path, demo_project, resources=RESOURCES) as ground:
        cases = kill_at_each(ground, a_request, meets_rival=meets_rival)
        at_once(ground.deliver, [case.delivery for case in cases])
        see_that_one_sweep_repairs_all(ground, cases)


@pytest.mark.parametrize("meets_rival", [False, True], ids=ALONE_OR_NOT)
def test_while_it_handles_an_end_whose_log_line_is_delivered_again(
    meets_rival: bool, tmp_path: Path, demo_project: str
) -> None:
    with Ground(Kind.EMBEDDED, tmp_path, demo_project, resources=RESOURCES) as ground:
        cases = kill_at_each(ground, an_end, meets_rival=meets_rival)
        at_once(ground.deliver, [case.delivery for case in cases])
        see_that_one_sweep_repairs_all(ground, cases)


@pytest.mark.parametrize("meets_rival", [False, True], ids=ALONE_OR_NOT)
def test_while_it_handles_an_end_whose_log_line_is_lost(
    meets_rival: bool, tmp_path: Path, demo_project: str
) -> None:
    with Ground(Kind.EMBEDDED, tmp_path, demo_project, resources=RESOURCES) as ground:
        cases = kill_at_each(ground, an_end, meets_rival=meets_rival)
        see_that_one_sweep_repairs_all(ground, cases)


# --- the deaths


def kill_at_each(ground: Ground, prepare: Prepare, *, meets_rival: bool) -> list[Case]:
    """A process that lives tells the steps; then one dies at each."""

    def ready(death: Death | None) -> Case:
        resource = ground.unused()
        delivery, jobs = prepare(ground, resource)
        return Case(resource=resource, death=death, delivery=delivery, jobs=jobs)

    spared = ready(None)
    lived = ground.kill(spared.delivery, None, meets_rival=meets_rival)
    assert (lived.signal, lived.exit_code) == (0, 0)
    assert lived.counts["submitter.create"] == 1, "one of the steps is to be a submission"
    cases = at_once(ready, deaths_at(lived.counts))
    for case in cases:
        ended = ground.kill(case.delivery, case.death, meets_rival=meets_rival)
        assert ended.signal == SIGKILL, f"{case}: {ended}"
    return [spared, *cases]


def deaths_at(counts: Mapping[str, int]) -> Iterator[Death]:
    """Before the first effect, and after each."""
    yield Death(call=FIRST, number=1, when=When.BEFORE)
    for call in EFFECTS:
        for number in range(1, counts.get(call, 0) + 1):
            yield Death(call=call, number=number, when=When.AFTER)


# --- what is to be seen


def see_that_one_sweep_repairs_all(ground: Ground, cases: list[Case]) -> None:
    ground.sweep_after_quiet_period()
    at_once(lambda case: check_repaired(ground, case), cases)
    check_replicas(ground, cases)
    at_once(lambda case: check_bell(ground, case), cases)
    bring_to_an_end(ground, cases)
    check_journal(ground.stand_in.journal()).assert_nothing_found()


def check_repaired(ground: Ground, case: Case) -> None:
    *before, last = [ground.job(job_id) for job_id in case.jobs]
    assert [job.outcome for job in before] == [Outcome.SUCCEEDED] * len(before), case
    assert last.custom_job is not None, f"{case}: {last.state}"
    assert ground.inbox(case.resource) == [], case
    left = ground.resource(case.resource).unannounced
    assert left == {}, f"{case}: {[job.history for job in (*before, last)]}"
    check_announced(ground, case)


def check_announced(ground: Ground, case: Case) -> None:
    """Every change of state at least once."""
    for job_id in case.jobs:
        every = {entry.sequence for entry in ground.job(job_id).history}
        wait_for(
            lambda job_id=job_id, every=every: every <= ground.announced().get(job_id, set()),
            f"all of {job_id} to be announced ({case})",
        )


def check_replicas(ground: Ground, cases: Iterable[Case]) -> None:
    """Occupied is what runs: one custom job for each case, with the token of the one reservation."""
    alive = Counter((job.persistent_resource, job.labels[TOKEN_LABEL]) for job in ground.alive())
    for case in cases:
        resource = ground.resource(case.resource)
        mine = [token for name, token in alive.elements() if name == case.resource]
        assert mine == list(resource.reservations), case
        assert mine == [ground.job(case.jobs[-1]).token], case
        assert (resource.foreign, resource.surplus) == ({}, {}), case


def check_bell(ground: Ground, case: Case) -> None:
    """A request that comes later is taken up at once, and waits only for replicas."""
    case.jobs.append(f"{case.resource}-later")
    ground.deliver(ground.request(case.resource, case.jobs[-1]))
    assert ground.job(case.jobs[-1]).reason is Reason.NEEDS_REPLICAS, case
    assert ground.inbox(case.resource) == [], case


def bring_to_an_end(ground: Ground, cases: list[Case]) -> None:
    """By log lines alone: what runs ends, what waits starts and ends."""
    for index in (-2, -1):
        at_once(lambda case, index=index: end_job(ground, case.jobs[index]), cases)
    for case in cases:
        assert ground.resource(case.resource).reservations == {}, case
        check_announced(ground, case)


def end_job(ground: Ground, job_id: str) -> None:
    custom_job = ground.job(job_id).custom_job
    assert custom_job is not None, job_id
    ground.finish(custom_job)
    ground.deliver(ground.line_of(custom_job))
    assert ground.job(job_id).outcome is Outcome.SUCCEEDED, job_id


# --- the same with real functions


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KilledStack]:
    """In the end the checker must find nothing wrong in all that the tests made it do."""
    with killed_stack(tmp_path_factory.mktemp("killed"), resources=STACK_RESOURCES) as system:
        yield system
        system.stack.report().assert_nothing_found()


def test_a_worker_killed_after_its_create_call_is_replaced_and_a_sweep_finds_the_custom_job(
    stack: KilledStack,
) -> None:
    function = stack.stack.functions["job_requested"]
    before = function.workers()
    stack.order(Death(call="submitter.create", number=1, when=When.AFTER))
    stack.ask("killed", "lost")
    stack.wait_for_death()
    wait_for(lambda: set(function.workers()) - set(before), "another worker")

    stack.sweep_after_quiet_period()
    stack.wait_running("killed")

    stack.finish("killed")
    stack.wait_ended("killed")
    assert stack.lives("killed") == ["SUCCEEDED"]


@pytest.mark.parametrize("when", list(When))
def test_a_machine_lost_while_it_records_an_end_is_replaced_and_the_next_job_starts_without_a_sweep(
    when: When, stack: KilledStack
) -> None:
    first, following = f"first-{when}", f"next-{when}"
    stack.ask(first, when)
    stack.wait_running(first)
    stack.ask(following, when)
    stack.order(Death(call="documents.commit", number=1, when=when, function="job_ended", whole_group=True))
    stack.finish(first)
    stack.wait_for_death()
    stack.stack.kill("job_ended")
    stack.stack.restart("job_ended")

    stack.wait_ended(first)
    stack.finish(following)
    stack.wait_ended(following)
    assert (stack.lives(first), stack.lives(following)) == (["SUCCEEDED"], ["SUCCEEDED"])
