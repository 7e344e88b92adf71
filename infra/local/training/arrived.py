"""Tell the cultivars of wines apart, learnt from a table that has just arrived in a bucket."""

from __future__ import annotations

import argparse
import sys

import numpy as np

from infra.local.training.classifier import train_classifier
from infra.local.training.examples import split
from infra.local.training.network import Network
from infra.local.training.program import Evaluation, flags, local_path, run, say
from infra.local.training.wine_table import read_table


def train(arguments: argparse.Namespace) -> Evaluation:
    path = local_path(arguments.object)
    features, cultivars = read_table(path)
    say(f"{arguments.object}: {len(cultivars)} rows")
    return train_classifier(
        Network(sizes=(features.shape[1], len(np.unique(cultivars)))),
        split(features, cultivars, seed=arguments.seed),
        seed=arguments.seed,
        slow_seconds=arguments.slow_seconds,
        at_least=60,
        margin=0.3,
    )


if __name__ == "__main__":
    parser = flags(__doc__)
    parser.add_argument("--object", required=True, help="the table: gs://bucket/name, or a local path")
    sys.exit(run("arrived", train, parser))
