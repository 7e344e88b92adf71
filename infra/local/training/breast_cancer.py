"""Tell benign from malignant breast tumours by logistic regression."""

from __future__ import annotations

import argparse
import sys

from sklearn.datasets import load_breast_cancer

from infra.local.training.classifier import train_classifier
from infra.local.training.examples import split
from infra.local.training.network import Network
from infra.local.training.program import Evaluation, flags, run


def train(arguments: argparse.Namespace) -> Evaluation:
    features, labels = load_breast_cancer(return_X_y=True)
    return train_classifier(
        Network(sizes=(30, 2)),
        split(features, labels, seed=arguments.seed),
        seed=arguments.seed,
        slow_seconds=arguments.slow_seconds,
        at_least=60,
        margin=0.2,
    )


if __name__ == "__main__":
    sys.exit(run("breast_cancer", train, flags(__doc__)))
