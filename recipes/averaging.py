"""A network between two others: the weighted mean of their weights.

A network whose head alone was fitted keeps what ImageNet taught it; one that was trained whole
knows the photos at hand better. Their mean is about as good on these as the second, and better on
photos of another kind than either (Wortsman et al. 2022, "WiSE-FT", arXiv:2109.01903).
"""

from __future__ import annotations

from pathlib import Path

import keras

from plant_classification.networks import build


def between(
    architecture: str, labels: int, weights: tuple[Path, Path], share: float, size: int
) -> keras.Model:
    """The mean of two networks of one architecture.

    Args:
        architecture: Name in the registry of networks.
        labels: Number of their labels.
        weights: weights.weights.h5 of the one and of the other.
        share: Of the other one, in [0, 1].
        size: Side of the input of the network that is made.
    """
    made, other = (build(architecture, labels, size) for _ in range(2))
    for network, file in zip((made, other), weights, strict=True):
        network.load_weights(file)
    pairs = zip(made.get_weights(), other.get_weights(), strict=True)
    made.set_weights([(1 - share) * first + share * second for first, second in pairs])
    return made
