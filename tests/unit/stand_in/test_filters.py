"""The filter grammar of ListCustomJobs."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local.vertex import filters
from infra.local.vertex.custom_jobs import State
from infra.local.vertex.errors import ServiceError
from infra.local.vertex.filters import Listed

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def listed(
    display_name: str = "resnet-1",
    *,
    state: State = State.RUNNING,
    create_time: datetime = NOON,
    labels: dict[str, str] | None = None,
) -> Listed:
    given_labels = {"team": "vision", "a-b": "c-d", "empty": ""} if labels is None else labels
    return Listed(display_name=display_name, state=state, create_time=create_time, labels=given_labels)


@pytest.mark.parametrize(
    "text",
    [
        "",
        'display_name="resnet-1"',
        "displayName=resnet-1",
        'display_name:"resnet*"',
        'display_name:"*net*"',
        'display_name!="other"',
        'state="JOB_STATE_RUNNING"',
        "state=JOB_STATE_RUNNING",
        "state!=JOB_STATE_FAILED",
        'create_time>"2026-11-23T11:00:00Z"',
        'createTime>="2026-11-23T12:00:00+00:00"',
        'create_time<="2026-11-23T12:00:00.000000Z"',
        'create_time!="2020-01-01T00:00:00Z"',
        "labels.team=vision",
        'labels.team="vision"',
        "labels.team:*",
        "labels.empty:*",
        "labels.a-b=c-d",
        'labels."a-b"="c-d"',
        "labels.missing!=x",
        "NOT labels.missing:*",
        'state="JOB_STATE_FAILED" OR display_name:"res*"',
        'state="JOB_STATE_RUNNING" AND (display_name="x" OR labels.team:vis*)',
        "NOT (state=JOB_STATE_FAILED OR state=JOB_STATE_CANCELLED)",
        "NOT NOT labels.team=vision",
        "state=JOB_STATE_FAILED AND state=JOB_STATE_FAILED OR labels.team=vision",
    ],
)
def test_a_filter_that_fits_keeps_the_job(text: str) -> None:
    assert filters.parse(text)(listed())


@pytest.mark.parametrize(
    "text",
    [
        'display_name="resnet"',
        'display_name:"resnet"',
        'display_name:"resnet-?"',
        'display_name:"resnet-[1]"',
        "state=JOB_STATE_FAILED",
        'create_time<"2026-11-23T12:00:00Z"',
        "labels.team=nlp",
        "labels.missing:*",
        "NOT labels.team=vision",
        "labels.team=vision AND labels.team=nlp",
    ],
)
def test_a_filter_that_does_not_fit_drops_the_job(text: str) -> None:
    assert not filters.parse(text)(listed())


@pytest.mark.parametrize(
    "text",
    [
        "display_name",
        "display_name=",
        "=x",
        'display_name="x',
        "display_name<x",
        "state=RUNNING",
        "state>JOB_STATE_RUNNING",
        "state:JOB*",
        "create_time=yesterday",
        "create_time:*",
        "labels=x",
        "labels.team<x",
        "persistent_resource_id=x",
        "update_time>2026-01-01",
        "display_name=a display_name=b",
        "(display_name=a",
        "display_name=a)",
        "display_name=a AND",
        "NOT",
        '"display_name"=a',
        "()",
        "display_name==a",
    ],
)
def test_a_bad_filter_is_an_invalid_argument(text: str) -> None:
    with pytest.raises(ServiceError) as refusal:
        filters.parse(text)

    assert (refusal.value.code, refusal.value.status) == (400, "INVALID_ARGUMENT")


@given(st.text(max_size=128))
def test_any_display_name_can_be_asked_for_in_quotes(name: str) -> None:
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')

    wanted = filters.parse(f'display_name="{quoted}"')

    assert wanted(listed(name))
    assert not wanted(listed(name + "x"))


@given(st.text(alphabet='abdelnory_. "=<>!:()*ANDORT', max_size=40))
def test_any_text_is_a_filter_or_an_invalid_argument(text: str) -> None:
    with contextlib.suppress(ServiceError):
        assert filters.parse(text)(listed()) in (True, False)


ATOMS = {
    "labels.team=vision": lambda job: job.labels.get("team") == "vision",
    "state=JOB_STATE_RUNNING": lambda job: job.state is State.RUNNING,
    'create_time>="2026-11-23T12:00:00Z"': lambda job: job.create_time >= NOON,
    'display_name:"a*"': lambda job: job.display_name.startswith("a"),
}


def joined(parts):
    (left, holds_left), sign, (right, holds_right) = parts
    if sign == "AND":
        return f"({left} AND {right})", lambda job: holds_left(job) and holds_right(job)
    return f"({left} OR {right})", lambda job: holds_left(job) or holds_right(job)


def negated(part):
    text, holds = part
    return f"NOT {text}", lambda job: not holds(job)


expressions = st.recursive(
    st.sampled_from(sorted(ATOMS.items())),
    lambda inner: st.one_of(
        inner.map(negated), st.tuples(inner, st.sampled_from(["AND", "OR"]), inner).map(joined)
    ),
    max_leaves=8,
)
jobs = st.builds(
    listed,
    st.sampled_from(["abc", "xyz"]),
    state=st.sampled_from([State.RUNNING, State.FAILED]),
    create_time=st.sampled_from([NOON - timedelta(hours=1), NOON]),
    labels=st.sampled_from([{}, {"team": "vision"}, {"team": "nlp"}]),
)


@given(expressions, jobs)
def test_connectives_mean_what_they_say(expression, job: Listed) -> None:
    text, holds = expression

    assert filters.parse(text)(job) == holds(job)


# --- of log entries --------------------------------------------------------------------------------------


def entry(insert_id: str = "5", severity: str = "INFO", **labels: str) -> dict:
    return {
        "resource": {"type": "ml_job", "labels": {"job_id": "17", **labels}},
        "timestamp": "2026-11-23T12:00:00.500000Z",
        "insertId": insert_id,
        "severity": severity,
    }


@pytest.mark.parametrize(
    "text",
    [
        'resource.type="ml_job" AND resource.labels.job_id="17"',
        'resource.labels.task_name="service" AND timestamp>="2026-11-23T12:00:00Z"',
        '((timestamp="2026-11-23T12:00:00.5Z" AND insertId>"4") OR timestamp>"2026-11-23T12:00:01Z")',
        'severity="INFO" AND timestamp<"2026-11-23T12:00:00.500001Z"',
    ],
)
def test_an_entry_is_chosen(text: str) -> None:
    assert filters.parse_of_entries(text)(entry(task_name="service"))


@pytest.mark.parametrize(
    "text",
    [
        'resource.type="k8s_container"',
        'resource.labels.job_id="18"',
        'resource.labels.trial="1"',
        'timestamp>"2026-11-23T12:00:00.500000Z"',
        'severity="ERROR"',
    ],
)
def test_an_entry_is_not_chosen(text: str) -> None:
    assert not filters.parse_of_entries(text)(entry())


@pytest.mark.parametrize("text", ['textPayload:"x"', 'timestamp>="yesterday"', "job_id", 'display_name="x"'])
def test_what_is_not_understood_is_refused_rather_than_passed_over(text: str) -> None:
    with pytest.raises(ServiceError, match="Invalid filter"):
        filters.parse_of_entries(text)
