"""The request quotas of a project and location, counted over the last minute."""

from __future__ import annotations

import time
from collections import defaultdict, deque

from infra.local.vertex.behaviours import Quota
from infra.local.vertex.errors import ServiceError

_SUBMISSIONS = frozenset(
    {"CreateCustomJob", "DeleteCustomJob", "CreatePersistentResource", "DeletePersistentResource"}
)
_WINDOW_SECONDS = 60.0


class Quotas:
    """Guarded by the timeline's lock."""

    def __init__(self) -> None:
        self._recent: dict[tuple[str, str, bool], deque[float]] = defaultdict(deque)

    def count(self, rpc: str, project: str, location: str, quota: Quota) -> None:
        """Raises ServiceError (429) for a call that is one too many."""
        submission = rpc in _SUBMISSIONS
        most = quota.submissions_per_minute if submission else quota.reads_per_minute
        recent = self._recent[project, location, submission]
        while recent and recent[0] < time.monotonic() - _WINDOW_SECONDS:
            recent.popleft()
        if most is not None and len(recent) >= most:
            metric = "job_or_lro_submission_requests" if submission else "resource_management_requests"
            raise ServiceError(
                "RESOURCE_EXHAUSTED", f"Quota exceeded for quota metric aiplatform.googleapis.com/{metric}."
            )
        recent.append(time.monotonic())
