"""From logits to calibrated probabilities: temperature scaling (Guo et al. 2017)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def probabilities(logits: NDArray[np.floating], temperature: float = 1.0) -> NDArray[np.float64]:
    """Softmax of the logits divided by the temperature.

    Args:
        logits: ``(..., labels)``, finite.
        temperature: Above 0; larger values make the answer less sure.

    Returns:
        ``float64 (..., labels)`` in [0, 1], each row summing to one.
    """
    scaled = logits.astype(np.float64) / temperature
    exponents = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return np.asarray(exponents / exponents.sum(axis=-1, keepdims=True))
