"""When a document may be deleted: Firestore does so, some time after it, by a policy on `expires_at`.

Nothing may rest on the moment, or on the deletion: the local stores never delete.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

EXPIRES = "expires_at"


def expiring(since: datetime, retention: timedelta) -> dict[str, Any]:
    """The field of a document that is kept for so long from then on."""
    return {EXPIRES: since + retention}
