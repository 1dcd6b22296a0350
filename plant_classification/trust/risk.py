"""How often something that went wrong a few times may go wrong in the long run."""

from __future__ import annotations

import numpy as np

STEPS = 40


def largest_risk(wrong: int, count: int, level: float) -> float:
    """The upper end of the interval of Clopper and Pearson (1934), one-sided.

    Args:
        wrong: How often it went wrong, from 0 to ``count``.
        count: How often it was tried, independently.
        level: Chance that the true risk is larger, in (0, 1).

    Returns:
        The risk at which so few or fewer would go wrong with that chance, in [0, 1].
    """
    if wrong >= count:
        return 1.0
    places = np.arange(wrong + 1)
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, count + 1)))])
    ways = logs[count] - logs[places] - logs[count - places]
    low, high = wrong / count, 1.0
    for _ in range(STEPS):
        risk = (low + high) / 2
        chance = np.exp(ways + places * np.log(risk) + (count - places) * np.log1p(-risk)).sum()
        low, high = (risk, high) if chance > level else (low, risk)
    return high
