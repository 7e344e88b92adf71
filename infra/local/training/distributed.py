"""Data-parallel training: each replica computes the gradient of its own examples, and all apply the sum."""

from __future__ import annotations

import argparse
import hashlib
import math
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from sklearn.datasets import load_digits

from infra.local.training.cluster import Cluster
from infra.local.training.examples import Floats, Split, accuracy, majority_accuracy, split
from infra.local.training.exchange import Group, joined
from infra.local.training.network import Network
from infra.local.training.program import Epoch, Evaluation, TrainingError, epochs, flags, run, say

NETWORK = Network(sizes=(64, 48, 10))
LEAST_EPOCHS = 40
BATCH = 96  # of all replicas together
LEARNING_RATE = 0.5


@dataclass(frozen=True, kw_only=True)
class Trained:
    parameters: Floats
    epochs: int
    contributed: int  # examples whose gradients this replica computed, over all epochs


def train(arguments: argparse.Namespace) -> Evaluation | None:
    """The evaluation in the chief, None in the workers."""
    cluster = Cluster.from_environment(os.environ)
    features, labels = load_digits(return_X_y=True)
    examples = split(features, labels, seed=arguments.seed)
    with joined(cluster, wait_seconds=arguments.wait_seconds) as group:
        trained = _train_together(group, examples, arguments)
        checksum = hashlib.sha256(trained.parameters.astype("<f8").tobytes()).hexdigest()
        # Said before the chief has heard everyone: when it exits, the workers are ended.
        say(f"replica {group.rank}: {trained.contributed} gradients, parameters {checksum[:12]}")
        checksums = [part.decode() for part in group.gather(checksum.encode())]
        contributions = [int(part) for part in group.gather(str(trained.contributed).encode())]
    if group.rank > 0:
        return None
    if len(set(checksums)) > 1:
        raise TrainingError(f"the replicas' parameters differ at the end: {checksums}")
    if min(contributions) == 0:
        raise TrainingError(f"a replica contributed nothing: {contributions}")
    return Evaluation(
        metric="accuracy",
        score=accuracy(
            NETWORK.predict(trained.parameters, examples.held_out_features), examples.held_out_targets
        ),
        baseline=majority_accuracy(examples),
        baseline_is="always the most frequent class",
        margin=0.7,
        details={
            **examples.sizes,
            "epochs": trained.epochs,
            "world_size": group.world_size,
            "gradients_by_replica": contributions,
            "parameters_agree": True,
            "checksum": checksum,
        },
    )


def _train_together(group: Group, examples: Split, arguments: argparse.Namespace) -> Trained:
    """All replicas draw the same batches; each takes every `world_size`-th example of them.

    Equivalent to one replica with the whole batch, but for rounding.
    """
    random = np.random.default_rng(arguments.seed)
    parameters = NETWORK.initial(arguments.seed)
    trained_epochs = contributed = 0
    for epoch in _epochs_together(group, arguments.slow_seconds):
        order = random.permutation(len(examples.targets))
        total_loss = 0.0
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            own = batch[group.rank :: group.world_size]
            loss, gradient = NETWORK.loss_and_gradient(
                parameters, examples.features[own], examples.targets[own]
            )
            summed = group.total(np.append(gradient, loss))
            parameters = parameters - LEARNING_RATE / len(batch) * summed[:-1]
            total_loss += float(summed[-1])
            contributed += len(own)
        trained_epochs = epoch.number
        if epoch.is_reported:
            say(f"epoch {epoch.number}: training loss {total_loss / len(order):.4f} over all replicas")
    return Trained(parameters=parameters, epochs=trained_epochs, contributed=contributed)


def _epochs_together(group: Group, slow_seconds: float) -> Iterator[Epoch]:
    """The chief's clock decides how long to go on, so that all replicas do the same number of epochs."""
    is_chief = group.rank == 0
    pace = epochs(LEAST_EPOCHS, slow_seconds=slow_seconds if is_chief else math.inf)
    while True:
        epoch = next(pace, None)
        votes = group.total(np.array([1.0 if is_chief and epoch is not None else 0.0]))
        if epoch is None or votes[0] == 0.0:
            return
        yield epoch


if __name__ == "__main__":
    parser = flags(__doc__)
    parser.add_argument(
        "--wait-seconds", type=float, default=60.0, help="how long to wait for the other replicas"
    )
    sys.exit(run("distributed", train, parser))
