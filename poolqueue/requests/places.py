"""Where a job may run: its home, the persistent resource in whose queue it waits, and alternatives to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from poolqueue.requests.collecting import Problems
from poolqueue.requests.naming import ResourceName, resource_name
from poolqueue.requests.normalising import did_you_mean
from poolqueue.requests.wishes import read_span
from poolqueue.scheduling.problems import shortened

ANY = "any"
MOST_ALTERNATIVES = 10
HOME = "custom_job.jobSpec.persistentResourceId"

_KEYS = ("persistent_resource", "after")
_NAME_REMEDY = "give its id, or projects/PROJECT/locations/LOCATION/persistentResources/ID"


@dataclass(frozen=True, kw_only=True)
class Place:
    """`resource` is a full name, None for any whose pools match; `after`: seconds since the request was
    published. `path` says where the request names it.
    """

    resource: ResourceName | None
    after: int = 0
    path: str = field(default="", compare=False)

    def canonical(self) -> list[object]:
        return [None if self.resource is None else self.resource.full, self.after]


@dataclass(frozen=True, kw_only=True)
class Places:
    """`home` is None when it is to be chosen among all, as the first of `alternatives` then says."""

    home: ResourceName | None
    alternatives: tuple[Place, ...] = ()


def read_places(
    custom_job: dict[str, Any], given: tuple[str, Any], topics: ResourceName, problems: Problems
) -> Places | None:
    """None when no place can be told. `given`: the alternatives, with the path that they were read from;
    `topics`: the project and location of names that have none. `custom_job` keeps the home's id alone.
    """
    alternatives = read_alternatives(given, topics, problems)
    home = custom_job.get("jobSpec", {}).get("persistentResourceId", "")
    if home:
        return _beside(home, custom_job, alternatives, topics, problems)
    if alternatives:
        return _without_home(custom_job, alternatives, problems)
    if alternatives is not None:
        remedy = "name the persistent resource that is to run the job, or give alternatives"
        problems.add(HOME, None, "is missing", remedy)
    return None


def _beside(
    given: str,
    custom_job: dict[str, Any],
    alternatives: tuple[Place, ...] | None,
    topics: ResourceName,
    problems: Problems,
) -> Places | None:
    home = _named(given, HOME, topics, problems)
    if home is None:
        return None
    custom_job["jobSpec"]["persistentResourceId"] = home.id
    for place in alternatives or ():
        if place.resource == home:
            problems.add(place.path, home.id, "is where the job waits already", "leave it out")
    return Places(home=home, alternatives=alternatives or ())


def _without_home(
    custom_job: dict[str, Any], alternatives: tuple[Place, ...], problems: Problems
) -> Places | None:
    first, *others = alternatives
    if first.after:
        remedy = "give it no `after`, or name the persistent resource where it waits until then"
        problems.add(first.path, first.after, "is where the job waits first", remedy)
    if first.resource is None:
        return Places(home=None, alternatives=alternatives)
    if "jobSpec" in custom_job:
        custom_job["jobSpec"]["persistentResourceId"] = first.resource.id
    return Places(home=first.resource, alternatives=tuple(others))


def read_alternatives(
    given: tuple[str, Any], topics: ResourceName, problems: Problems
) -> tuple[Place, ...] | None:
    """None when some cannot be read. Names without project and location are in those of `topics`."""
    path, listed = given
    if listed is None:
        return ()
    if not isinstance(listed, list) or len(listed) > MOST_ALTERNATIVES:
        remedy = f'give names, "{ANY}", or mappings of persistent_resource and after; as JSON in an attribute'
        problem = f"is not a list of at most {MOST_ALTERNATIVES} persistent resources"
        problems.add(path, listed, problem, remedy)
        return None
    places = [_place(each, f"{path}[{index}]", topics, problems) for index, each in enumerate(listed)]
    readable = tuple(place for place in places if place is not None)
    for index, place in enumerate(readable):
        if any(place.resource == earlier.resource for earlier in readable[:index]):
            name = ANY if place.resource is None else place.resource.id
            problems.add(place.path, name, "is named twice", "name it once")
    return readable if len(readable) == len(places) else None


def _place(given: object, path: str, topics: ResourceName, problems: Problems) -> Place | None:
    if not isinstance(given, Mapping):
        given, named_at = {"persistent_resource": given}, path
    else:
        named_at = f"{path}.persistent_resource"
    for key in given:
        if key not in _KEYS:
            problems.add(
                f"{path}.{shortened(key)}", key, "is not a field of it", did_you_mean(key, _KEYS, problems)
            )
    after = given.get("after")
    seconds = 0 if after is None else read_span(f"{path}.after", after, problems, least=0)
    named = given.get("persistent_resource")
    if named == ANY:
        return None if seconds is None else Place(resource=None, after=seconds, path=named_at)
    name = _named(named, named_at, topics, problems)
    return None if name is None or seconds is None else Place(resource=name, after=seconds, path=named_at)


def _named(given: object, path: str, topics: ResourceName, problems: Problems) -> ResourceName | None:
    name = resource_name(given) if isinstance(given, str) else None
    if name is None:
        problems.add(path, given, "is not the name of a persistent resource", _NAME_REMEDY)
        return None
    return ResourceName(
        id=name.id, project=name.project or topics.project, location=name.location or topics.location
    )
