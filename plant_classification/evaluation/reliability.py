"""Whether probabilities come true: reliability diagrams and the expected calibration error."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from plant_classification.evaluation.weighted import calibration_error

DIAGRAM_BINS = 10
DRAWS = 200


@dataclasses.dataclass(frozen=True)
class ReliabilityBins:
    """Answers in groups, from the least sure to the surest.

    Attributes:
        photos: ``int64 (bins,)``.
        confidence: ``float64 (bins,)``, mean probability of the predicted label.
        accuracy: ``float64 (bins,)``, share of right answers.
    """

    photos: NDArray[np.int64]
    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]


def equal_width_bins(confidence: NDArray[np.floating], right: NDArray[np.bool_]) -> ReliabilityBins:
    """Groups of answers that are about as sure, as a diagram wants them (Guo et al. 2017).

    A bin without an answer is no group.

    Args:
        confidence: ``(N,)`` in [0, 1].
        right: ``(N,)``.
    """
    place = np.minimum((confidence * DIAGRAM_BINS).astype(np.int64), DIAGRAM_BINS - 1)
    groups = (np.flatnonzero(place == index) for index in range(DIAGRAM_BINS))
    return _summed([group for group in groups if len(group)], confidence, right)


def _summed(
    groups: Sequence[NDArray[np.intp]], confidence: NDArray[np.floating], right: NDArray[np.bool_]
) -> ReliabilityBins:
    return ReliabilityBins(
        photos=np.array([len(group) for group in groups]),
        confidence=np.array([confidence[group].mean() for group in groups], np.float64),
        accuracy=np.array([right[group].mean() for group in groups]),
    )


def expected_calibration_error(confidence: NDArray[np.floating], right: NDArray[np.bool_]) -> float:
    """:func:`weighted.calibration_error` of photos that all count the same, in [0, 1]."""
    return float(calibration_error(confidence, right)(np.ones((1, len(right))))[0])


def calibration_error_by_chance(confidence: NDArray[np.floating]) -> float:
    """What :func:`expected_calibration_error` is on average where calibration is perfect.

    The right answers are drawn, by a seed: each with the probability that the answer claims.

    Args:
        confidence: ``(N,)`` in [0, 1], N from 1 up.
    """
    claimed = np.sort(confidence)
    random = np.random.default_rng(0)
    drawn = (random.random(len(claimed)) < claimed for _ in range(DRAWS))
    return float(np.mean([expected_calibration_error(claimed, right) for right in drawn]))
