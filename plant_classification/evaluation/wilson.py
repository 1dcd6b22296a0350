"""How far chance moves a figure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_Z = 1.959964
"""95 % of a normal distribution lie within so many standard deviations."""


def share_interval(
    right: NDArray[np.number] | float, photos: NDArray[np.number] | float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where a share lies with a confidence of 95 %, as far as chance goes (Wilson 1927).

    Args:
        right: How many, of any shape.
        photos: Of how many, each 1 or more.

    Returns:
        Lower and upper end, in [0, 1].
    """
    count = np.asarray(photos, np.float64)
    share = np.asarray(right) / count
    middle = share + _Z**2 / (2 * count)
    reach = _Z * np.sqrt(share * (1 - share) / count + (_Z / (2 * count)) ** 2)
    width = 1 + _Z**2 / count
    low, high = (middle - reach) / width, (middle + reach) / width
    return np.clip(low, 0, 1), np.clip(high, 0, 1)
