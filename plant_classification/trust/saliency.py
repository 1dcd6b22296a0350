"""Which places of a photo speak for a taxon, in closed form: Grad-CAM without a gradient.

Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391) weighs the channels of the last feature map by
the gradient of a score. Where dense layers take the mean of the map to the logits, that gradient is
a product of their weights.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Dense = tuple[NDArray[np.floating], NDArray[np.floating]]
"""Kernel ``(D, E)`` and bias ``(E,)``."""


def channel_weights(
    features: NDArray[np.floating], layers: Sequence[Dense], members: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """The gradient, by the mean of the feature map, of how much a taxon stands out.

    The score is the logarithm of the sum of the exponents of the taxon's logits, which is the logit
    for a single label, less the mean of all logits: like the probabilities, it does not change with
    what is added to all logits.

    Args:
        features: ``(D,)``, the mean of the last feature map.
        layers: From there to the logits, ReLU between them.
        members: ``bool (labels,)``, the taxon's labels, one or more.

    Returns:
        ``float32 (D,)``.
    """
    values: list[NDArray[np.floating]] = [np.asarray(features, np.float32)]
    for place, (kernel, bias) in enumerate(layers):
        rows = np.maximum(values[-1], 0) if place else values[-1]
        values.append(rows @ kernel + bias)
    shares = np.where(members, np.exp(values[-1] - values[-1][members].max()), 0)
    gradient = shares / shares.sum() - 1 / len(members)
    for place in range(len(layers) - 1, -1, -1):
        gradient = layers[place][0] @ gradient
        if place:
            gradient = gradient * (values[place] > 0)
    return np.asarray(gradient, np.float32)


def activation_map(
    feature_map: NDArray[np.floating], layers: Sequence[Dense], members: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """How much each place of a feature map speaks for a taxon.

    Args:
        feature_map: ``(h, w, D)``, the last one.
        layers: From its mean to the logits.
        members: ``bool (labels,)``, the taxon's labels.

    Returns:
        ``float32 (h, w)`` in [0, 1]: 1 at the place that says most, 0 where nothing speaks for it;
        all 0 where no place does.
    """
    weights = channel_weights(feature_map.mean(axis=(0, 1)), layers, members)
    speaks = np.maximum(feature_map @ weights, 0)
    most = speaks.max()
    return np.asarray(speaks / most if most > 0 else speaks, np.float32)
