"""Scheduling policies run over recorded workloads in virtual time. Pure, but for reading a trace's file."""
