"""The command: says what it will do and cost, asks, asks Vertex AI, cleans up, reports."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from google.auth.exceptions import GoogleAuthError
from rich.console import Console
from rich.table import Table

from infra.probe_vertex.questions import CREATES, LOGS, RATE, READS, Observation, Question, observe
from infra.probe_vertex.subject import LABEL, Pace, Subject, capacity
from infra.probe_vertex.wire import Wire

_LOCATION = re.compile(r"[a-z]+-[a-z]+[0-9]+")
_REFUSED, _LEFT_BEHIND = 2, 1


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    if problem := _problem(given):
        print(problem, file=sys.stderr)
        return _REFUSED
    try:
        wire = Wire(project=given.project, location=given.location, endpoint=given.endpoint)
    except GoogleAuthError as error:
        print(f"No credentials: {error}\nRun: gcloud auth application-default login", file=sys.stderr)
        return _REFUSED
    try:
        return _probe(given, wire)
    finally:
        wire.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.probe_vertex", description=__doc__)
    parser.add_argument("--project", required=True, help="the project that pays")
    parser.add_argument("--location", default="us-central1", help="default: %(default)s")
    parser.add_argument("--persistent-resource", default="", help="the id of one that exists and is idle")
    parser.add_argument(
        "--image", default="docker.io/library/busybox:stable", help="has sh; default: %(default)s"
    )
    parser.add_argument("--only", action="append", default=[], metavar="QUESTION", help="ask only these")
    parser.add_argument("--rate-limit", action="store_true", help="also exceed the request limit on purpose")
    parser.add_argument("--read-only", action="store_true", help="ask only what reading answers")
    parser.add_argument("--yes", action="store_true", help="do not ask before creating custom jobs")
    parser.add_argument("--report", type=Path, default=Path("probe-vertex.json"), help="default: %(default)s")
    parser.add_argument("--endpoint", help="a stand-in's URL; only with a demo- project")
    parser.add_argument("--poll-seconds", type=float, default=5.0)
    parser.add_argument(
        "--short-seconds", type=int, default=5, help="of a custom job that is to end by itself"
    )
    parser.add_argument("--patience-seconds", type=float, default=900.0, help="for any one thing to happen")
    return parser


def _problem(given: argparse.Namespace) -> str | None:
    is_demo = given.project.startswith("demo-")
    if is_demo and not given.endpoint:
        return f"{given.project} is a name for stand-ins only, and this asks a real project."
    if given.endpoint and not is_demo:
        return "--endpoint is a stand-in's, and takes only projects that begin with demo-."
    if not _LOCATION.fullmatch(given.location):
        return f"{given.location!r} is not a region such as us-central1."
    if not given.persistent_resource:
        return (
            "Name a persistent resource that exists, is RUNNING and idle (--persistent-resource ID; with "
            "make: RESOURCE=ID). None is created here: it would be paid for until it is deleted."
        )
    return None


def _probe(given: argparse.Namespace, wire: Wire) -> int:
    pace = Pace(
        poll_seconds=given.poll_seconds,
        patience_seconds=given.patience_seconds,
        short_seconds=given.short_seconds,
    )
    subject = Subject(wire=wire, resource_id=given.persistent_resource, image=given.image, pace=pace)
    try:
        subject.resource()
    except LookupError as error:
        print(f"Cannot read the persistent resource {given.persistent_resource}: {error}", file=sys.stderr)
        return _REFUSED
    questions = _questions(given)
    creating = [each for each in questions if each not in READS]
    if creating and not (given.yes or _consents(subject, given, creating)):
        print("Nothing was created.")
        return _REFUSED
    observations, left_behind = _ask_all(questions, subject)
    _show(observations)
    _write_report(given.report, subject, observations, left_behind)
    return _LEFT_BEHIND if left_behind else 0


def _questions(given: argparse.Namespace) -> list[Question]:
    creating = () if given.read_only else (*CREATES, *LOGS, *(RATE if given.rate_limit else ()))
    return [each for each in (*READS, *creating) if not given.only or each.name in given.only]


def _consents(subject: Subject, given: argparse.Namespace, creating: Sequence[Question]) -> bool:
    pool = subject.pool()
    print(
        f"This creates about {len(creating) + 2} tiny custom jobs on {subject.wire.parent}"
        f"/persistentResources/{subject.resource_id}, labelled {LABEL}={subject.run},\n"
        f"one after another, up to an hour in all, and removes them. For some minutes they fill pool "
        f"{pool.get('id')} (up to {capacity(pool)} replicas):\n"
        "custom jobs of others have to wait meanwhile. The resource is paid for anyway; an autoscaled pool "
        "may grow and cost more."
        + ("\nIt uses up the region's requests for a minute (--rate-limit)." if given.rate_limit else "")
    )
    try:
        typed = input(f"Type the project's name to go on ({given.project}): ")
    except EOFError:
        return False
    return bool(typed.strip() == given.project)


def _ask_all(questions: Sequence[Question], subject: Subject) -> tuple[list[Observation], list[str]]:
    """Cleans up whatever happens, Ctrl-C included."""
    observations = []
    try:
        for question in questions:
            print(f"... {question.text}", flush=True)
            observations.append(observe(question, subject))
    except KeyboardInterrupt:
        print("Interrupted; cleaning up.")
    finally:
        left_behind = subject.clean_up()
    return observations, left_behind


def _show(observations: Sequence[Observation]) -> None:
    table = Table("question", "what was observed", show_lines=True)
    for each in observations:
        table.add_row(f"{each.text}\n({each.question})", each.observed)
    Console(markup=False).print(table)


def _write_report(
    path: Path, subject: Subject, observations: Sequence[Observation], left_behind: Sequence[str]
) -> None:
    report = {
        "parent": subject.wire.parent,
        "persistent_resource": subject.resource_id,
        "live_service": subject.wire.is_live,
        "run": subject.run,
        "at": datetime.now(UTC).isoformat(),
        "observations": [asdict(each) for each in observations],
        "left_behind": list(left_behind),
    }
    path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(f"Report: {path}")
    if left_behind:
        print("Could not be removed, please look: " + ", ".join(left_behind), file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
