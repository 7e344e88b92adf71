"""Train at a rate that soon jumps too high, notice that the loss explodes, and fail: for the demo."""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn

import numpy as np
from sklearn.datasets import load_diabetes

from infra.local.training.examples import Floats, Split, split
from infra.local.training.program import TrainingError, epochs, flags, run, say

LEARNING_RATE = 0.01
TOO_HIGH_LEARNING_RATE = 1.5
HIGHEST_LOSS = 1e9


def train(arguments: argparse.Namespace) -> NoReturn:
    features, progression = load_diabetes(return_X_y=True)
    examples = split(features, progression, seed=arguments.seed)
    weights = np.zeros(features.shape[1])
    loss = 0.0
    for epoch in epochs(200, slow_seconds=arguments.slow_seconds):
        weights, loss = _step(weights, examples, LEARNING_RATE)
        if epoch.is_reported:
            say(f"epoch {epoch.number}: training loss {loss:.1f}")
    while loss < HIGHEST_LOSS:
        weights, loss = _step(weights, examples, TOO_HIGH_LEARNING_RATE)
        say(f"learning rate now {TOO_HIGH_LEARNING_RATE}: training loss {loss:.4g}")
    raise TrainingError(
        f"the training loss grew to {loss:.3g}: the learning rate {TOO_HIGH_LEARNING_RATE} is too high"
    )


def _step(weights: Floats, examples: Split, learning_rate: float) -> tuple[Floats, float]:
    errors = examples.features @ weights - (examples.targets - examples.targets.mean())
    gradient = examples.features.T @ errors / len(errors)
    return weights - learning_rate * gradient, float(np.mean(errors**2))


if __name__ == "__main__":
    sys.exit(run("failing", train, flags(__doc__)))
