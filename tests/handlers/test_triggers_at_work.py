from __future__ import annotations

import json

import pytest

from poolqueue.scheduling.jobs import Outcome, State
from poolqueue.triggers import CloudEventView, Triggers, load_triggers
from tests.support.installation import Installation

FILE = """
triggers:
  - name: arrived
    when: {type: google.cloud.storage.object.v1.finalized, attributes: {bucket: incoming, name: "*.csv"}}
    job:
      template:
        priority: 60
        custom_job:
          displayName: train-on-arrival
          jobSpec:
            persistentResourceId: shared
            workerPoolSpecs:
              - machineSpec: {machineType: n1-standard-4}
                replicaCount: 1
                containerSpec: {imageUri: demo/image, args: ["--data=gs://incoming/${data.name}"]}
"""


@pytest.fixture
def triggers() -> Triggers:
    return load_triggers(FILE)


def event(name: str = "a.csv", *, event_id: str = "1", **more) -> CloudEventView:
    return CloudEventView(
        id=event_id,
        source="//storage.googleapis.com/projects/_/buckets/incoming",
        type="google.cloud.storage.object.v1.finalized",
        subject=f"objects/{name}",
        time="2026-11-23T12:00:00Z",
        data={"bucket": "incoming", "name": name},
        **more,
    )


def jobs_of(installation: Installation) -> list[str]:
    return sorted({body["job_id"] for body in installation.outcome_messages()})


def test_an_arriving_object_starts_a_job_with_its_name(installation: Installation, triggers) -> None:
    installation.arrive(triggers, event())

    (job_id,) = jobs_of(installation)
    job = installation.job(job_id)
    assert job.state is State.SUBMITTED
    (spec,) = json.loads(job.custom_job_body)["jobSpec"]["workerPoolSpecs"]
    assert spec["containerSpec"]["args"] == ["--data=gs://incoming/a.csv"]
    assert job.priority == 60


def test_an_event_delivered_again_is_the_same_job(installation: Installation, triggers) -> None:
    installation.arrive(triggers, event())
    installation.arrive(triggers, event())

    assert len(jobs_of(installation)) == 1
    assert len(installation.events("custom_job_created")) == 1


def test_another_event_about_the_same_object_is_another_job(installation: Installation, triggers) -> None:
    installation.arrive(triggers, event(event_id="1"))
    installation.arrive(triggers, event(event_id="2"))

    assert len(jobs_of(installation)) == 2


def test_what_no_trigger_wants_starts_nothing(installation: Installation, triggers) -> None:
    installation.arrive(triggers, event("a.txt"))

    assert not installation.outcome_messages()


@pytest.mark.parametrize(
    "name",
    [
        '"}],"command":["rm"],"x":[{"y":".csv',
        "$(reboot).csv",
        "${data.bucket}.csv",
        "--flag.csv",
        "../../etc/passwd.csv",
        "ü☃ .csv",
        "'; drop table jobs; --.csv",
    ],
)
def test_a_hostile_object_name_stays_one_argument(installation: Installation, triggers, name: str) -> None:
    installation.arrive(triggers, event(name))

    (job_id,) = jobs_of(installation)
    (spec,) = json.loads(installation.job(job_id).custom_job_body)["jobSpec"]["workerPoolSpecs"]
    assert spec["containerSpec"] == {"imageUri": "demo/image", "args": [f"--data=gs://incoming/{name}"]}


def test_an_object_name_with_control_characters_is_a_recorded_refusal(
    installation: Installation, triggers
) -> None:
    installation.arrive(triggers, event("a\nb: c\n.csv"))

    (job_id,) = jobs_of(installation)
    assert installation.job(job_id).outcome is Outcome.REJECTED


def test_an_event_without_what_the_template_needs_is_a_recorded_refusal(installation: Installation) -> None:
    triggers = load_triggers(FILE.replace("${data.name}", "${data.generation}"))

    installation.arrive(triggers, event())

    (job_id,) = jobs_of(installation)
    assert installation.job(job_id).outcome is Outcome.REJECTED
    assert installation.job(job_id).problems


@pytest.mark.parametrize("time", [None, "yesterday", "2026-11-23T12:00:00"])
def test_an_event_without_a_usable_time_starts_its_job_now(
    installation: Installation, triggers, time
) -> None:
    fields = {**event().__dict__, "time": time}

    installation.arrive(triggers, CloudEventView(**fields))

    (job_id,) = jobs_of(installation)
    assert abs((installation.job(job_id).created - installation.clock()).total_seconds()) < 60


def test_an_event_for_a_team_that_was_taken_away_is_kept_with_the_reason(installation: Installation) -> None:
    """The triggers are those of the deployment, the teams those in force."""
    gone = load_triggers(FILE.replace("    job:", "    team: gone\n    job:"))
    installation.arrive(gone, event())
    installation.arrive(gone, event())

    (letter,) = installation.dead_letters()
    assert letter["topic"] == "trigger arrived"
    assert letter["problems"][0]["problem"] == "the settings in force have no such team"
    assert jobs_of(installation) == []
