"""The questions that reading answers; they cost nothing and change nothing."""

from __future__ import annotations

import json

from infra.probe_vertex.subject import LABEL, Subject
from poolqueue.adapters.vertex import UNFINISHED

_NOBODY = "1" * 19


def pools_as_shown(subject: Subject) -> str:
    """Compare the disks with what the pools were created with."""
    resource = subject.resource()
    keys = ("id", "machineSpec", "diskSpec")
    shown = [{key: pool.get(key) for key in keys} for pool in resource["resourcePools"]]
    return f"{resource.get('state')}: {json.dumps(shown)}"


def filter_of_unfinished(subject: Subject) -> str:
    answer = subject.wire.get("customJobs", filter=UNFINISHED, pageSize="100")
    states = sorted({job.get("state", "none") for job in answer.body.get("customJobs", [])})
    return f"{answer}; states listed: {', '.join(states) or 'no custom jobs'}"


def largest_page(subject: Subject) -> str:
    answer = subject.wire.get("customJobs", pageSize="1000")
    more = "more follow" if answer.body.get("nextPageToken") else "no more"
    return f"{answer}; {len(answer.body.get('customJobs', []))} custom jobs in a page of 1000, {more}"


def label_filters(subject: Subject) -> str:
    values = ("a_b", '"a_b"', "a-b", '"a-b"')
    tried = (*(f"labels.{LABEL}={value}" for value in values), "labels.a-b=c")
    return "; ".join(f"{each}: {subject.wire.get('customJobs', filter=each)}" for each in tried)


def field_names(subject: Subject) -> str:
    tried = ('create_time>"2026-01-01T00:00:00Z"', 'createTime>"2026-01-01T00:00:00Z"')
    return "; ".join(f"{each}: {subject.wire.get('customJobs', filter=each)}" for each in tried)


def things_not_there(subject: Subject) -> str:
    custom_job = subject.wire.get(f"customJobs/{_NOBODY}")
    resource = subject.wire.get("persistentResources/pool-queue-probe-nobody")
    cancel = subject.wire.post(f"customJobs/{_NOBODY}:cancel")
    return f"get custom job: {custom_job}; get persistent resource: {resource}; cancel: {cancel}"
