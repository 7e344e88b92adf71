"""Tell handwritten digits apart with a neural network of one hidden layer."""

from __future__ import annotations

import argparse
import sys

from sklearn.datasets import load_digits

from infra.local.training.classifier import train_classifier
from infra.local.training.examples import split
from infra.local.training.network import Network
from infra.local.training.program import Evaluation, flags, run


def train(arguments: argparse.Namespace) -> Evaluation:
    features, labels = load_digits(return_X_y=True)
    return train_classifier(
        Network(sizes=(64, 48, 10)),
        split(features, labels, seed=arguments.seed),
        seed=arguments.seed,
        slow_seconds=arguments.slow_seconds,
        at_least=40,
        margin=0.7,
    )


if __name__ == "__main__":
    sys.exit(run("digits", train, flags(__doc__)))
