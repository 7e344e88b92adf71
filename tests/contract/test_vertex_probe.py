"""The probe of a real project, end to end against the stand-in."""

import json

import pytest

from infra.local.vertex import StandIn
from infra.probe_vertex.__main__ import main
from infra.probe_vertex.questions import CREATES, LOGS, READS

MACHINE = {"machineType": "n1-standard-4", "acceleratorType": "NVIDIA_TESLA_T4", "acceleratorCount": 1}
DISK = {"bootDiskType": "pd-ssd", "bootDiskSizeGb": 100}


@pytest.fixture
def stand_in(tmp_path, demo_project):
    pool = {"id": "a", "machine_spec": MACHINE, "disk_spec": DISK, "replica_count": 3}
    resource = {"project": demo_project, "location": "us-central1", "id": "gpu-a", "pools": [pool]}
    with StandIn(tmp_path / "stand-in", [resource]) as running:
        yield running


@pytest.fixture
def probe(stand_in, tmp_path, demo_project):
    """Runs the command; its exit code and what was observed."""

    def run(*arguments, resource="gpu-a"):
        report = tmp_path / "report.json"
        code = main(
            [
                f"--project={demo_project}",
                f"--persistent-resource={resource}",
                f"--endpoint={stand_in.endpoint}",
                f"--report={report}",
                "--poll-seconds=0.02",
                "--patience-seconds=20",
                "--short-seconds=1",
                *arguments,
            ]
        )
        if not report.exists():
            return code, {}
        found = json.loads(report.read_text())["observations"]
        return code, {each["question"]: each["observed"] for each in found}

    return run


def created(stand_in):
    return [each for each in stand_in.journal() if each["event"] == "custom_job_created"]


def test_every_question_is_answered_and_nothing_left_behind(probe, capsys, tmp_path):
    code, observed = probe("--yes")
    assert code == 0
    assert list(observed) == [question.name for question in (*READS, *CREATES, *LOGS)]
    assert not [name for name, text in observed.items() if text.startswith("not answered")]
    assert "429" not in observed["over_capacity"]
    assert observed["over_capacity"].startswith("accepted as JOB_STATE_PENDING")
    assert "JOB_STATE_SUCCEEDED" in observed["over_capacity"]
    assert "taken as: not_ready" in observed["missing_resource"]
    assert "taken as: terminal" in observed["other_machine"]
    assert "error 4" in observed["timeout"]
    assert json.loads((tmp_path / "report.json").read_text())["left_behind"] == []
    assert "What happens to a custom job on a full pool?" in capsys.readouterr().out


def test_reading_creates_nothing(probe, stand_in):
    code, observed = probe("--read-only")
    assert code == 0
    assert list(observed) == [question.name for question in READS]
    assert created(stand_in) == []


def test_a_full_pool_that_refuses_is_observed_too(probe, stand_in):
    stand_in.behave(over_capacity="reject")
    code, observed = probe("--yes", "--only=over_capacity")
    assert code == 0
    assert "429 RESOURCE_EXHAUSTED" in observed["over_capacity"]
    assert "taken as: capacity" in observed["over_capacity"]


def test_a_resource_that_reboots_is_asked_about(probe, stand_in):
    stand_in.set_state(resource="gpu-a", state="REBOOTING")
    _, observed = probe("--yes", "--only=resource_not_running")
    assert "in state REBOOTING: 400 FAILED_PRECONDITION" in observed["resource_not_running"]
    assert "taken as: not_ready" in observed["resource_not_running"]


def test_the_request_limit_is_exceeded_only_on_demand(probe, stand_in):
    stand_in.behave(quota={"submissions_per_minute": 3})
    code, observed = probe("--yes", "--rate-limit", "--only=request_rate")
    assert code == 0
    assert observed["request_rate"].startswith("after 4 creates: 429")
    assert created(stand_in) == []


def test_a_question_that_needs_a_job_tells_why_there_is_none(probe, stand_in):
    stand_in.behave(errors=[{"method": "CreateCustomJob", "status": 503}])
    _, observed = probe("--yes", "--only=exit_code")
    assert observed["exit_code"].startswith("not answered: the custom job it needs was refused: 503")


def test_without_consent_nothing_is_created(probe, stand_in, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda _: "no")
    code, _ = probe()
    assert code == 2
    assert created(stand_in) == []


def test_consent_is_the_typed_name_of_the_project(probe, demo_project, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda _: demo_project)
    code, observed = probe("--only=missing_resource")
    assert (code, list(observed)) == (0, ["missing_resource"])


def test_a_resource_that_is_not_there_ends_it(probe, capsys):
    code, _ = probe("--yes", resource="nobody")
    assert code == 2
    assert "Cannot read the persistent resource nobody" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--project=demo-x", "--persistent-resource=r"], "stand-ins only"),
        (["--project=real", "--persistent-resource=r", "--endpoint=http://127.0.0.1:1"], "begin with demo-"),
        (["--project=real"], "Name a persistent resource"),
        (["--project=real", "--persistent-resource=r", "--location=../x"], "not a region"),
    ],
)
def test_what_could_go_to_the_wrong_place_is_refused(arguments, told, capsys):
    assert main(arguments) == 2
    assert told in capsys.readouterr().err


def test_without_a_project_it_does_not_run(capsys):
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 2
    assert "--project" in capsys.readouterr().err
