"""`poolctl submit` on a whole installation: what it publishes; its dry run says what then happens."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from handlers import job_requested
from poolqueue.cli.failures import Exit
from poolqueue.scheduling.jobs import Outcome, State
from tests.handlers.test_poolctl import TWO_POOLS, Poolctl, fill
from tests.support.installation import GPU, Installation, request, worker_pool_spec

TEAMS = [
    {"name": "research", "topics": ["job-requests"], "priority": {"maximum": 60}},
    {"name": "vision", "topics": ["job-requests.vision"]},
]


class RequestingPublisher:
    """Delivers each request at once, as a push subscription would."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self.published: list[tuple[str, bytes, Mapping[str, str]]] = []

    def publish(self, topic: str, body: bytes, attributes: Mapping[str, str]) -> None:
        self.published.append((topic, body, attributes))
        delivery = self._installation.delivery(topic.rsplit("/", 1)[-1], body, attributes)
        job_requested.handle(self._installation.system, delivery)

    def publish_all(self, messages: Any) -> None:
        for message in messages:
            self.publish(message.topic, message.body, message.attributes)


@pytest.fixture
def installation(tmp_path: Path, demo_project: str) -> Iterator[Installation]:
    with Installation(tmp_path, demo_project, pools=TWO_POOLS, settings={"teams": TEAMS}) as installation:
        installation.sweep()
        yield installation


@pytest.fixture
def poolctl(installation: Installation) -> Poolctl:
    poolctl = Poolctl(installation)
    poolctl.publisher = RequestingPublisher(installation)
    return poolctl


@pytest.fixture
def file_of(tmp_path: Path) -> Callable[[Any], str]:
    def write(body: Any) -> str:
        path = tmp_path / "request.json"
        path.write_text(body if isinstance(body, str) else json.dumps(body))
        return str(path)

    return write


def tried(poolctl: Poolctl, *arguments: str, exit_code: int = Exit.DONE) -> list[dict[str, Any]]:
    told = poolctl("submit", "--dry-run", "--json", *arguments, exit_code=exit_code)
    trials: list[dict[str, Any]] = json.loads(told)["trials"]
    return trials


# --- publishing ------------------------------------------------------------------------------------------


def test_a_request_is_published_to_its_teams_topic_as_it_is(
    installation: Installation, poolctl: Poolctl, file_of: Callable[[Any], str]
) -> None:
    path = file_of(request("one"))
    told = poolctl("submit", path, "--team", "research", "--attribute", "priority=7")
    ((topic, body, attributes),) = poolctl.publisher.published

    assert told.startswith("published as job one of team research\n")
    assert topic == f"projects/{installation.project}/topics/job-requests"
    assert body == Path(path).read_bytes()
    assert attributes == {"priority": "7"}
    assert installation.job("one").priority == 7


def test_a_request_without_an_id_gets_one_and_the_topic_says_whose_it_is(
    installation: Installation, poolctl: Poolctl, file_of: Callable[[Any], str]
) -> None:
    told = poolctl("submit", file_of(request()), "--topic", "job-requests.vision")
    job_id = told.split()[3]

    assert installation.job(job_id, team="vision").state is State.SUBMITTED


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "whose request? Give --team"),
        (("--team", "nobody"), "no such team; there are research, vision"),
        (("--topic", "other"), "it belongs to no team"),
        (("--team", "research", "--attribute", "priority"), "give NAME=VALUE"),
        (("--team", "research", "--replicas", "2"), "add --dry-run"),
        (("--team", "research", "--dry-run", "--grow", "gpus"), "is not POOL=N"),
        (("--team", "research", "--dry-run", "--pool", "tpus"), "no pool tpus on shared: "),
        (("--team", "research", "--dry-run", "--resource", "Not A Name"), "no persistent resource's name"),
    ],
)
def test_wrong_usage_publishes_nothing(
    poolctl: Poolctl, file_of: Callable[[Any], str], arguments: tuple[str, ...], said: str
) -> None:
    told = poolctl("submit", file_of(request("one")), *arguments, exit_code=Exit.USAGE)

    assert said in " ".join(told.split())
    assert poolctl.publisher.published == []


def test_a_malformed_request_is_told_instead_of_published(
    poolctl: Poolctl, file_of: Callable[[Any], str]
) -> None:
    path = file_of({**request("one"), "priority": 101})
    told = poolctl("submit", path, "--team", "research", exit_code=Exit.REFUSED)

    assert "priority 101: " in told
    assert "nothing was published" in told
    assert poolctl.publisher.published == []
    assert "No such file" in poolctl("submit", "/no/file", "--team", "research", exit_code=Exit.USAGE)


# --- the dry run -----------------------------------------------------------------------------------------


def test_a_dry_run_tells_what_then_happens_and_changes_nothing(
    installation: Installation, poolctl: Poolctl, file_of: Callable[[Any], str]
) -> None:
    fill(installation)
    path = file_of(request("third", worker_pool_spec(machine=GPU)))
    writes, alive = installation.documents.counts.writes, len(installation.alive())
    (trial,) = tried(poolctl, path, "--team", "research")

    assert trial["accepted"]
    assert trial["starts_now"]
    assert trial["delays"] == []
    assert installation.documents.counts.writes == writes
    assert len(installation.alive()) == alive
    assert poolctl.publisher.published == []

    poolctl("submit", path, "--team", "research")

    assert installation.job("third").state is State.SUBMITTED


def test_a_dry_run_tells_why_it_would_wait_and_whom_it_would_delay(
    installation: Installation, poolctl: Poolctl, file_of: Callable[[Any], str]
) -> None:
    fill(installation)
    path = file_of(request("third", priority=20))
    told = poolctl("submit", path, "--dry-run", "--team", "research")
    (trial,) = tried(poolctl, path, "--team", "research")

    assert "needs_replicas: small: needs 1, 0 free" in told
    assert "nothing was published" in told
    assert trial["starts"] > installation.clock().isoformat()
    assert [each["job_id"] for each in trial["delays"]] in ([], ["second"])


def test_variations_are_told_beside_what_was_asked_for(
    installation: Installation, poolctl: Poolctl, file_of: Callable[[Any], str]
) -> None:
    fill(installation)
    path = file_of(request("third"))
    varied = [
        "--pool",
        "gpus",
        "--grow",
        "small=2",
        "--priority",
        "61",
        "--priority",
        "60",
        "--replicas",
        "4",
    ]
    trials = {each["variation"]: each for each in tried(poolctl, path, "--team", "research", *varied)}
    told = poolctl("submit", path, "--dry-run", "--team", "research", *varied)

    assert not trials["as asked"]["starts_now"]
    assert trials["on pool gpus"]["starts_now"]
    assert trials["small grown by 2"]["starts_now"]
    assert trials["priority 61"]["refused_for"] == "not_allowed"
    assert trials["priority 60"]["accepted"]
    assert trials["4 replicas"]["refused_for"] == "above_capacity"
    assert "variation" in told
    assert "team research may use priorities from 0 to 60" in told


def test_a_dry_run_refuses_as_intake_does_with_all_problems(
    installation: Installation, poolctl: Poolctl, file_of: Callable[[Any], str]
) -> None:
    fill(installation)
    path = file_of({**request("third", worker_pool_spec(machine={"machineType": "a2"})), "priority": 99})
    (trial,) = tried(poolctl, path, "--team", "research", exit_code=Exit.REFUSED)
    poolctl("submit", path, "--team", "research")
    refused = installation.job("third")

    assert refused.outcome is Outcome.REJECTED
    assert trial["refused_for"] == str(refused.reason)
    assert [each["path"] for each in trial["problems"]] == [each["path"] for each in refused.problems]
    assert len(trial["problems"]) == 2


def test_a_dry_run_knows_duplicates_and_ids_that_are_taken(
    installation: Installation, poolctl: Poolctl, file_of: Callable[[Any], str]
) -> None:
    fill(installation)
    (same,) = tried(poolctl, file_of(request("second", priority=7)), "--team", "research")
    (taken,) = tried(poolctl, file_of(request("second")), "--team", "research", exit_code=Exit.REFUSED)

    assert same["duplicate"]
    assert taken["refused_for"] == "id_taken"


def test_a_dry_run_of_what_belongs_to_no_job_or_to_an_unknown_resource(
    poolctl: Poolctl, file_of: Callable[[Any], str]
) -> None:
    (bad,) = tried(poolctl, file_of("{"), "--team", "research", exit_code=Exit.REFUSED)
    elsewhere = request("one", job_spec={"persistentResourceId": "other"})
    told = poolctl("submit", file_of(elsewhere), "--dry-run", "--team", "research")

    assert bad["job_id"] is None
    assert "nothing is known of that resource yet" in told


def test_where_no_settings_are_known_a_topic_is_enough_to_publish_but_a_dry_run_has_no_rules(
    tmp_path: Path, demo_project: str, file_of: Callable[[Any], str]
) -> None:
    with Installation(tmp_path, demo_project, pools=TWO_POOLS) as installation:
        poolctl = Poolctl(installation)
        poolctl.publisher = RequestingPublisher(installation)
        path = file_of(request("one"))

        assert "by which rules?" in poolctl("submit", path, "--dry-run", exit_code=Exit.USAGE)
        assert "to which topic?" in poolctl("submit", path, exit_code=Exit.USAGE)
        poolctl("submit", path, "--topic", "job-requests")
        assert installation.job("one").state is State.SUBMITTED


# --- ties ------------------------------------------------------------------------------------------------


def test_a_dry_run_says_what_a_job_would_wait_for(
    installation: Installation, poolctl: Poolctl, file_of: Callable[[Any], str]
) -> None:
    installation.ask(request("a"))
    told = poolctl("submit", file_of(request("b", depends_on=["a"])), "--team", "research", "--dry-run")

    assert "waits for a; what follows is as if it were released now" in " ".join(told.split())
    assert installation.job("a").dependants == ()


def test_a_dry_run_says_that_a_job_would_end_at_once(
    installation: Installation, poolctl: Poolctl, file_of: Callable[[Any], str]
) -> None:
    installation.ask(request("a"))
    installation.finish("a", "FAILED")
    (trial,) = tried(
        poolctl,
        file_of(request("b", depends_on=["a"])),
        "--team",
        "research",
        exit_code=Exit.REFUSED,
    )

    assert trial["refused_for"] == "dependency_failed"
    assert trial["problems"][0]["problem"] == "it was to start once a had succeeded, which failed"


def test_a_dry_run_knows_who_has_a_serial_key(
    installation: Installation, poolctl: Poolctl, file_of: Callable[[Any], str]
) -> None:
    installation.ask(request("a", serial_key="resnet"))
    told = poolctl("submit", file_of(request("b", serial_key="resnet")), "--team", "research", "--dry-run")

    assert "serial key resnet: 1 at a time; a has it" in " ".join(told.split())


# --- from the flags of gcloud ----------------------------------------------------------------------------

FLAGS = (
    "--display-name=nightly",
    "--persistent-resource-id=shared",
    "--worker-pool-spec=machine-type=n1-standard-4,replica-count=1,container-image-uri=demo/image",
)


def test_the_flags_of_gcloud_make_a_request(installation: Installation, poolctl: Poolctl) -> None:
    told = poolctl("submit", "--team", "research", "-a", "job_id=nightly", "--json", "--", *FLAGS)

    assert json.loads(told)["job_id"] == "nightly"
    job = installation.job("nightly")
    assert (job.display_name, [each.replicas for each in job.demands]) == ("nightly", [1])


def test_flags_that_gcloud_would_refuse_are_refused_and_nothing_is_published(poolctl: Poolctl) -> None:
    poolctl("submit", "--team", "research", "--", *FLAGS, "--colour=red", exit_code=Exit.USAGE)
    told = poolctl("submit", "--team", "research", "--", *FLAGS, "--region=mars-1", exit_code=Exit.USAGE)

    assert "--region mars-1: jobs of team research run in us-central1" in told
    assert not poolctl.publisher.published
