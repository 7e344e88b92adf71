"""Train a network on labelled examples by stochastic gradient descent, and evaluate it on those held out."""

from __future__ import annotations

import numpy as np

from infra.local.training.examples import Split, accuracy, majority_accuracy
from infra.local.training.network import Network
from infra.local.training.program import Evaluation, epochs, say

BATCH = 32


def train_classifier(
    network: Network,
    examples: Split,
    *,
    seed: int,
    slow_seconds: float,
    at_least: int,
    margin: float,
    learning_rate: float = 0.2,
) -> Evaluation:
    random = np.random.default_rng(seed)
    parameters = network.initial(seed)
    trained_epochs = 0
    for epoch in epochs(at_least, slow_seconds=slow_seconds):
        total_loss = 0.0
        order = random.permutation(len(examples.targets))
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            loss, gradient = network.loss_and_gradient(
                parameters, examples.features[batch], examples.targets[batch]
            )
            parameters = parameters - learning_rate / len(batch) * gradient
            total_loss += loss
        trained_epochs = epoch.number
        if epoch.is_reported:
            say(f"epoch {epoch.number}: training loss {total_loss / len(order):.4f}")
    return Evaluation(
        metric="accuracy",
        score=accuracy(network.predict(parameters, examples.held_out_features), examples.held_out_targets),
        baseline=majority_accuracy(examples),
        baseline_is="always the most frequent class",
        margin=margin,
        details={**examples.sizes, "epochs": trained_epochs},
    )
