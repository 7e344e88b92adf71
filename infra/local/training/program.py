"""What every training program shares: its flags, its pace, its result file and its exit code."""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BEAT_BASELINE = 0
UNUSABLE_INPUT = 2
FAILED_TRAINING = 3
NO_BETTER_THAN_BASELINE = 4

REPORT_EVERY_SECONDS = 0.5


class InputError(Exception):
    """The flags, the environment or the data are not usable; the message says which and why."""


class TrainingError(Exception):
    """Training cannot go on; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """How a trained model did on held-out data, beside what knowing nothing would give."""

    metric: str
    score: float
    baseline: float
    baseline_is: str
    margin: float
    higher_is_better: bool = True
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def gain(self) -> float:
        """By how much the score is better than the baseline; negative when it is worse."""
        return self.score - self.baseline if self.higher_is_better else self.baseline - self.score

    @property
    def beats_baseline(self) -> bool:
        return self.gain >= self.margin


@dataclass(frozen=True, kw_only=True)
class Epoch:
    number: int
    is_reported: bool  # a line of progress is due


def epochs(at_least: int, *, slow_seconds: float) -> Iterator[Epoch]:
    """`at_least` epochs, then more of them until `slow_seconds` have gone by since the first."""
    until = time.monotonic() + slow_seconds
    next_report = 0.0
    for number in itertools.count(1):
        now = time.monotonic()
        if number > at_least and now >= until:
            return
        is_reported = now >= next_report or number == at_least
        if is_reported:
            next_report = now + REPORT_EVERY_SECONDS
        yield Epoch(number=number, is_reported=is_reported)


def say(line: str) -> None:
    """One line of progress, at once: a replica's output is read while it runs."""
    print(line, flush=True)


def flags(description: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--seed", type=int, default=7, help="seed of everything random")
    parser.add_argument(
        "--slow-seconds", type=float, default=0.0, help="train more epochs until so many seconds have gone by"
    )
    parser.add_argument(
        "--output", type=Path, help="directory for result.json where AIP_MODEL_DIR is not set"
    )
    return parser


def local_path(uri: str) -> Path:
    """Where a `gs://bucket/name` lies on this machine: below the directory named by STAND_IN_BUCKETS."""
    if not uri.startswith("gs://"):
        return Path(uri)
    buckets = os.environ.get("STAND_IN_BUCKETS")
    if not buckets:
        raise InputError(
            f"{uri} cannot be reached: STAND_IN_BUCKETS names no directory that holds the buckets"
        )
    path = (Path(buckets) / uri.removeprefix("gs://")).resolve()
    if not path.is_relative_to(Path(buckets).resolve()):
        raise InputError(f"{uri} leads out of its bucket")
    return path


def output_directory(output: Path | None) -> Path:
    model_directory = os.environ.get("AIP_MODEL_DIR")
    if model_directory:
        return local_path(model_directory)
    if output is None:
        raise InputError("there is nowhere to write result.json: give --output or set AIP_MODEL_DIR")
    return output


def write_result(directory: Path, result: Mapping[str, Any]) -> Path:
    """Write `result.json` whole or not at all, and return its path."""
    directory.mkdir(parents=True, exist_ok=True)
    unfinished = directory / f".result.{os.getpid()}.json"
    unfinished.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return unfinished.replace(directory / "result.json")


def run(
    name: str,
    train: Callable[[argparse.Namespace], Evaluation | None],
    parser: argparse.ArgumentParser,
    argv: Sequence[str] | None = None,
) -> int:
    """Train, evaluate, write the result; the process's exit code.

    `train` returns None in a replica that has done its part and leaves the result to another.
    """
    started = time.monotonic()
    arguments = parser.parse_args(argv)
    try:
        directory = output_directory(arguments.output)
        evaluation = train(arguments)
        if evaluation is None:
            return BEAT_BASELINE
        seconds = time.monotonic() - started
        path = write_result(directory, _result(name, evaluation, seconds=seconds, seed=arguments.seed))
    except InputError as error:
        print(f"{name}: {error}", file=sys.stderr, flush=True)
        return UNUSABLE_INPUT
    except TrainingError as error:
        print(f"{name}: {error}", file=sys.stderr, flush=True)
        return FAILED_TRAINING
    say(f"{name}: {_verdict(evaluation)}; {seconds:.1f} s; {path}")
    return BEAT_BASELINE if evaluation.beats_baseline else NO_BETTER_THAN_BASELINE


def _result(name: str, evaluation: Evaluation, *, seconds: float, seed: int) -> dict[str, Any]:
    return {
        "program": name,
        "metric": evaluation.metric,
        "score": round(evaluation.score, 4),
        "baseline": round(evaluation.baseline, 4),
        "baseline_is": evaluation.baseline_is,
        "margin": evaluation.margin,
        "higher_is_better": evaluation.higher_is_better,
        "beats_baseline": evaluation.beats_baseline,
        "seconds": round(seconds, 3),
        "seed": seed,
        **evaluation.details,
    }


def _verdict(evaluation: Evaluation) -> str:
    verdict = "beats" if evaluation.beats_baseline else "does NOT beat"
    return (
        f"{evaluation.metric} {evaluation.score:.3f} on held-out data {verdict} "
        f"{evaluation.baseline:.3f} ({evaluation.baseline_is}) by {evaluation.margin:g}"
    )
