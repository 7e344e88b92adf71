from __future__ import annotations

from poolqueue.config import Environment, parse_settings
from poolqueue.wiring import build_system

SETTINGS = """
installation: testing
project: demo-gpus
location: us-central1
teams: [{name: research, topics: [job-requests]}]
"""


def topic_of(environment: Environment) -> str:
    system = build_system(environment, parse_settings(SETTINGS, project=environment.project))
    return system.topic("job-outcomes")


def test_topics_lie_in_the_environments_project_whatever_the_jobs_is() -> None:
    environment = Environment(
        project="demo-queue",
        firestore_emulator_host="127.0.0.1:1",
        pubsub_emulator_host="127.0.0.1:1",
        vertex_endpoint="http://127.0.0.1:1",
    )

    assert topic_of(environment) == "projects/demo-queue/topics/job-outcomes"


def test_without_one_topics_lie_where_the_jobs_are() -> None:
    environment = Environment(
        firestore_emulator_host="127.0.0.1:1",
        pubsub_emulator_host="127.0.0.1:1",
        vertex_endpoint="http://127.0.0.1:1",
    )

    assert topic_of(environment) == "projects/demo-gpus/topics/job-outcomes"
