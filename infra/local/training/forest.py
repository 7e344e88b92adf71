"""Tell handwritten digits apart with a forest of decision trees, some trees more in every epoch."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier

from infra.local.training.examples import accuracy, majority_accuracy, split
from infra.local.training.program import Evaluation, epochs, flags, run, say

TREES_AN_EPOCH = 5
MOST_TREES = 2_000  # beyond it a slow training grows a new forest, so that memory stays bounded


def _empty_forest(seed: int) -> Any:  # scikit-learn has no types
    return RandomForestClassifier(n_estimators=1, warm_start=True, random_state=seed)  # type: ignore[no-untyped-call]


def train(arguments: argparse.Namespace) -> Evaluation:
    features, labels = load_digits(return_X_y=True)
    examples = split(features, labels, seed=arguments.seed)
    forest = _empty_forest(arguments.seed)
    for epoch in epochs(10, slow_seconds=arguments.slow_seconds):
        trees = (epoch.number * TREES_AN_EPOCH - 1) % MOST_TREES + 1
        if trees < forest.n_estimators:
            forest = _empty_forest(arguments.seed)
        forest.set_params(n_estimators=trees).fit(examples.features, examples.targets)
        if epoch.is_reported:
            say(f"epoch {epoch.number}: {trees} trees")
    return Evaluation(
        metric="accuracy",
        score=accuracy(forest.predict(examples.held_out_features), examples.held_out_targets),
        baseline=majority_accuracy(examples),
        baseline_is="always the most frequent class",
        margin=0.7,
        details={**examples.sizes, "trees": forest.n_estimators},
    )


if __name__ == "__main__":
    sys.exit(run("forest", train, flags(__doc__)))
