"""Examples to learn from: split into training and held-out parts, features scaled by the training part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Targets = NDArray[Any]  # classes as integers, or numbers to predict

HELD_OUT_PART = 0.25


@dataclass(frozen=True, kw_only=True)
class Split:
    features: Floats
    targets: Targets
    held_out_features: Floats
    held_out_targets: Targets

    @property
    def sizes(self) -> dict[str, int]:
        return {"trained_on": len(self.targets), "held_out": len(self.held_out_targets)}


def split(features: Floats, targets: Targets, *, seed: int) -> Split:
    """Hold out a random quarter, and scale every feature to mean 0 and deviation 1 over the rest."""
    order = np.random.default_rng(seed).permutation(len(targets))
    held_out, kept = np.split(order, [int(len(order) * HELD_OUT_PART)])
    mean = features[kept].mean(axis=0)
    deviation = features[kept].std(axis=0)
    scaled = (features - mean) / np.where(deviation > 0, deviation, 1.0)
    return Split(
        features=scaled[kept],
        targets=targets[kept],
        held_out_features=scaled[held_out],
        held_out_targets=targets[held_out],
    )


def accuracy(predicted: Targets, actual: Targets) -> float:
    return float(np.mean(predicted == actual))


def majority_accuracy(examples: Split) -> float:
    """What always naming the training part's most frequent class scores on the held-out part."""
    classes, counts = np.unique(examples.targets, return_counts=True)
    return float(np.mean(examples.held_out_targets == classes[counts.argmax()]))
