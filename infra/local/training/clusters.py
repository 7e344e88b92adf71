"""Find groups of handwritten digits without labels: principal components, then k-means."""

from __future__ import annotations

import argparse
import sys

import numpy as np
from sklearn.datasets import load_digits

from infra.local.training.examples import Floats, Split, Targets, accuracy, majority_accuracy, split
from infra.local.training.program import Evaluation, epochs, flags, run, say

COMPONENTS = 20
GROUPS = 20
STEPS = 20


def train(arguments: argparse.Namespace) -> Evaluation:
    """Every epoch is k-means from new random centres; the tightest groups are kept."""
    pixels, labels = load_digits(return_X_y=True)
    examples = split(pixels, labels, seed=arguments.seed)
    axes = np.linalg.svd(examples.features, full_matrices=False)[2][:COMPONENTS].T
    points = examples.features @ axes
    random = np.random.default_rng(arguments.seed)
    best_centres, best_spread, tried = points[:GROUPS], float("inf"), 0
    for epoch in epochs(15, slow_seconds=arguments.slow_seconds):
        centres, spread = _k_means(points, random)
        if spread < best_spread:
            best_centres, best_spread = centres, spread
        tried = epoch.number
        if epoch.is_reported:
            say(f"epoch {epoch.number}: mean squared distance to the centre {best_spread:.3f}")
    return Evaluation(
        metric="accuracy",
        score=_accuracy_by_group(best_centres, axes, examples),
        baseline=majority_accuracy(examples),
        baseline_is="always the most frequent class",
        margin=0.4,
        details={**examples.sizes, "epochs": tried, "groups": GROUPS},
    )


def _k_means(points: Floats, random: np.random.Generator) -> tuple[Floats, float]:
    centres = points[random.choice(len(points), GROUPS, replace=False)]
    for _ in range(STEPS):
        groups = _nearest(points, centres)
        centres = np.array(
            [points[groups == g].mean(axis=0) if np.any(groups == g) else centres[g] for g in range(GROUPS)]
        )
    return centres, float(np.mean((points - centres[_nearest(points, centres)]) ** 2))


def _nearest(points: Floats, centres: Floats) -> Targets:
    distances = (centres**2).sum(axis=1) - 2.0 * points @ centres.T
    nearest: Targets = distances.argmin(axis=1)
    return nearest


def _accuracy_by_group(centres: Floats, axes: Floats, examples: Split) -> float:
    """Name each group after its most frequent digit in the training part, and score those names."""
    groups = _nearest(examples.features @ axes, centres)
    names = np.array(
        [np.bincount(examples.targets[groups == g], minlength=10).argmax() for g in range(GROUPS)]
    )
    return accuracy(names[_nearest(examples.held_out_features @ axes, centres)], examples.held_out_targets)


if __name__ == "__main__":
    sys.exit(run("clusters", train, flags(__doc__)))
