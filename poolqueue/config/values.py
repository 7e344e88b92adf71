"""The kinds of values that settings hold: durations, names, topics, prefixes of images."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d)")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_NAME = r"^[a-z0-9][a-z0-9_-]{0,62}$"
_LOCATION = r"^[a-z][a-z0-9-]{0,39}$"
_PROJECT = r"^[a-z0-9][a-z0-9.:-]{0,99}$"
_TOPIC = r"^[A-Za-z][A-Za-z0-9._~+%-]{2,254}$"
_RESOURCE_ID = r"^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$"
_POOL = r"^(\*|[!-~]{1,63})$"
_NOT_A_DURATION = "not a duration: write it as 90s, 30m, 24h or 7d"
WEEK = timedelta(days=7)
YEAR = timedelta(days=366)
LONGEST_RETENTION = 10 * YEAR
EVERY_POOL = "*"
MOST_REPLICAS = 1_000_000


def duration(value: Any) -> Any:
    """`90s`, `30m`, `24h`, `7d`, or a number of seconds."""
    if isinstance(value, timedelta):
        return value
    try:
        return timedelta(seconds=_seconds(value))
    except OverflowError as error:
        raise ValueError("no duration is that long") from error


def _seconds(value: Any) -> float:
    if isinstance(value, str) and (match := _DURATION.fullmatch(value.strip())):
        return float(match[1]) * _UNITS[match[2]]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise ValueError(_NOT_A_DURATION)


def _image_prefix(value: str) -> str:
    """Of a whole name: `.../my-project` would allow the images of `my-project-evil`, too."""
    if not value.endswith(("/", ":", "@")):
        raise ValueError(
            "does not end in /, : or @: end a folder in /, and name one image with : or @ after it"
        )
    return value


def _word(value: Any) -> Any:
    """YAML reads an unquoted `off` as false."""
    return "off" if value is False else value


Duration = Annotated[timedelta, BeforeValidator(duration), Field(gt=timedelta(0), le=YEAR)]
# No shorter than messages are kept (infra/variables.tf): a request that comes once more must find its job.
Retention = Annotated[timedelta, BeforeValidator(duration), Field(ge=WEEK, le=LONGEST_RETENTION)]
Name = Annotated[str, Field(pattern=_NAME)]
Location = Annotated[str, Field(pattern=_LOCATION)]
Project = Annotated[str, Field(pattern=_PROJECT)]
Topic = Annotated[str, Field(pattern=_TOPIC)]
ResourceId = Annotated[str, Field(pattern=_RESOURCE_ID)]
PoolId = Annotated[str, Field(pattern=_POOL)]
ImagePrefix = Annotated[str, AfterValidator(_image_prefix)]
Replicas = Annotated[int, Field(ge=0, le=MOST_REPLICAS)]
Word = BeforeValidator(_word)


class Model(BaseModel):
    """A part of the settings: never changed, and nothing in it that is not known."""

    model_config = ConfigDict(extra="forbid", frozen=True)
