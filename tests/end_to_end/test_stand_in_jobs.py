"""Custom jobs of the stand-in, through the official client: their life, their replicas, their listings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from google.api_core import exceptions
from google.cloud.aiplatform_v1.types import JobState

from tests.end_to_end.stand_in_support import (
    client,
    custom_job,
    events,
    is_alive,
    output,
    parent,
    pool,
    python,
    start,
    states,
    wait_for,
    wait_for_event,
    wait_for_state,
    worker_pool_spec,
)


def test_a_job_goes_through_its_states_and_leaves_its_output(tmp_path: Path, demo_project: str) -> None:
    with start(tmp_path, demo_project, project_numbers={demo_project: "123456789012"}) as stand_in:
        service = client(stand_in)
        request = custom_job(worker_pool_spec(python("print('learned')")), labels={"a": "b"})

        created = service.create_custom_job(parent=parent(demo_project), custom_job=request, timeout=10)
        wait_for_state(stand_in, created.name, "SUCCEEDED")
        ended = service.get_custom_job(name=created.name, timeout=10)

        assert created.state is JobState.JOB_STATE_PENDING
        assert created.name.startswith("projects/123456789012/locations/us-central1/customJobs/")
        assert len(created.name.rsplit("/", 1)[-1]) == 19
        assert states(stand_in, created.name) == ["QUEUED", "PENDING", "RUNNING", "SUCCEEDED"]
        assert ended.state is JobState.JOB_STATE_SUCCEEDED
        assert created.create_time <= ended.start_time <= ended.end_time
        assert dict(ended.labels) == {"a": "b"}
        assert output(stand_in, created.name) == "learned\n"


def test_the_primarys_exit_code_decides_and_is_told(tmp_path: Path, demo_project: str) -> None:
    with start(tmp_path, demo_project) as stand_in:
        service = client(stand_in)
        request = custom_job(worker_pool_spec(python("raise SystemExit(3)")))

        created = service.create_custom_job(parent=parent(demo_project), custom_job=request, timeout=10)
        wait_for_state(stand_in, created.name, "FAILED")

        error = service.get_custom_job(name=created.name, timeout=10).error
        assert error.message == (
            "The replica workerpool0-0 exited with a non-zero status of 3. Termination reason: Error."
        )
        assert error.code == 3


def test_a_command_that_does_not_exist_fails_the_job(tmp_path: Path, demo_project: str) -> None:
    with start(tmp_path, demo_project) as stand_in:
        request = custom_job(worker_pool_spec(["no-such-command"]))

        created = client(stand_in).create_custom_job(
            parent=parent(demo_project), custom_job=request, timeout=10
        )

        wait_for_state(stand_in, created.name, "FAILED")
        assert "no-such-command" in output(stand_in, created.name)


def test_no_shell_reads_the_command(tmp_path: Path, demo_project: str) -> None:
    with start(tmp_path, demo_project) as stand_in:
        words = ["$HOME", "`id`", "$(id)", ";", "*", ">", "file"]
        program = python("import sys; print(sys.argv[1:])")
        request = custom_job(worker_pool_spec(program, args=words))

        created = client(stand_in).create_custom_job(
            parent=parent(demo_project), custom_job=request, timeout=10
        )

        wait_for_state(stand_in, created.name, "SUCCEEDED")
        assert output(stand_in, created.name) == f"{words}\n"


RENDEZVOUS = """
import json, os, socket, sys, time

spec = json.loads(os.environ["CLUSTER_SPEC"])
me = spec["task"]
hosts = [host for pool in sorted(spec["cluster"]) for host in spec["cluster"][pool]]
own = spec["cluster"][me["type"]][me["index"]]
address = lambda host: (host.split(":")[0], int(host.split(":")[1]))
if me == {"type": "workerpool0", "index": 0}:
    server = socket.create_server(address(own))
    total = 0
    for _ in hosts[1:]:
        connection, _ = server.accept()
        total += int(connection.recv(100))
        connection.sendall(b"thanks")
        connection.close()
    print("sum", total)
else:
    for attempt in range(1000):
        try:
            connection = socket.create_connection(address(hosts[0]))
            break
        except OSError:
            time.sleep(0.01)
    connection.sendall(str(10 ** (hosts.index(own) - 1)).encode())
    connection.recv(100)
"""


def test_replicas_of_a_distributed_job_find_each_other(tmp_path: Path, demo_project: str) -> None:
    with start(tmp_path, demo_project, pool(4)) as stand_in:
        specs = [worker_pool_spec(python(RENDEZVOUS)), worker_pool_spec(python(RENDEZVOUS), replicas=3)]

        created = client(stand_in).create_custom_job(
            parent=parent(demo_project), custom_job=custom_job(*specs), timeout=10
        )

        wait_for_state(stand_in, created.name, "SUCCEEDED")
        assert output(stand_in, created.name) == "sum 111\n"
        replicas = {each["replica"] for each in events(stand_in, "replica_started")}
        assert replicas == {"workerpool0-0", "workerpool1-0", "workerpool1-1", "workerpool1-2"}


def test_the_other_replicas_end_with_the_primary(tmp_path: Path, demo_project: str) -> None:
    with start(tmp_path, demo_project, pool(3)) as stand_in:
        specs = [worker_pool_spec(), worker_pool_spec(["sleep", "600"], replicas=2)]

        created = client(stand_in).create_custom_job(
            parent=parent(demo_project), custom_job=custom_job(*specs), timeout=10
        )

        wait_for_state(stand_in, created.name, "SUCCEEDED")
        assert not [each for each in events(stand_in, "replica_started") if is_alive(each["pid"])]


STUBBORN = """
import os, signal, subprocess, sys, time

signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]])
print(child.pid, flush=True)
time.sleep(600)
"""
STUBBORN_CHILD = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"


@pytest.mark.requires("linux")
def test_cancel_ends_every_process_even_stubborn_children(tmp_path: Path, demo_project: str) -> None:
    with start(tmp_path, demo_project, timings={"kill_grace_seconds": 0.2}) as stand_in:
        service = client(stand_in)
        request = custom_job(worker_pool_spec(python(STUBBORN), args=[STUBBORN_CHILD]))
        created = service.create_custom_job(parent=parent(demo_project), custom_job=request, timeout=10)
        pid = wait_for_event(stand_in, "replica_started")["pid"]
        child = int(wait_for(lambda: output(stand_in, created.name), "the child's pid"))

        service.cancel_custom_job(name=created.name, timeout=10)
        wait_for_state(stand_in, created.name, "CANCELLED")

        assert states(stand_in, created.name)[-2:] == ["CANCELLING", "CANCELLED"]
        assert service.get_custom_job(name=created.name, timeout=10).error.code == 1
        assert not is_alive(pid)
        wait_for(lambda: not is_alive(child), "the child's end")


def test_a_job_waits_for_replicas_and_starts_on_release(tmp_path: Path, demo_project: str) -> None:
    with start(tmp_path, demo_project, pool(1)) as stand_in:
        service = client(stand_in)
        sleeper = custom_job(worker_pool_spec(["sleep", "600"]))
        first = service.create_custom_job(parent=parent(demo_project), custom_job=sleeper, timeout=10)
        second = service.create_custom_job(parent=parent(demo_project), custom_job=custom_job(), timeout=10)
        wait_for_state(stand_in, first.name, "RUNNING")
        assert states(stand_in, second.name) == ["QUEUED", "PENDING"]

        service.cancel_custom_job(name=first.name, timeout=10)

        wait_for_state(stand_in, second.name, "SUCCEEDED")
        kinds = [
            each["event"]
            for each in stand_in.journal()
            if each["event"] in ("replicas_taken", "replicas_released", "over_capacity")
        ]
        assert kinds == [
            "replicas_taken",
            "over_capacity",
            "replicas_released",
            "replicas_taken",
            "replicas_released",
        ]


def test_a_timeout_ends_the_job(tmp_path: Path, demo_project: str) -> None:
    with start(tmp_path, demo_project) as stand_in:
        service = client(stand_in)
        scheduling = {"scheduling": {"timeout": {"nanos": 200_000_000}}}
        request = custom_job(worker_pool_spec(["sleep", "600"]), job_spec=scheduling)

        created = service.create_custom_job(parent=parent(demo_project), custom_job=request, timeout=10)

        wait_for_state(stand_in, created.name, "FAILED")
        assert service.get_custom_job(name=created.name, timeout=10).error.code == 4


def test_listings_page_filter_and_mask(tmp_path: Path, demo_project: str) -> None:
    with start(tmp_path, demo_project, pool(9), behaviour={"run_processes": False}) as stand_in:
        service = client(stand_in)
        for number in range(7):
            request = custom_job(name=f"job-{number}", labels={"parity": "odd" if number % 2 else "even"})
            service.create_custom_job(parent=parent(demo_project), custom_job=request, timeout=10)

        def names(**request: object) -> list[str]:
            listed = service.list_custom_jobs(request={"parent": parent(demo_project), **request}, timeout=10)
            return [each.display_name for each in listed]

        assert names(page_size=2) == [f"job-{number}" for number in reversed(range(7))]
        assert len(events(stand_in, "request", rpc="ListCustomJobs")) == 4
        assert names(filter='labels.parity="odd" AND display_name!="job-3"') == ["job-5", "job-1"]
        masked = service.list_custom_jobs(
            request={"parent": parent(demo_project), "read_mask": {"paths": ["name", "create_time"]}}
        )
        first = next(iter(masked))
        assert first.name
        assert first.create_time
        assert not first.display_name
        with pytest.raises(exceptions.BadRequest):
            names(filter="nonsense")


def test_simulated_jobs_end_by_their_clock_or_on_command(tmp_path: Path, demo_project: str) -> None:
    with start(tmp_path, demo_project, pool(9), behaviour={"run_processes": False}) as stand_in:
        service = client(stand_in)

        def create(**env: str) -> str:
            variables = [{"name": name, "value": value} for name, value in env.items()]
            request = custom_job(worker_pool_spec(env=variables))
            return service.create_custom_job(parent=parent(demo_project), custom_job=request, timeout=10).name

        good = create(STAND_IN_SECONDS="0.05")
        bad = create(STAND_IN_SECONDS="0.05", STAND_IN_EXIT_CODE="9")
        endless = create()

        wait_for_state(stand_in, good, "SUCCEEDED")
        wait_for_state(stand_in, bad, "FAILED")
        wait_for_state(stand_in, endless, "RUNNING")
        ended = stand_in.finish(custom_job=endless, state="JOB_STATE_EXPIRED", error={"code": 4})
        assert ended["state"] == "JOB_STATE_EXPIRED"
        assert service.get_custom_job(name=endless, timeout=10).state is JobState.JOB_STATE_EXPIRED
        assert not events(stand_in, "replica_started")


def test_an_ended_job_can_be_deleted_and_a_live_one_not(tmp_path: Path, demo_project: str) -> None:
    with start(tmp_path, demo_project, behaviour={"run_processes": False}) as stand_in:
        service = client(stand_in)
        name = service.create_custom_job(
            parent=parent(demo_project), custom_job=custom_job(), timeout=10
        ).name
        with pytest.raises(exceptions.BadRequest):
            service.delete_custom_job(name=name, timeout=10)
        stand_in.finish(custom_job=name, state="JOB_STATE_SUCCEEDED")

        service.delete_custom_job(name=name, timeout=10).result(timeout=10)

        with pytest.raises(exceptions.NotFound):
            service.get_custom_job(name=name, timeout=10)
        assert not list(service.list_custom_jobs(parent=parent(demo_project), timeout=10))


@pytest.mark.parametrize(
    ("request_", "error", "words"),
    [
        ({"display_name": ""}, exceptions.BadRequest, "Required field is not set"),
        (
            custom_job(worker_pool_spec(replicas=2)),
            exceptions.BadRequest,
            "replica count of the first worker pool must be 1",
        ),
        (
            custom_job(worker_pool_spec(), worker_pool_spec(replicas=2)),
            exceptions.BadRequest,
            "more than the 2",
        ),
        (
            custom_job({**worker_pool_spec(), "disk_spec": {"boot_disk_type": "pd-standard"}}),
            exceptions.BadRequest,
            "No resource pool",
        ),
        (
            custom_job(job_spec={"persistent_resource_id": "other"}),
            exceptions.NotFound,
            "PersistentResource other does not exist",
        ),
    ],
)
def test_what_can_never_run_is_refused(
    tmp_path: Path, demo_project: str, request_: dict, error: type[Exception], words: str
) -> None:
    with start(tmp_path, demo_project) as stand_in:
        with pytest.raises(error, match=words):
            client(stand_in).create_custom_job(parent=parent(demo_project), custom_job=request_, timeout=10)

        assert not events(stand_in, "custom_job_created")


def test_log_lines_are_written_and_the_sinks_ones_published(tmp_path: Path, demo_project: str) -> None:
    published: list[tuple[bytes, dict]] = []
    with start(tmp_path, demo_project, publish=lambda *message: published.append(message)) as stand_in:
        created = client(stand_in).create_custom_job(
            parent=parent(demo_project), custom_job=custom_job(), timeout=10
        )
        wait_for(lambda: published, "a published line")
        job_id = created.name.rsplit("/", 1)[-1]

        ((payload, attributes),) = published
        entry = json.loads(payload)
        assert entry["textPayload"] == "Job completed successfully."
        assert entry["logName"] == f"projects/{demo_project}/logs/ml.googleapis.com%2F{job_id}"
        assert entry["resource"] == {
            "type": "ml_job",
            "labels": {"job_id": job_id, "project_id": demo_project, "task_name": "service"},
        }
        assert attributes == {"logging.googleapis.com/timestamp": entry["timestamp"]}
        written = (tmp_path / "stand_in" / "logs" / f"{job_id}.jsonl").read_text(encoding="utf-8")
        texts = [json.loads(line)["textPayload"] for line in written.splitlines()]
        assert texts[0] == "Waiting for job to be provisioned."
        assert "Task completed. Exit code (0). Exit reason (SUCCEEDED)" in texts
        assert texts[-1] == "Job completed successfully."


def test_images_have_the_entry_points_they_are_given(tmp_path: Path, demo_project: str) -> None:
    images = {"demo/known": ["python3", "-c", "import sys; print(sys.argv[1:])"]}
    with start(tmp_path, demo_project, images=images) as stand_in:
        service = client(stand_in)

        def create(image: str) -> str:
            request = custom_job(worker_pool_spec([], image_uri=image, args=["--lr=1"]))
            return service.create_custom_job(parent=parent(demo_project), custom_job=request, timeout=10).name

        known, unknown = create("demo/known:1"), create("demo/unknown:1")

        wait_for_state(stand_in, known, "SUCCEEDED")
        wait_for_state(stand_in, unknown, "FAILED")
        assert output(stand_in, known) == "['--lr=1']\n"


def test_replicas_are_told_of_buckets_and_start_where_they_should(tmp_path: Path, demo_project: str) -> None:
    buckets = tmp_path / "buckets"
    program = "import os; print(os.environ['STAND_IN_BUCKETS'], os.environ['COLOUR'], os.getcwd())"
    settings = {"buckets": buckets, "working_directory": tmp_path, "environment": {"COLOUR": "red"}}
    with start(tmp_path, demo_project, **settings) as stand_in:
        created = client(stand_in).create_custom_job(
            parent=parent(demo_project), custom_job=custom_job(worker_pool_spec(python(program))), timeout=10
        )

        wait_for_state(stand_in, created.name, "SUCCEEDED")
        assert output(stand_in, created.name) == f"{buckets} red {tmp_path}\n"
