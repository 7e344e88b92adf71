"""Learn which character follows in Python's own documentation, from the characters before it."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pydoc_data.topics import topics

import numpy as np

from infra.local.training.examples import Floats, Targets
from infra.local.training.program import Evaluation, epochs, flags, run, say

ORDERS = 6  # 0 to 5 characters before the one to predict
ALPHABET = 128
PART = 20_000  # characters that each epoch reads on
READ_AT_MOST = 200_000
HELD_OUT = 30_000


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How often each sequence of `order` + 1 characters was read; sequences are numbers to base ALPHABET."""

    sequences: Targets
    counts: Targets
    contexts: Targets
    context_counts: Targets


def train(arguments: argparse.Namespace) -> Evaluation:
    """Every epoch reads on in the text and moves the weights of the orders one step towards the likeliest."""
    text = _text()
    held_out, tuning, reading = np.split(text, [HELD_OUT, 2 * HELD_OUT])
    weights = np.full(ORDERS, 1.0 / ORDERS)
    model: list[Counts] = []
    read = 0
    for epoch in epochs(READ_AT_MOST // PART, slow_seconds=arguments.slow_seconds):
        read = min(epoch.number * PART, READ_AT_MOST)
        model = [_count(reading[:read], order) for order in range(ORDERS)]
        probabilities = _probabilities(model, tuning)
        shares = probabilities * weights
        weights = (shares / shares.sum(axis=1, keepdims=True)).mean(axis=0)
        if epoch.is_reported:
            say(f"epoch {epoch.number}: read {read}, {_bits(probabilities @ weights):.3f} bits per character")
    probabilities = _probabilities(model, held_out)
    return Evaluation(
        metric="bits per character",
        score=_bits(probabilities @ weights),
        baseline=_bits(probabilities[:, 0]),
        baseline_is="how often each character occurs",
        margin=1.0,
        higher_is_better=False,
        details={"trained_on": read, "held_out": len(held_out), "weights": [round(w, 3) for w in weights]},
    )


def _text() -> Targets:
    text = "\n".join(topics[name] for name in sorted(topics)).encode("ascii", "replace")
    return np.frombuffer(text[: READ_AT_MOST + 2 * HELD_OUT], dtype=np.uint8).astype(np.int64)


def _sequences(text: Targets, order: int) -> Targets:
    """For each character from the ORDERS-th on, the number of the sequence that ends with it."""
    numbers = np.zeros(len(text) - ORDERS + 1, dtype=np.int64)
    for back in range(order, -1, -1):
        start = ORDERS - 1 - back
        numbers = numbers * ALPHABET + text[start : start + len(numbers)]
    return numbers


def _count(text: Targets, order: int) -> Counts:
    sequences, counts = np.unique(_sequences(text, order), return_counts=True)
    contexts, position = np.unique(sequences // ALPHABET, return_inverse=True)
    context_counts = np.bincount(position, weights=counts).astype(np.int64)
    return Counts(sequences=sequences, counts=counts, contexts=contexts, context_counts=context_counts)


def _probabilities(model: list[Counts], text: Targets) -> Floats:
    """For each character of `text`, its probability by each order; order 0 is smoothed so that none is 0."""
    columns = []
    for order, counts in enumerate(model):
        sequences = _sequences(text, order)
        seen = _look_up(counts.sequences, counts.counts, sequences)
        of = _look_up(counts.contexts, counts.context_counts, sequences // ALPHABET)
        columns.append((seen + 1.0) / (of + ALPHABET) if order == 0 else seen / np.maximum(of, 1.0))
    return np.stack(columns, axis=1)


def _look_up(keys: Targets, values: Targets, wanted: Targets) -> Floats:
    positions = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    found: Floats = np.where(keys[positions] == wanted, values[positions], 0).astype(np.float64)
    return found


def _bits(probabilities: Floats) -> float:
    return float(-np.log2(probabilities).mean())


if __name__ == "__main__":
    sys.exit(run("language_model", train, flags(__doc__)))
