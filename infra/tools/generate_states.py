"""Writes docs/states.md, the picture of a job's life, from the table of legal moves."""

from __future__ import annotations

from pathlib import Path

from poolqueue.scheduling.jobs import MOVES, MOVES_OF_ARRAYS, Outcome, State

TARGET = Path(__file__).parents[2] / "docs" / "states.md"

_MEANING = {
    State.HELD: "kept from being considered, by a person or for other jobs' sake; keeps its place",
    State.QUEUED: "waits for its replicas, with a reason; a requeue leads here and keeps its place",
    State.RESERVED: "its replicas are set aside, and the create call is on its way",
    State.SUBMITTED: "Vertex AI has the custom job, and has not started it",
    State.RUNNING: "Vertex AI runs it",
    State.CANCELLING: "Vertex AI was asked to end it; its replicas stay reserved until that is confirmed",
    State.ENDED: "over, with an outcome",
}
_HOW = {
    Outcome.SUCCEEDED: "the custom job succeeded",
    Outcome.FAILED: "the custom job failed, with its error",
    Outcome.CANCELLED: "somebody cancelled it",
    Outcome.REJECTED: "it was refused for good, with reasons, and nothing ran",
    Outcome.EXPIRED: "its time was over: it ran longer than its timeout, or waited longer than it may",
    Outcome.LOST: "its custom job vanished, and how it ended cannot be known",
}


def page() -> str:
    """The page as Markdown; GitHub draws the diagram."""
    lines = [
        "# States of a job",
        "",
        "State says where a job is, outcome how it ended, reason why it waits or was refused.",
        "Generated from `poolqueue/scheduling/jobs.py` by `make generate`.",
        "",
        "```mermaid",
        "stateDiagram-v2",
        f"    [*] --> {State.QUEUED}",
        f"    [*] --> {State.HELD}: asked for",
        f"    [*] --> {State.ENDED}: refused",
        *_moves(MOVES),
        f"    {State.ENDED} --> [*]",
        "```",
        "",
        *_table("state", _MEANING),
        "",
        *_table("outcome", _HOW),
        "",
        "## An array",
        "",
        "An array has no attempt of its own. It is `queued` until its first member starts, then `running`",
        "until all have ended, also while others wait; its members are jobs with states as above.",
        "",
        "```mermaid",
        "stateDiagram-v2",
        f"    [*] --> {State.QUEUED}",
        f"    [*] --> {State.HELD}: asked for",
        f"    [*] --> {State.ENDED}: refused",
        *_moves(MOVES_OF_ARRAYS),
        "```",
    ]
    return "\n".join(lines) + "\n"


def _moves(table: dict[State, frozenset[State]]) -> list[str]:
    return [f"    {before} --> {after}" for before, afters in table.items() for after in _in_order(afters)]


def _in_order(states: frozenset[State]) -> list[State]:
    return [state for state in State if state in states]


def _table(title: str, meanings: dict[State, str] | dict[Outcome, str]) -> list[str]:
    return [
        f"| {title} | |",
        "|---|---|",
        *(f"| `{name}` | {meaning} |" for name, meaning in meanings.items()),
    ]
