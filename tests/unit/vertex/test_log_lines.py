"""How the log sink's messages are read."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poolqueue.log_lines import MESSAGE_LIMIT_BYTES, EndedLine, ended_line

NUMBER = "3958704668489547776"


def entry(text="Job completed successfully.", **changes):
    fields = {
        "logName": "projects/demo-team/logs/workerpool0-0",
        "resource": {
            "type": "ml_job",
            "labels": {"job_id": NUMBER, "task_name": "service", "project_id": "demo-team"},
        },
        "textPayload": text,
    }
    return json.dumps({**fields, **changes}).encode()


def labelled(**labels):
    return {"type": "ml_job", "labels": {"job_id": NUMBER, "task_name": "service", **labels}}


def test_an_end_line_names_project_and_job():
    assert ended_line(entry()) == EndedLine(
        project="demo-team", job_number=NUMBER, location=None, text="Job completed successfully."
    )


@pytest.mark.parametrize(
    "text", ["Job failed.", "Job cancelled.", "Job canceled.", "Job failed", "Job failed.\n"]
)
def test_every_kind_of_end_is_known(text):
    assert ended_line(entry(text)).text == text.strip()


def test_the_text_may_come_as_a_json_payload():
    line = ended_line(entry(textPayload=None, jsonPayload={"message": "Job failed."}))
    assert line.text == "Job failed."


def test_labels_may_stand_beside_the_resource():
    labels = {"job_id": NUMBER, "task_name": "service", "project_id": "demo-team"}
    assert ended_line(entry(resource={"type": "ml_job"}, labels=labels)).job_number == NUMBER


def test_a_location_is_taken_where_the_line_has_one():
    assert ended_line(entry(resource=labelled(location="europe-west4"))).location == "europe-west4"


@pytest.mark.parametrize("location", ["global", "../x", "us-central1/../..", 7])
def test_a_location_that_is_no_region_is_unknown(location):
    assert ended_line(entry(resource=labelled(location=location))).location is None


def test_the_project_is_that_of_the_log_and_not_what_a_label_claims():
    assert ended_line(entry(resource=labelled(project_id="other-team"))).project == "demo-team"


def test_the_label_names_the_project_when_the_log_has_a_number():
    line = ended_line(entry(logName="projects/123/logs/x", resource=labelled(project_id="demo-team")))
    assert line.project == "demo-team"


@pytest.mark.parametrize(
    "body",
    [
        entry("Job is running."),
        entry("Job failed. Or did it?"),
        entry("user code: Job failed."),
        entry(textPayload=["Job failed."]),
        entry(textPayload=None),
        entry(resource={"type": "k8s_container", "labels": {"job_id": NUMBER, "task_name": "service"}}),
        entry(resource=labelled(task_name="workerpool0-0")),
        entry(resource=labelled(job_id="../1")),
        entry(resource=labelled(job_id="1" * 21)),
        entry(resource=labelled(job_id="١٢٣")),
        entry(resource=labelled(job_id=12)),
        entry(resource="ml_job"),
        entry(logName="projects/123/logs/x", resource=labelled(project_id="UPPER/../")),
        entry(logName=None, resource=labelled()),
        entry(padding="x" * MESSAGE_LIMIT_BYTES),
        b"",
        b"[]",
        b"\xff\xfe{}",
        b'{"a": 1' + b"0" * 10_000 + b"}",
        b"[" * 100_000,
    ],
)
def test_anything_else_is_no_end(body):
    assert ended_line(body) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(
    st.dictionaries(
        st.sampled_from(["logName", "resource", "labels", "textPayload", "jsonPayload"]), json_values
    )
)
def test_no_entry_does_harm(fields):
    assert ended_line(json.dumps(fields).encode()) is None
