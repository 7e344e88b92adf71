"""Predict how far diabetes has progressed after a year, by ridge regression with gradient descent."""

from __future__ import annotations

import argparse
import sys

import numpy as np
from sklearn.datasets import load_diabetes

from infra.local.training.examples import Floats, split
from infra.local.training.program import Evaluation, epochs, flags, run, say

LEARNING_RATE = 0.05
PENALTY = 0.01


def train(arguments: argparse.Namespace) -> Evaluation:
    features, progression = load_diabetes(return_X_y=True)
    examples = split(features, progression, seed=arguments.seed)
    mean = float(examples.targets.mean())
    weights = np.zeros(features.shape[1])
    trained_epochs = 0
    for epoch in epochs(400, slow_seconds=arguments.slow_seconds):
        errors = examples.features @ weights + mean - examples.targets
        weights = weights - LEARNING_RATE * (examples.features.T @ errors / len(errors) + PENALTY * weights)
        trained_epochs = epoch.number
        if epoch.is_reported:
            say(f"epoch {epoch.number}: training error {_root_mean_square(errors):.2f}")
    held_out = examples.held_out_targets
    return Evaluation(
        metric="root mean square error",
        score=_root_mean_square(examples.held_out_features @ weights + mean - held_out),
        baseline=_root_mean_square(mean - held_out),
        baseline_is="always the mean",
        margin=10.0,
        higher_is_better=False,
        details={**examples.sizes, "epochs": trained_epochs},
    )


def _root_mean_square(errors: Floats) -> float:
    return float(np.sqrt(np.mean(errors**2)))


if __name__ == "__main__":
    sys.exit(run("diabetes", train, flags(__doc__)))
