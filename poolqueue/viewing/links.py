"""Addresses in Google Cloud's console, made of a custom job's name."""

from __future__ import annotations

from urllib.parse import quote

CONSOLE = "https://console.cloud.google.com"


def log_link(custom_job: str | None) -> str | None:
    """Where the log of a custom job is, by its full name; None for what is no such name."""
    parts = _parts(custom_job)
    if parts is None:
        return None
    project, _, number = parts
    query = f'resource.type="ml_job" resource.labels.job_id="{number}"'
    return f"{CONSOLE}/logs/query;query={quote(query, safe='')}?project={quote(project, safe='')}"


def custom_job_link(custom_job: str | None) -> str | None:
    """The page of a custom job, likewise."""
    parts = _parts(custom_job)
    if parts is None:
        return None
    project, location, number = (quote(part, safe="") for part in parts)
    return f"{CONSOLE}/ai/platform/locations/{location}/training/{number}?project={project}"


def _parts(custom_job: str | None) -> tuple[str, str, str] | None:
    match (custom_job or "").split("/"):
        case ["projects", project, "locations", location, "customJobs", number] if number.isdecimal():
            return project, location, number
        case _:
            return None
