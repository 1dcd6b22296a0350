"""How good a network is on held-back photos, while it is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plant_classification.training.steps import Training

Photos = Iterable[tuple[NDArray[np.uint8], NDArray[np.int32]]]
"""Parts of some photos: ``uint8 (N, size, size, 3)`` RGB, and the index of each one's label."""


def judge(
    training: Training, photos: Photos, labels: int, tell: Callable[[int], None]
) -> dict[str, Any]:
    """Judge the network with its averaged weights, if there are some.

    Args:
        training: The network.
        photos: This worker's part of the held-back photos.
        labels: How many labels there are.
        tell: Is called with the number of this worker's photos that are done.

    Returns:
        ``val_loss``, ``val_top_1``, ``val_top_5`` and ``val_macro_top_1`` of ``EpochFigures``, over
        the photos of all workers; nothing if there are no photos.
    """
    sums = np.zeros((labels, 4))  # photos, losses, first places, places among the first five
    with training.averaged():
        for images, indices in photos:
            values = training.evaluate(images, indices).numpy()
            np.add.at(sums, indices, np.vstack([np.ones_like(values[0]), values]).T)
            tell(int(sums[:, 0].sum()))
    return figures(training.distribution.summed(sums))


def figures(sums: NDArray[np.float64]) -> dict[str, Any]:
    """Figures of sums over the photos of each label.

    Args:
        sums: ``float64 (labels, 4)``: photos, losses, first places, places among the first five.

    Returns:
        As :func:`judge`; a label without photos has no part in the macro figure.
    """
    photos, losses, first, first_five = sums.T
    present = photos > 0
    if not present.any():
        return {}
    return {
        "val_loss": float(losses.sum() / photos.sum()),
        "val_top_1": float(first.sum() / photos.sum()),
        "val_top_5": float(first_five.sum() / photos.sum()),
        "val_macro_top_1": float((first[present] / photos[present]).mean()),
    }
