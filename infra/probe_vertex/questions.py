"""The list of questions, reads first, and how one is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import requests

from infra.probe_vertex import lives, reads, refusals
from infra.probe_vertex.subject import Subject


@dataclass(frozen=True, kw_only=True)
class Question:
    text: str
    ask: Callable[[Subject], str]

    @property
    def name(self) -> str:
        return self.ask.__name__


@dataclass(frozen=True, kw_only=True)
class Observation:
    question: str
    text: str
    observed: str


READS = (
    Question(text="Which disk does a pool show (compare with how it was created)?", ask=reads.pools_as_shown),
    Question(
        text="Does a listing take our filter of unfinished custom jobs?", ask=reads.filter_of_unfinished
    ),
    Question(text="How many custom jobs does the largest page have?", ask=reads.largest_page),
    Question(text="Which label filters are understood without quotes?", ask=reads.label_filters),
    Question(text="Are filters in snake_case, camelCase, or both?", ask=reads.field_names),
    Question(text="What is said of things that are not there?", ask=reads.things_not_there),
)
CREATES = (
    Question(text="What is said of a missing persistent resource?", ask=refusals.missing_resource),
    Question(text="What is said of a machine that no pool has?", ask=refusals.other_machine),
    Question(text="What is said of a disk that no pool has?", ask=refusals.other_disk),
    Question(text="Is a custom job without a disk spec accepted?", ask=refusals.no_disk),
    Question(text="What is said of a service account that is not enabled?", ask=refusals.own_service_account),
    Question(text="What is said while the resource is not RUNNING?", ask=refusals.resource_not_running),
    Question(text="How soon does a listing show a new custom job?", ask=lives.seen_in_listing),
    Question(text="How far does usedReplicaCount lag?", ask=lives.used_replicas_lag),
    Question(text="What happens to a custom job on a full pool?", ask=lives.over_capacity),
    Question(text="How does a custom job end that never ran?", ask=lives.cancelled_before_it_ran),
    Question(
        text="How does a cancelled custom job end, and cancelled again?", ask=lives.cancelled_while_running
    ),
    Question(text="Which error has a program that exits with 3?", ask=lives.exit_code),
    Question(text="Which state and error come at scheduling.timeout?", ask=lives.timeout),
)
LOGS = (Question(text="What do the service's log lines look like?", ask=lives.service_lines),)
RATE = (Question(text="What is said beyond the request limit?", ask=refusals.request_rate),)


def observe(question: Question, subject: Subject) -> Observation:
    """Whatever goes wrong with one question is what was observed, and the next one is asked."""
    try:
        observed = question.ask(subject)
    except lives.CreateRefused as error:
        observed = f"not answered: the custom job it needs was refused: {error}"
    except (LookupError, requests.RequestException) as error:
        observed = f"not answered: {type(error).__name__}: {error}"
    return Observation(question=question.name, text=question.text, observed=observed)
