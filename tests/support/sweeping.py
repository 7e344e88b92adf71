"""What tests of the sweep share: jobs that run, copies of them, a slow Vertex AI, and what a sweep saw."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from handlers import swept
from poolqueue.ports import INSTALLATION_LABEL, JOB_LABEL, TEAM_LABEL, TOKEN_LABEL
from poolqueue.records import read_resource, resource_path
from tests.support.installation import LOCATION, Installation, pool, request

NEVER = datetime.min.replace(tzinfo=UTC)


def clone(installation: Installation, job_id: str) -> str:
    """Somebody's copy of a custom job of ours, labels and all; the copy's name."""
    labels = {
        INSTALLATION_LABEL: "testing",
        TOKEN_LABEL: str(installation.job(job_id).token),
        TEAM_LABEL: "research",
        JOB_LABEL: job_id,
    }
    name = installation.submit_directly(labels=labels)
    installation.wait(lambda: installation.state_of(name) == "RUNNING", "the clone to run")
    return name


def real(installation: Installation, job_id: str = "real") -> str:
    """A job that runs; its custom job's name."""
    installation.ask(request(job_id))
    installation.wait_running(job_id)
    name = installation.job(job_id).custom_job
    assert name is not None
    return name


class SlowToShowResources:
    """Between the listing and what it shows of each resource, time passes."""

    def __init__(self, installation: Installation, seconds: float) -> None:
        self._observer = installation.system.observer
        self._clock = installation.clock
        self._seconds = seconds
        self.listings = 0

    def __getattr__(self, name):
        return getattr(self._observer, name)

    def unfinished(self, parent):
        self.listings += 1
        return self._observer.unfinished(parent)

    def resource(self, name):
        self._clock.advance(seconds=self._seconds)
        return self._observer.resource(name)


def resources_of_one_replica(project: str, *ids: str) -> list[dict]:
    return [{"project": project, "location": LOCATION, "id": id_, "pools": [pool(replicas=1)]} for id_ in ids]


def sweep_with(installation: Installation, observer) -> None:
    swept.handle(replace(installation.system, observer=observer), installation.delivery("sweeps", b"{}"))


def observed_at(installation: Installation, *ids: str) -> list[datetime]:
    paths = [resource_path(replace(installation.name, id=id_)) for id_ in ids]
    found = [document.fields for document in installation.documents.read(paths)]
    return [read_resource(fields).observed_at or NEVER for fields in found if fields is not None]
