"""What the members of an array are made of: `templates/{team}.{job_id}`, written once with the array.

Apart from the array's job, so that noting the end of a member does not write it again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from poolqueue.records.names import SCHEMA


@dataclass(frozen=True, kw_only=True)
class Template:
    """The custom job with its placeholders, and the array as it was asked for; both as JSON text."""

    body: str
    array: str


def template_path(key: str) -> str:
    return f"templates/{key}"


def write_template(template: Template) -> dict[str, Any]:
    return {"schema": SCHEMA, "body": template.body, "array": template.array}


def read_template(fields: Mapping[str, Any]) -> Template:
    return Template(body=fields["body"], array=fields["array"])
