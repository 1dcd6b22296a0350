"""How likely the first taxon of a rank is right: more than its probability can tell.

The probabilities of labels sum to one, whatever is on the photo. The largest logit does not: it is
small where nothing that the network has learned is there (Hendrycks et al. 2022, arXiv:1911.11132).
Both together are weighed by logistic regression, on photos of known plants and of unknown ones.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

LEAST = 1e-9
RIDGE = 1.0
"""Strength of the pull of the weights to 0, in photos."""

STEPS = 50
NEVER = -50.0
"""The log-odds of what was never right."""


@dataclasses.dataclass(frozen=True)
class Correctness:
    """A logistic function.

    Attributes:
        bias: Its value where both are 0, in log-odds.
        of_odds: What the log-odds of the probability count; not negative.
        of_logit: What the largest calibrated logit counts; not negative.
    """

    bias: float
    of_odds: float
    of_logit: float

    def __post_init__(self) -> None:
        """Judge the values.

        Raises:
            ValueError, TypeError: They are no such function.
        """
        values = (self.bias, self.of_odds, self.of_logit)
        if not all(map(math.isfinite, values)) or min(self.of_odds, self.of_logit) < 0:
            raise ValueError(f"a safe answer cannot be judged by the weights {values}.")

    def __call__(
        self, share: NDArray[np.float64] | float, largest: NDArray[np.float64] | float
    ) -> NDArray[np.float64]:
        """The chance that a taxon of that probability is right, in [0, 1]."""
        odds = self.bias + self.of_odds * _log_odds(share) + self.of_logit * np.asarray(largest)
        return np.asarray(_logistic(odds))


def fit_correctness(
    share: NDArray[np.float64],
    largest: NDArray[np.float64],
    right: NDArray[np.bool_],
    weights: NDArray[np.float64],
) -> Correctness:
    """Weigh probability and largest logit; neither may speak against a taxon by being large.

    Args:
        share: ``(N,)``, the probability of the first taxon.
        largest: ``(N,)``, the largest calibrated logit.
        right: ``(N,)``, whether that taxon is the right one.
        weights: ``(N,)``, how much each photo counts, in any unit.
    """
    if not right.any():
        return Correctness(NEVER, 0.0, 0.0)
    columns = np.stack([_log_odds(share), largest], axis=1)
    counts = weights * len(weights) / weights.sum()
    used = [0, 1]
    while True:
        bias, found = _logistic_regression(columns[:, used], right, counts)
        if not used or found.min() >= 0:
            break
        used = [one for one, weight in zip(used, found, strict=True) if weight >= 0]
    both = np.zeros(2)
    both[used] = found
    return Correctness(bias, float(both[0]), float(both[1]))


def _logistic_regression(
    columns: NDArray[np.float64], right: NDArray[np.bool_], counts: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """Bias and weights, by Newton's method (iteratively reweighted least squares)."""
    middle = np.average(columns, axis=0, weights=counts)
    spread = np.sqrt(np.average((columns - middle) ** 2, axis=0, weights=counts))
    spread = np.where(spread > LEAST, spread, 1)
    design = np.column_stack([np.ones(len(columns)), (columns - middle) / spread])
    ridge = np.diag([LEAST, *[RIDGE] * columns.shape[1]])
    found = np.zeros(design.shape[1])
    for _ in range(STEPS):
        chance = _logistic(design @ found)
        slope = design.T @ (counts * (right - chance)) - ridge @ found
        curve = (design * (counts * chance * (1 - chance))[:, np.newaxis]).T @ design + ridge
        step = np.linalg.solve(curve, slope)
        found += step / max(1.0, float(np.abs(step).max()))
        if np.abs(step).max() < LEAST:
            break
    scaled = found[1:] / spread
    return float(np.clip(found[0] - middle @ scaled, NEVER, -NEVER)), scaled


def _log_odds(share: NDArray[np.float64] | float) -> NDArray[np.float64]:
    inside = np.clip(share, LEAST, 1 - LEAST)
    return np.asarray(np.log(inside) - np.log1p(-inside))


def _logistic(odds: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-np.clip(odds, NEVER, -NEVER))))
