"""Settings for tests: a whole file, of which a test states only what matters to it."""

from __future__ import annotations

import json
from typing import Any

from poolqueue.config import Settings

TEAM = {"name": "research", "topics": ["job-requests"]}
VISION = {"name": "vision", "topics": ["job-requests.vision"]}


def fields(**more: Any) -> dict[str, Any]:
    usual = {"installation": "testing", "project": "demo-p", "location": "us-central1", "teams": [TEAM]}
    return {**usual, **more}


def settings(**more: Any) -> Settings:
    return Settings.model_validate(fields(**more))


def text(**more: Any) -> str:
    return json.dumps(fields(**more))
