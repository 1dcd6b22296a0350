"""From logits to calibrated probabilities: temperature scaling (Guo et al. 2017)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from plant_classification.errors import ArgumentError

TEMPERATURES = (0.05, 20.0)
"""Smallest and largest temperature that is fitted."""

BLOCK = 256
"""Photos whose probabilities are in memory at one time while a temperature is fitted."""

PRIOR = 3.0
"""Weight of the prior beside a photo's loss."""

_MOST_STEPS = 60


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


def fit_temperature(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """The temperature with the smallest log-loss on photos that the network did not learn from.

    The log-loss is convex in the inverse temperature b, so Newton's method, kept within a bracket,
    finds its minimum. Few photos say little, and ten that are all right would make the network
    infinitely sure. So the sum of the losses gets the term ``PRIOR * (b - 1 - log b)``, a Gamma
    prior with its mode at no change, which keeps the function convex and its minimum finite. With
    the starter's outputs of ten photos it about halves the log-loss of the others; beside hundreds
    it changes the temperature by 2 %.

    Args:
        logits: ``(N, labels)``, finite.
        labels: ``(N,)``, the index of each photo's label.

    Returns:
        The divisor of the logits, in ``TEMPERATURES``; 1 where there is no photo, or one label.

    Raises:
        ArgumentError: Arrays that do not match, a label that the logits do not have, NaN.
    """
    check_labelled(logits, labels)
    low, high = 1 / TEMPERATURES[1], 1 / TEMPERATURES[0]
    inverse = 1.0
    for _ in range(_MOST_STEPS):
        slope, curvature = _derivatives(logits, labels, inverse)
        if slope > 0:
            high = inverse
        else:
            low = inverse
        newton = inverse - slope / curvature
        following = newton if low <= newton <= high else float(np.sqrt(low * high))
        if abs(following - inverse) < 1e-7 * inverse:
            break
        inverse = following
    return float(np.clip(1 / inverse, *TEMPERATURES))


def check_labelled(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> None:
    """Judge outputs of a network and the labels of its photos.

    Args:
        logits: ``(N, labels)``.
        labels: ``(N,)``, the index of each photo's label.

    Raises:
        ArgumentError: Shapes that do not match, a label that the logits do not have, NaN.
    """
    if logits.ndim != 2 or labels.shape != logits.shape[:1]:
        raise ArgumentError(
            "logits must be (photos, labels), with one label for each photo; "
            f"{logits.shape} and {labels.shape} came.",
            field="logits",
        )
    if not np.issubdtype(labels.dtype, np.integer) or (
        len(labels) and not 0 <= labels.min() <= labels.max() < logits.shape[1]
    ):
        raise ArgumentError(
            f"labels must be whole numbers from 0 to {logits.shape[1] - 1}.", field="labels"
        )
    if not np.isfinite(logits).all():
        raise ArgumentError(
            "The logits hold NaN or infinity; train the model anew.", field="logits"
        )


def _derivatives(
    logits: NDArray[np.floating], labels: NDArray[np.integer], inverse: float
) -> tuple[float, float]:
    """First and second derivative, by the inverse temperature, of the losses' sum and its prior."""
    slope, curvature = PRIOR * (1 - 1 / inverse), PRIOR / inverse**2
    for start in range(0, len(logits), BLOCK):
        block = logits[start : start + BLOCK].astype(np.float64)
        right = np.take_along_axis(block, labels[start : start + BLOCK, np.newaxis], axis=1)
        block -= right  # so that the slope is no difference of large numbers
        shares = probabilities(block, 1 / inverse)
        means = np.einsum("nl,nl->n", shares, block)
        block -= means[:, np.newaxis]
        slope += float(means.sum())
        curvature += float(np.einsum("nl,nl,nl->", shares, block, block))
    return slope, curvature
