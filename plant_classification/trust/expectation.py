"""What a photo says, together with what was known before it was seen (Bayes' rule)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def expected(
    probabilities: NDArray[np.float64],
    possible: NDArray[np.bool_] | None,
    factors: NDArray[np.float64] | None,
) -> NDArray[np.float64]:
    """Probabilities of labels, given which of them are possible and how common each is.

    Args:
        probabilities: ``(labels,)``, of the photos alone, summing to one.
        possible: ``(labels,)``; the others get 0. None for all.
        factors: ``(labels,)``, above 0: how common a label is beside the others. None for the same.

    Returns:
        ``float64 (labels,)``, summing to one.
    """
    if possible is None and factors is None:
        return probabilities
    weights = np.maximum(probabilities, np.finfo(np.float64).tiny)
    if factors is not None:
        weights = weights * factors
    if possible is not None:
        weights = np.where(possible, weights, 0.0)
    return np.asarray(weights / weights.sum())
