"""A small neural network for classification whose parameters are one flat vector."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from infra.local.training.examples import Floats, Targets


@dataclass(frozen=True, kw_only=True)
class Network:
    """Layers of the given sizes, tanh between them, softmax at the end; two sizes are logistic regression."""

    sizes: tuple[int, ...]

    def initial(self, seed: int) -> Floats:
        random = np.random.default_rng(seed)
        layers = [
            np.concatenate([random.normal(0, inputs**-0.5, inputs * outputs), np.zeros(outputs)])
            for inputs, outputs in itertools.pairwise(self.sizes)
        ]
        return np.concatenate(layers)

    def loss_and_gradient(
        self, parameters: Floats, features: Floats, labels: Targets
    ) -> tuple[float, Floats]:
        """Cross-entropy and its gradient, both summed over the examples, so that parts can be added."""
        layers = self._layers(parameters)
        activations = self._activations(parameters, features)
        rows = np.arange(len(labels))
        loss = -float(np.log(activations[-1][rows, labels] + 1e-12).sum())
        error = activations[-1].copy()
        error[rows, labels] -= 1.0
        gradients: list[Floats] = []
        for (weights, _), inputs in zip(reversed(layers), reversed(activations[:-1]), strict=True):
            gradients.append(np.concatenate([(inputs.T @ error).ravel(), error.sum(axis=0)]))
            error = (error @ weights.T) * (1.0 - inputs**2)
        return loss, np.concatenate(gradients[::-1])

    def predict(self, parameters: Floats, features: Floats) -> Targets:
        classes: Targets = self._activations(parameters, features)[-1].argmax(axis=1)
        return classes

    def _activations(self, parameters: Floats, features: Floats) -> list[Floats]:
        layers = self._layers(parameters)
        activations = [features]
        for weights, bias in layers[:-1]:
            activations.append(np.tanh(activations[-1] @ weights + bias))
        weights, bias = layers[-1]
        scores = activations[-1] @ weights + bias
        exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
        return [*activations, exponentials / exponentials.sum(axis=1, keepdims=True)]

    def _layers(self, parameters: Floats) -> list[tuple[Floats, Floats]]:
        layers = []
        start = 0
        for inputs, outputs in itertools.pairwise(self.sizes):
            middle, end = start + inputs * outputs, start + (inputs + 1) * outputs
            layers.append((parameters[start:middle].reshape(inputs, outputs), parameters[middle:end]))
            start = end
        return layers
