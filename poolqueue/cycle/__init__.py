"""The admission cycle of one persistent resource: from the bell to the recorded answer."""

from poolqueue.cycle.run import ring, settle

__all__ = ["ring", "settle"]
