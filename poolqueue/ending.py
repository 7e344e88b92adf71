"""What Vertex AI shows of an ended custom job, as the change that it is to our job."""

from __future__ import annotations

from poolqueue.ports import (
    TEAM_LABEL,
    TOKEN_LABEL,
    CustomJob,
    CustomJobState,
    ResourceState,
    VertexUnavailable,
    labelled_job_id,
)
from poolqueue.records import ResourceName
from poolqueue.scheduling.changes import CustomJobEnded
from poolqueue.scheduling.jobs import job_key
from poolqueue.system import System


def ended_change(system: System, name: ResourceName, custom_job: CustomJob) -> CustomJobEnded:
    """The end of one of our custom jobs. One that was cancelled asks whether its resource is still there."""
    labels = custom_job.labels
    cancelled = custom_job.state is CustomJobState.CANCELLED
    return CustomJobEnded(
        key=job_key(labels.get(TEAM_LABEL, ""), labelled_job_id(labels)),
        token=labels[TOKEN_LABEL],
        custom_job=custom_job.name,
        state=custom_job.state.value,
        error_code=custom_job.error_code,
        error=custom_job.error,
        started=custom_job.started,
        ended=custom_job.ended,
        resource_gone=cancelled and is_gone(system, name, custom_job),
    )


def is_gone(system: System, name: ResourceName, custom_job: CustomJob) -> bool:
    """Was the resource deleted, or made anew, since the custom job was created on it?"""
    try:
        view = system.observer.resource(name.full)
    except VertexUnavailable:
        return False
    if view.state in {ResourceState.MISSING, ResourceState.STOPPING}:
        return True
    return view.created is not None and custom_job.created is not None and view.created > custom_job.created
