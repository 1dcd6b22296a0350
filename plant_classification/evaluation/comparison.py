"""Two models on the same photos, one by one."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from plant_classification.evaluation import weighted
from plant_classification.evaluation.bootstrap import intervals

FLIPS = 10_000
BLOCK = 100
"""Flips that are in memory at one time."""
SEED = 0


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What becomes of photos that two models have named.

    Attributes:
        photos: How many there are.
        both_right: How many both named rightly.
        only_first: How many the first one alone did.
        only_second: How many the second one alone did.
        difference: Share of the first one's right answers less that of the second one's.
        interval: Where that lies with a confidence of 95 %, as far as chance goes.
        p_value: How often two models that are equally good differ as much by chance, in [0, 1].
    """

    photos: int
    both_right: int
    only_first: int
    only_second: int
    difference: float
    interval: tuple[float, float]
    p_value: float


def compare(
    first: NDArray[np.bool_], second: NDArray[np.bool_], units: NDArray[np.integer]
) -> Comparison:
    """Compare the answers of two models.

    Args:
        first: ``(N,)``, whether the first model's answer is right, N from 1 up.
        second: ``(N,)``, the same of the second one's, of the same photos.
        units: ``(N,)``, the same number for photos of one plant.
    """
    gain = first.astype(np.float64) - second
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    return Comparison(
        photos=len(first),
        both_right=int((first & second).sum()),
        only_first=only_first,
        only_second=only_second,
        difference=float(gain.mean()),
        interval=intervals({"gain": weighted.mean(gain)}, units)["gain"],
        p_value=_p_value(np.asarray(np.bincount(units, weights=gain), np.float64)),
    )


def _p_value(gains: NDArray[np.float64]) -> float:
    """Of the gain of each plant: photos of one are not as many tosses of the coin."""
    if np.abs(gains).max() <= 1:
        return mcnemar(int((gains > 0).sum()), int((gains < 0).sum()))
    return sign_flips(gains)


def sign_flips(gains: NDArray[np.float64]) -> float:
    """The two-sided p-value of a randomisation test with flipped signs (Fisher 1935).

    Where both models are equally good, each plant's gain could as well be the other one's.

    Args:
        gains: ``(N,)``, of each plant the photos that the first one alone names rightly, less those
            of the second one.
    """
    gains = gains[gains != 0]
    random = np.random.default_rng(SEED)
    as_much = 0
    for _ in range(FLIPS // BLOCK):
        signs = random.integers(0, 2, (BLOCK, len(gains)), np.int8) * 2 - 1
        as_much += int((np.abs(signs @ gains) >= abs(gains.sum())).sum())
    return (1 + as_much) / (1 + FLIPS)


def mcnemar(only_first: int, only_second: int) -> float:
    """The exact two-sided p-value of McNemar's test (1947).

    Of the photos that one model alone names rightly, as many should be the first one's as the
    second one's where both are equally good: a fair coin.

    Args:
        only_first: Photos that the first one alone names rightly.
        only_second: Photos that the second one alone names rightly.
    """
    tosses, heads = only_first + only_second, min(only_first, only_second)
    counts = np.arange(1, heads + 1)
    ways = np.cumsum(np.log(tosses - counts + 1) - np.log(counts))
    logarithms = np.append(0.0, ways) - tosses * np.log(2)
    return float(min(1.0, 2 * np.exp(np.logaddexp.reduce(logarithms))))
