"""Forecasts through the sweep: made once, scored when the job starts, and never in the way of anything."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest

from handlers import swept
from poolqueue.ports import Conflict
from poolqueue.records import forecasts_path, read_run_times, read_scorecard, run_times_path, write_run_times
from poolqueue.scheduling.run_times import Outcome
from poolqueue.scheduling.scorecard import Scorecard
from poolqueue.scheduling.traits import Traits
from tests.support.faults import Death, Killed, mortal
from tests.support.installation import Installation, request, worker_pool_spec

HALF_AN_HOUR = 1_800.0


def card(installation: Installation) -> Scorecard:
    return read_scorecard(installation.documents.read([forecasts_path(installation.name)])[0].fields)


def teach(installation: Installation, traits: Traits, *, times: int = 20) -> None:
    document = installation.documents.read([run_times_path(installation.name)])[0]
    run_times = read_run_times(document.fields)
    for _ in range(times):
        run_times.learn(Outcome(traits=traits, seconds=HALF_AN_HOUR))
    installation.documents.commit([document.written(write_run_times(run_times))])


def fill(installation: Installation, *waiting: str) -> None:
    """A job runs on both replicas, and others wait for them; jobs like them take half an hour."""
    installation.ask(request("first", worker_pool_spec(), worker_pool_spec()))
    installation.wait_running("first")
    teach(installation, installation.job("first").traits)
    for job_id in waiting:
        installation.ask(request(job_id, worker_pool_spec(), worker_pool_spec()))


def test_a_sweep_forecasts_a_waiting_job_once(installation: Installation) -> None:
    fill(installation, "second")
    installation.sweep()
    first = card(installation)
    installation.clock.advance(seconds=60)
    installation.sweep()

    assert [*first.open] == ["research.second"]
    told = first.open["research.second"]
    assert 600 < told.p50 <= told.p90 < 4 * HALF_AN_HOUR
    assert told.basis == 20
    assert card(installation).open == first.open


def test_its_start_is_scored(installation: Installation) -> None:
    fill(installation, "second")
    installation.sweep()
    told = card(installation).open["research.second"]
    installation.clock.advance(seconds=(told.p50 + told.p90) / 2)
    installation.finish("first")
    installation.sweep()
    installation.sweep()

    after = card(installation)
    assert after.open == {}
    assert (after.totals.scored, after.totals.within_p50, after.totals.within_p90) == (1, 0, 1)
    assert after.scores[0].waited == pytest.approx((told.p50 + told.p90) / 2, abs=20)


def test_a_job_that_started_and_ended_between_sweeps_is_scored_too(installation: Installation) -> None:
    fill(installation, "second")
    installation.sweep()
    installation.finish("first")
    installation.finish("second")
    installation.sweep()

    assert card(installation).totals.scored == 1
    assert card(installation).scores[0].waited < 60


def test_a_job_that_ends_without_a_start_is_withdrawn(installation: Installation) -> None:
    fill(installation, "second", "third")
    installation.sweep()
    installation.command(kind="cancel", job_id="second")
    installation.sweep()

    after = card(installation)
    assert [*after.open] == ["research.third"]
    assert (after.totals.withdrawn, after.totals.scored) == (1, 0)


def test_without_similar_runs_nothing_is_forecast(installation: Installation) -> None:
    installation.ask(request("first", worker_pool_spec(), worker_pool_spec()))
    installation.ask(request("second"))
    installation.sweep()

    assert card(installation).open == {}
    assert card(installation).looked is not None


def test_no_waiting_jobs_document_is_written_for_it(installation: Installation) -> None:
    fill(installation, "second")
    before = installation.job("second")
    installation.sweep()

    assert card(installation).open
    assert installation.job("second") == before


class _OutrunForecasts:
    """Somebody else has always written the forecasts a moment before."""

    def __init__(self, documents) -> None:
        self._documents = documents

    def __getattr__(self, name):
        return getattr(self._documents, name)

    def commit(self, writes):
        if any(write.path.startswith("forecasts/") for write in writes):
            raise Conflict
        return self._documents.commit(writes)


def test_a_sweep_that_is_outrun_leaves_it_to_the_other(installation: Installation) -> None:
    fill(installation, "second")
    outrun = replace(installation.system, documents=_OutrunForecasts(installation.documents))
    swept.handle(outrun, installation.delivery("sweeps", b"{}"))
    assert card(installation) == Scorecard()

    installation.sweep()
    assert [*card(installation).open] == ["research.second"]


@pytest.mark.parametrize("after_effect", [False, True])
@pytest.mark.parametrize("from_the_end", range(5))
def test_a_sweep_that_dies_on_the_way_scores_nothing_twice(
    installation: Installation, from_the_end: int, *, after_effect: bool
) -> None:
    fill(installation, "second", "third")
    installation.sweep()
    installation.finish("first")
    counted = Death(at=1_000)
    delivery = installation.delivery("sweeps", b"{}")
    swept.handle(mortal(installation.system, counted), delivery)
    assert card(installation).totals.scored == 1
    installation.finish("second")
    death = Death(at=counted.calls - from_the_end, after_effect=after_effect)
    with suppress(Killed):
        swept.handle(mortal(installation.system, death), delivery)
    installation.sweep()

    after = card(installation)
    assert (after.totals.scored, len(after.scores), after.totals.withdrawn) == (2, 2, 0)
    assert after.open == {}


def test_an_idle_resource_has_no_document(installation: Installation) -> None:
    installation.ask(request("only"))
    installation.finish("only")
    installation.sweep()
    installation.sweep()

    assert not installation.documents.read([forecasts_path(installation.name)])[0].exists
