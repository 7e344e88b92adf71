from __future__ import annotations

from handlers import job_requested
from poolqueue.scheduling.jobs import Outcome, Reason, State
from tests.support.installation import GPU, Installation, request, worker_pool_spec


def created(installation: Installation) -> int:
    return len(installation.events("custom_job_created"))


def namesakes(installation: Installation, job_id: str) -> list[dict]:
    return [body for body in installation.outcome_messages() if body["job_id"].startswith(f"{job_id}.")]


def test_a_message_delivered_again_is_one_job(installation: Installation) -> None:
    delivery = installation.ask(request("first"))

    job_requested.handle(installation.system, delivery)

    assert created(installation) == 1
    assert installation.states("first") == ["queued", "reserved", "submitted"]


def test_a_message_delivered_again_after_its_job_ended_starts_nothing(installation: Installation) -> None:
    delivery = installation.ask(request("first"))
    installation.finish("first")

    job_requested.handle(installation.system, delivery)

    assert created(installation) == 1
    assert installation.job("first").outcome is Outcome.SUCCEEDED


def test_a_message_without_an_id_delivered_again_is_one_job(installation: Installation) -> None:
    delivery = installation.ask(request())

    job_requested.handle(installation.system, delivery)

    assert created(installation) == 1


def test_two_messages_without_an_id_are_two_jobs(installation: Installation) -> None:
    installation.ask(request())
    installation.ask(request())

    assert created(installation) == 2


def test_the_same_content_in_another_message_changes_nothing(installation: Installation) -> None:
    installation.ask(request("first"))
    before = installation.job("first")
    said = len(installation.outcome_messages())

    installation.ask(request("first"))

    assert installation.job("first") == before
    assert created(installation) == 1
    assert len(installation.outcome_messages()) == said


def test_the_same_content_in_another_spelling_is_the_same_request(installation: Installation) -> None:
    installation.ask(request("first"))
    spec = worker_pool_spec()
    snake = {"replica_count": 1, "machine_spec": {"machine_type": "n1-standard-4"}}
    snake |= {
        "container_spec": {"image_uri": "demo/image", "command": ["true"]},
        "disk_spec": {"boot_disk_type": "pd-ssd", "boot_disk_size_gb": 100},
    }
    assert spec["machineSpec"]["machineType"] == "n1-standard-4"

    installation.ask(request("first", snake))

    assert not namesakes(installation, "first")
    assert created(installation) == 1


def test_other_content_under_the_same_id_is_a_recorded_refusal_and_the_first_is_untouched(
    installation: Installation,
) -> None:
    installation.ask(request("first"))
    before = installation.job("first")

    installation.ask(request("first", priority=9))

    assert installation.job("first") == before
    (refusal,) = namesakes(installation, "first")
    assert (refusal["state"], refusal["outcome"], refusal["reason"]) == ("ended", "rejected", "id_taken")
    assert refusal["problems"][0]["path"] == "job_id"
    assert installation.job(refusal["job_id"]).reason is Reason.ID_TAKEN


def test_a_refused_namesake_delivered_again_is_one_refusal(installation: Installation) -> None:
    installation.ask(request("first"))
    delivery = installation.ask(request("first", priority=9))

    job_requested.handle(installation.system, delivery)

    assert len({body["job_id"] for body in namesakes(installation, "first")}) == 1


def test_a_malformed_message_under_a_taken_id_tells_both(installation: Installation) -> None:
    installation.ask(request("first"))

    installation.ask({"job_id": "first", "custom_job": {"displayName": "x"}})

    (refusal,) = namesakes(installation, "first")
    assert refusal["reason"] == "id_taken"
    assert next(problem["path"] for problem in refusal["problems"]) == "job_id"
    assert len(refusal["problems"]) > 1
    assert installation.job("first").state is State.SUBMITTED


def test_an_id_may_be_used_again_after_a_refusal(installation: Installation) -> None:
    installation.ask(request("again", worker_pool_spec(machine=GPU)))
    assert installation.job("again").outcome is Outcome.REJECTED

    installation.ask(request("again"))

    assert installation.job("again").state is State.SUBMITTED
    sequences = [body["sequence"] for body in installation.outcomes("again")]
    assert sequences == sorted(set(sequences))


def test_an_id_may_be_used_again_after_a_malformed_request(installation: Installation) -> None:
    installation.ask({"job_id": "again", "custom_job": {}})
    installation.ask(request("again"))

    assert installation.job("again").state is State.SUBMITTED
    assert [body["state"] for body in installation.outcomes("again")][:2] == ["ended", "queued"]


def test_a_refused_message_that_comes_late_once_more_leaves_its_successor_alone(
    installation: Installation,
) -> None:
    refused = installation.ask(request("again", worker_pool_spec(machine=GPU)))
    installation.ask(request("again"))

    job_requested.handle(installation.system, refused)

    assert installation.job("again").state is State.SUBMITTED
    assert created(installation) == 1


def test_the_same_id_of_two_teams_is_two_jobs(installing) -> None:
    teams = [{"name": "research", "topics": ["job-requests"]}, {"name": "vision", "topics": ["vision"]}]
    installation = installing(settings={"teams": teams})

    installation.ask(request("first"))
    installation.ask(request("first", priority=9), topic="vision")

    assert installation.job("first").state is State.SUBMITTED
    assert installation.job("first", team="vision").state is State.SUBMITTED
