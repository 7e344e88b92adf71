"""The sweep: compares our records with Vertex AI, repairs ours, finishes what a crash left, fires timers."""

from poolqueue.sweep.region import sweep
from poolqueue.sweep.resource import LOOKUPS_LIMIT

__all__ = ["LOOKUPS_LIMIT", "sweep"]
