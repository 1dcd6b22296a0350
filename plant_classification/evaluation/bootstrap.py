"""How far chance moves figures: the photos are drawn anew, again and again (Efron 1979)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from plant_classification.evaluation.weighted import Weighted

DRAWS = 400
BLOCK = 20
"""Draws that are in memory at one time."""
SEED = 0
COVERED = (2.5, 97.5)
"""Percentiles at the ends of an interval."""


def intervals(
    figures: Mapping[str, Weighted], units: NDArray[np.integer]
) -> dict[str, tuple[float, float]]:
    """Where figures lie with a confidence of 95 %, as far as chance goes.

    Args:
        figures: By name, as functions of the photos' weights.
        units: ``(N,)``, a number from zero up for each photo: photos of one number are drawn
            together, since one plant's say less than as many plants'.

    Returns:
        For each name the lower and the upper end; NaN where the figure cannot be had.
    """
    random = np.random.default_rng(SEED)
    count = int(units.max()) + 1
    found: dict[str, list[NDArray[np.float64]]] = {name: [] for name in figures}
    for _ in range(DRAWS // BLOCK):
        drawn = (random.integers(0, count, count, np.int32) for _ in range(BLOCK))
        weights = np.stack([np.bincount(row, minlength=count)[units] for row in drawn])
        weights = weights.astype(np.float32)
        for name, figure in figures.items():
            found[name].append(figure(weights))
    return {name: _ends(np.concatenate(values)) for name, values in found.items()}


def _ends(values: NDArray[np.float64]) -> tuple[float, float]:
    there = values[np.isfinite(values)]
    if not len(there):
        return float("nan"), float("nan")
    low, high = np.percentile(there, COVERED)
    return float(low), float(high)
