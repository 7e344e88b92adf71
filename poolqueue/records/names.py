"""Names of persistent resources, and the paths of the documents that belong to them."""

from __future__ import annotations

from dataclasses import dataclass

SCHEMA = 1


@dataclass(frozen=True, kw_only=True, order=True)
class ResourceName:
    """A persistent resource's full name in parts; `key` is its document id."""

    project: str
    location: str
    id: str

    @property
    def full(self) -> str:
        return f"{self.parent}/persistentResources/{self.id}"

    @property
    def parent(self) -> str:
        return f"projects/{self.project}/locations/{self.location}"

    @property
    def key(self) -> str:
        return f"{self.project}.{self.location}.{self.id}"

    @classmethod
    def from_full(cls, name: str) -> ResourceName:
        """From `projects/P/locations/L/persistentResources/ID`; raises ValueError for any other text."""
        match name.split("/"):
            case ["projects", project, "locations", location, "persistentResources", id_]:
                return cls(project=project, location=location, id=id_)
            case _:
                raise ValueError(f"{name!r} is not projects/P/locations/L/persistentResources/ID")

    @classmethod
    def from_key(cls, key: str) -> ResourceName:
        """From a document id. Ids and locations have no dots; a domain-scoped project may."""
        project, location, id_ = key.rsplit(".", 2)
        return cls(project=project, location=location, id=id_)


def region_key(project: str, location: str) -> str:
    return f"{project}.{location}"


def resource_path(name: ResourceName) -> str:
    return f"resources/{name.key}"


def pace_path(project: str, location: str) -> str:
    return f"paces/{region_key(project, location)}"
