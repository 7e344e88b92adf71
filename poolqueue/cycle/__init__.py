"""The admission cycle of one persistent resource: from the bell to the recorded answer."""

from poolqueue.cycle.dependants import settle_dependants
from poolqueue.cycle.elsewhere import Elsewhere
from poolqueue.cycle.run import end, ring, settle

__all__ = ["Elsewhere", "end", "ring", "settle", "settle_dependants"]
