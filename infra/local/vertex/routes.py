"""Which method and path is which rpc of the service, or which command to the stand-in itself."""

from __future__ import annotations

import re
from dataclasses import dataclass

# The official client asks for operations under /ui/ when it speaks REST.
_PREFIX = r"/(?:v1|v1beta1|ui)/projects/(?P<project>[^/]+)/locations/(?P<location>[^/]+)/"
_ADMIN = "/stand-in/"


@dataclass(frozen=True, kw_only=True)
class Route:
    """Calls of Cloud Logging name no project in their path, commands `to_stand_in` none at all."""

    rpc: str
    project: str = ""
    location: str = ""
    id: str = ""
    to_stand_in: bool = False


def _service(method: str, path: str, rpc: str) -> tuple[str, re.Pattern[str], str]:
    pattern = path.replace("{id}", r"(?P<id>[^/:]+)").replace("{parent}", r"(?:[^/:]+/[^/:]+/)?")
    return method, re.compile(_PREFIX + pattern), rpc


def _admin(method: str, path: str, command: str) -> tuple[str, re.Pattern[str], str]:
    return method, re.compile(_ADMIN + path), command


_ROUTES = (
    _service("POST", "customJobs", "CreateCustomJob"),
    _service("GET", "customJobs", "ListCustomJobs"),
    _service("GET", "customJobs/{id}", "GetCustomJob"),
    _service("POST", "customJobs/{id}:cancel", "CancelCustomJob"),
    _service("DELETE", "customJobs/{id}", "DeleteCustomJob"),
    _service("POST", "persistentResources", "CreatePersistentResource"),
    _service("GET", "persistentResources", "ListPersistentResources"),
    _service("GET", "persistentResources/{id}", "GetPersistentResource"),
    _service("POST", "persistentResources/{id}:reboot", "RebootPersistentResource"),
    _service("DELETE", "persistentResources/{id}", "DeletePersistentResource"),
    _service("GET", "{parent}operations/{id}", "GetOperation"),
    ("POST", re.compile("/v2/entries:list"), "ListLogEntries"),
    _admin("GET", "behaviour", "read_behaviour"),
    _admin("POST", "behaviour", "behave"),
    _admin("POST", "pools", "change_pools"),
    _admin("POST", "state", "set_state"),
    _admin("POST", "finish", "finish"),
    _admin("POST", "log-line", "forge_log_line"),
    _admin("GET", "journal", "read_journal"),
)


def route(method: str, path: str) -> Route | None:
    for known_method, pattern, rpc in _ROUTES:
        found = pattern.fullmatch(path)
        if found and known_method == method:
            return Route(rpc=rpc, to_stand_in=path.startswith(_ADMIN), **found.groupdict())
    return None
