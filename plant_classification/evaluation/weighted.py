"""Figures as functions of how much each photo counts, so that chance can be tried out on them.

Each maker takes columns with a value for each photo and gives a function of ``(B, N)``, B sets of
weights of the N photos, none below zero, to ``float64 (B,)``. Weights of one are the figure itself;
NaN is where nothing counts. Sums have the precision of the weights: of whole numbers, float32 is
exact up to 16 million photos.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

CALIBRATION_BINS = 15

Weights = NDArray[np.floating]
Weighted = Callable[[Weights], NDArray[np.float64]]


def mean(
    values: NDArray[np.bool_] | NDArray[np.number], counted: NDArray[np.bool_] | None = None
) -> Weighted:
    """The mean of a value.

    Args:
        values: ``(N,)``.
        counted: ``(N,)``, which photos count at all; all where not given.
    """
    used = np.ones(len(values), np.bool_) if counted is None else counted
    columns = np.stack([np.where(used, values, 0), used], axis=1).astype(np.float64)

    def of(weights: Weights) -> NDArray[np.float64]:
        total, count = (weights @ columns.astype(weights.dtype)).T
        return _share(total, count)

    return of


def macro_mean(values: NDArray[np.bool_], truth: NDArray[np.integer]) -> Weighted:
    """The mean over labels of the mean of a value over the label's photos.

    Args:
        values: ``(N,)``.
        truth: ``(N,)``, the label of each photo.
    """
    order = np.argsort(truth, kind="stable")
    first = np.unique(truth[order], return_index=True)[1]

    def of(weights: Weights) -> NDArray[np.float64]:
        counts = weights[:, order]
        photos = np.add.reduceat(counts, first, axis=1)
        right = np.add.reduceat(counts * values[order], first, axis=1)
        there = photos > 0
        shares = np.divide(right, photos, out=np.zeros_like(right), where=there)
        return _share(shares.sum(axis=1, dtype=np.float64), there.sum(axis=1))

    return of


def calibration_error(confidence: NDArray[np.floating], right: NDArray[np.bool_]) -> Weighted:
    """Expected calibration error: confidence and accuracy apart, over 15 groups of equal weight.

    Naeini et al. 2015, with groups of one size (Nguyen and O'Connor 2015). Of few photos it is
    large by chance alone.

    Args:
        confidence: ``(N,)``, the probability of the predicted label, in [0, 1].
        right: ``(N,)``, whether it was the right one.
    """
    order, first = ascending(confidence)
    excess = confidence[order] - right[order]
    edges = np.arange(1, CALIBRATION_BINS) / CALIBRATION_BINS

    def of(weights: Weights) -> NDArray[np.float64]:
        counts = weights[:, order]
        reached = counts.cumsum(axis=1, dtype=weights.dtype)
        total = reached[:, -1].astype(np.float64)
        middles = reached - counts / 2  # a photo is where the middle of its weight lies
        ends = np.stack(
            [np.searchsorted(row, edges * most) for row, most in zip(middles, total, strict=True)]
        )
        sums = levelled(counts, excess.astype(weights.dtype), first)
        sums = sums.cumsum(axis=1, dtype=np.float64)
        sums = np.pad(sums, ((0, 0), (1, 0)))
        parts = np.diff(
            np.take_along_axis(sums, ends, axis=1), axis=1, prepend=0, append=sums[:, -1:]
        )
        return _share(np.abs(parts).sum(axis=1), total)

    return of


def risk_coverage_area(confidence: NDArray[np.floating], right: NDArray[np.bool_]) -> Weighted:
    """Area under the risk-coverage curve (Geifman and El-Yaniv 2017, arXiv:1705.08500).

    Photos are answered from the surest on; at each the share of wrong answers so far is the risk,
    and the area is its mean. 0 is the best.

    Args:
        confidence: ``(N,)``, what says how sure an answer is.
        right: ``(N,)``, whether it is right.
    """
    order, first = ascending(-confidence)
    wrong = ~right[order]

    def of(weights: Weights) -> NDArray[np.float64]:
        counts = weights[:, order]
        answered = counts.cumsum(axis=1, dtype=weights.dtype)
        mistakes = levelled(counts, wrong, first).cumsum(axis=1, dtype=np.float64)
        mistakes /= np.maximum(answered, np.finfo(weights.dtype).tiny)
        return _share((counts * mistakes).sum(axis=1, dtype=np.float64), answered[:, -1])

    return of


def ascending(values: NDArray[np.floating]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The order of values, ``(N,)``, and where in it each of them comes first."""
    order = np.argsort(values, kind="stable")
    return order, np.flatnonzero(np.diff(values[order], prepend=-np.inf))


def levelled(
    counts: Weights, values: NDArray[np.bool_] | NDArray[np.floating], first: NDArray[np.int64]
) -> NDArray[np.floating]:
    """Weights times values, each value the mean of those beside it that cannot be told apart.

    Otherwise the order of a file would decide what becomes of equal confidences.

    Args:
        counts: ``(B, N)``, the weights.
        values: ``(N,)``.
        first: Where those begin that are alike.
    """
    products = np.asarray(counts * values)
    lengths = np.diff(first, append=len(values))
    several = lengths > 1
    if several.any():  # few of most predictions, so the others are let be
        rows = np.flatnonzero(np.repeat(several, lengths))
        starts = np.cumsum(lengths[several]) - lengths[several]
        weights = np.add.reduceat(counts[:, rows], starts, axis=1)
        means = np.add.reduceat(products[:, rows], starts, axis=1)
        np.divide(means, weights, out=means, where=weights > 0)
        products[:, rows] = counts[:, rows] * np.repeat(means, lengths[several], axis=1)
    return products


def _share(part: NDArray[np.floating], whole: NDArray[np.number]) -> NDArray[np.float64]:
    shares = np.full(len(part), np.nan)
    np.divide(part, whole, out=shares, where=whole > 0)
    return shares
