"""Operators' commands: recorded before they are carried out, and what became of them after."""

from poolqueue.commanding.commander import Commander, refuse

__all__ = ["Commander", "refuse"]
