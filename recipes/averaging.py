"""A network among others: the weighted mean of their weights.

A network whose head alone was fitted keeps what ImageNet taught it; one that was trained whole
knows the photos at hand better. Their mean is about as good on these as the second, and better on
photos of another kind than either (Wortsman et al. 2022, "WiSE-FT", arXiv:2109.01903). Several that
were trained from the same start with other seeds have a mean that is better than each ("model
soups", arXiv:2203.05482).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from plant_classification.networks import build


def mean_of(
    architecture: str, labels: int, weights: Sequence[Path], shares: Sequence[float], size: int
) -> keras.Model:
    """The weighted mean of networks of one architecture.

    Args:
        architecture: Name in the registry of networks.
        labels: Number of their labels.
        weights: weights.weights.h5 of each.
        shares: The weight of each in the mean; they sum to one.
        size: Side of the input of the network that is made.
    """
    made, read = (build(architecture, labels, size) for _ in range(2))
    sums = [np.zeros_like(array) for array in made.get_weights()]
    for file, share in zip(weights, shares, strict=True):
        read.load_weights(file)
        sums = [
            total + share * array for total, array in zip(sums, read.get_weights(), strict=True)
        ]
    made.set_weights(sums)
    return made
