"""`python -m infra.local.checker JOURNAL`: show what a journal says; exit code 1 if something is wrong."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from infra.local.checker import Report, check_journal, read_journal
from infra.local.checker.picture import show

MOST_JOBS = 40


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m infra.local.checker", description=__doc__)
    parser.add_argument("journal", type=Path, help="the stand-in's journal, JSON lines")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--all", action="store_true", help=f"show all custom jobs, not only {MOST_JOBS}")
    parser.add_argument(
        "--allow-over-capacity", action="store_true", help="create calls that did not fit are no finding"
    )
    arguments = parser.parse_args(argv)
    try:
        lines = list(read_journal(arguments.journal))
    except OSError as error:
        print(f"{arguments.journal} cannot be read: {error.strerror}", file=sys.stderr)
        return 2
    report = check_journal(lines, allow_over_capacity=arguments.allow_over_capacity)
    if arguments.json:
        print(json.dumps(as_json(report), indent=2, default=str))
    else:
        show(report, Console(), most_jobs=None if arguments.all else MOST_JOBS)
    return 1 if report.findings else 0


def as_json(report: Report) -> dict[str, Any]:
    return {
        "began": report.began,
        "stopped": report.stopped,
        "jobs": [
            {"team": team, "job": job, "custom_jobs": [asdict(life) for life in lives]}
            for (team, job), lives in report.jobs.items()
        ],
        "foreign": [asdict(life) for life in report.foreign],
        "pools": [
            {
                "resource": resource,
                "pool": pool,
                "capacity": steps[-1].capacity,
                "peak": report.peak_occupancy(resource, pool),
                "utilisation": report.utilisation(resource, pool),
            }
            for (resource, pool), steps in report.pools.items()
        ],
        "findings": [asdict(finding) for finding in report.findings],
    }


if __name__ == "__main__":
    sys.exit(main())
