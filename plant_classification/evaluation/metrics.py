"""How good predictions are: over all photos, by rank, by label, by pairs of labels.

All figures come from a few columns with a value for each photo (:class:`Predictions`), never from a
table of photos by labels or of labels by labels, so that thousands of labels cost little memory.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plant_classification.evaluation import weighted
from plant_classification.evaluation.weighted import Weighted
from plant_classification.taxonomy import Label, ranks_of
from plant_classification.trust import probabilities
from plant_classification.trust.calibration import check_labelled

BLOCK = 128
"""Photos whose probabilities are in memory at one time."""

AVERAGE = 5
"""Labels in a set, on average: those whose probability reaches a threshold, one for all photos, so
that a hard photo gets many and an easy one few (average-k, arXiv:2303.18118)."""


@dataclasses.dataclass(frozen=True)
class Predictions:
    """What a model said of photos whose label is known.

    Attributes:
        truth: ``int64 (N,)``, the index of each photo's label.
        predicted: ``int64 (N,)``, the label that came first.
        place: ``int64 (N,)``, how many labels came before the right one: 0 is a right answer. Where
            only some are known, of which the right one is none, it is their number.
        confidence: ``float64 (N,)``, the probability of the predicted label, in [0, 1].
        log_probability: ``float64 (N,)``, the natural logarithm of the right label's probability,
            at most 0; None where it is not known.
        in_average_5: ``bool (N,)``, whether the right label is in a set of labels that have five on
            average (``AVERAGE``); None where it is not known.
        listed: How many labels of each photo are known, or None for all.
    """

    truth: NDArray[np.int64]
    predicted: NDArray[np.int64]
    place: NDArray[np.int64]
    confidence: NDArray[np.float64]
    log_probability: NDArray[np.float64] | None
    in_average_5: NDArray[np.bool_] | None = None
    listed: int | None = None

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def right(self) -> NDArray[np.bool_]:
        """``bool (N,)``: whether the label that came first is the right one."""
        return np.equal(self.place, 0)

    @property
    def in_first_five(self) -> NDArray[np.bool_] | None:
        """``bool (N,)``: whether the right label is among the first five, or None."""
        return self.place < 5 if self.listed is None or self.listed >= 5 else None

    @property
    def right_probability(self) -> NDArray[np.float64] | None:
        """``float64 (N,)``: that of the right label, in [0, 1], where it is known."""
        return None if self.log_probability is None else np.exp(self.log_probability)


@dataclasses.dataclass(frozen=True)
class Figures:
    """What predictions come to; all but the loss are fractions in [0, 1], None where unknown.

    A genus-form label (``Rosa sp.``) is right as any other label is, and in its genus and family.

    Attributes:
        photos: How many there are.
        top_1: Share of the photos whose label came first.
        top_5: The same among the first five.
        average_5: The same in sets of labels that have five on average (``AVERAGE``).
        macro_top_1: ``top_1`` of each label that has photos, averaged over these labels.
        macro_top_5: The same of ``top_5``.
        genus_top_1: Share of the photos whose best label is of their genus.
        family_top_1: The same of their family; photos whose family is unknown are not counted.
        log_loss: Mean of minus the natural logarithm of the right label's probability.
        ece: Expected calibration error (:func:`weighted.calibration_error`).
        aurc: Area under the risk-coverage curve (:func:`weighted.risk_coverage_area`).
    """

    photos: int
    top_1: float
    top_5: float | None
    average_5: float | None
    macro_top_1: float
    macro_top_5: float | None
    genus_top_1: float | None
    family_top_1: float | None
    log_loss: float | None
    ece: float
    aurc: float


def judge(
    logits: NDArray[np.floating], truth: NDArray[np.integer], temperature: float = 1.0
) -> Predictions:
    """What a model's outputs say of photos; of equal outputs the first comes first.

    Args:
        logits: ``(N, labels)``, finite, before temperature.
        truth: ``(N,)``, the index of each photo's label.
        temperature: Divisor of the logits, above 0.

    Raises:
        ArgumentError: Arrays that do not match, a label that the logits do not have, NaN.
    """
    check_labelled(logits, truth)
    labels: NDArray[np.int64] = np.asarray(truth, np.int64)
    place, predicted = np.empty_like(labels), np.empty_like(labels)
    confidence, own, log_probability = np.empty((3, len(truth)))
    largest = np.zeros(0)
    for start in range(0, len(truth), BLOCK):
        rows = slice(start, start + BLOCK)
        block, right = logits[rows], labels[rows, np.newaxis]
        scores = np.take_along_axis(block, right, axis=1)
        earlier = np.arange(block.shape[1]) < right
        place[rows] = ((block > scores) | ((block == scores) & earlier)).sum(axis=1)
        predicted[rows] = block.argmax(axis=1)
        shares = probabilities(block, temperature)
        confidence[rows] = shares.max(axis=1)
        own[rows] = np.take_along_axis(shares, right, axis=1)[:, 0]
        scaled = (block.astype(np.float64) - scores) / temperature
        log_probability[rows] = -np.logaddexp.reduce(scaled, axis=1)
        if len(largest) == AVERAGE * len(truth):
            shares = shares[shares > largest.min()]
        largest = _largest(np.append(largest, shares), AVERAGE * len(truth))
    sure_enough = own >= largest.min(initial=1.0)
    return Predictions(labels, predicted, place, confidence, log_probability, sure_enough)


def _largest(values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    return values if len(values) <= count else np.partition(values, -count)[-count:]


def figures_of(predictions: Predictions, labels: Sequence[Label]) -> Figures:
    """All figures at once.

    Args:
        predictions: Of one photo or more.
        labels: In the order of the indices.
    """
    found = {
        name: float(figure(np.ones((1, len(predictions))))[0])
        for name, figure in weighted_figures(predictions, labels).items()
    }
    known = {name: value for name, value in found.items() if not math.isnan(value)}
    names = [field.name for field in dataclasses.fields(Figures) if field.name != "photos"]
    values: dict[str, Any] = {name: known.get(name) for name in names}
    return Figures(len(predictions), **values)


def weighted_figures(predictions: Predictions, labels: Sequence[Label]) -> dict[str, Weighted]:
    """Each figure of :class:`Figures` that can be had, as a function of the photos' weights."""
    right, truth = predictions.right, predictions.truth
    figures = {
        "top_1": weighted.mean(right),
        "macro_top_1": weighted.macro_mean(right, truth),
        "ece": weighted.calibration_error(predictions.confidence, right),
        "aurc": weighted.risk_coverage_area(predictions.confidence, right),
    }
    first_five = predictions.in_first_five
    if first_five is not None:
        figures["top_5"] = weighted.mean(first_five)
        figures["macro_top_5"] = weighted.macro_mean(first_five, truth)
    if predictions.in_average_5 is not None:
        figures["average_5"] = weighted.mean(predictions.in_average_5)
    if predictions.log_probability is not None:
        figures["log_loss"] = weighted.mean(-predictions.log_probability)
    for rank in ranks_of(labels):
        if rank.name != "species":
            of_truth = rank.members[truth]
            of_best = rank.members[predictions.predicted]
            figures[f"{rank.name}_top_1"] = weighted.mean(of_truth == of_best, of_truth >= 0)
    return figures


def of_known_rank(
    predictions: Predictions, labels: Sequence[Label]
) -> dict[str, NDArray[np.bool_]]:
    """Which photos, ``bool (N,)``, have a part in a figure that leaves some out."""
    return {
        f"{rank.name}_top_1": rank.members[predictions.truth] >= 0
        for rank in ranks_of(labels)
        if rank.name != "species"
    }


@dataclasses.dataclass(frozen=True)
class LabelFigures:
    """What predictions come to for each label; all arrays are ``int64 (labels,)``.

    Attributes:
        photos: How many photos are of the label.
        right: Of how many it came first.
        top_5: Of how many it was among the first five; None where fewer are known.
        mistaken_for: The label that most of its mistaken photos were taken for, or -1.
        mistaken: How many were.
    """

    photos: NDArray[np.int64]
    right: NDArray[np.int64]
    top_5: NDArray[np.int64] | None
    mistaken_for: NDArray[np.int64]
    mistaken: NDArray[np.int64]


def label_figures(predictions: Predictions, label_count: int) -> LabelFigures:
    """Count for each label what became of its photos."""

    def count(which: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.bincount(predictions.truth[which], minlength=label_count).astype(np.int64)

    first_five = predictions.in_first_five
    pairs = confusions(predictions)
    mistaken_for, mistaken = np.full(label_count, -1), np.zeros(label_count, np.int64)
    # The most frequent pair of a label is written last, and stays.
    mistaken_for[pairs.truth[::-1]] = pairs.predicted[::-1]
    mistaken[pairs.truth[::-1]] = pairs.photos[::-1]
    return LabelFigures(
        photos=count(predictions.place >= 0),
        right=count(predictions.right),
        top_5=None if first_five is None else count(first_five),
        mistaken_for=mistaken_for,
        mistaken=mistaken,
    )


@dataclasses.dataclass(frozen=True)
class Confusions:
    """Pairs of labels that were confused, ``int64 (pairs,)`` each.

    The most frequent ones stand first, and of these the ones whose right label has fewest photos.

    Attributes:
        truth: The right label.
        predicted: The one that came first.
        photos: How often.
    """

    truth: NDArray[np.int64]
    predicted: NDArray[np.int64]
    photos: NDArray[np.int64]


def confusions(predictions: Predictions) -> Confusions:
    """The pairs that occur: what is not zero, off the diagonal, in the confusion matrix."""
    wrong = ~predictions.right
    pairs = np.stack([predictions.truth[wrong], predictions.predicted[wrong]])
    (truth, predicted), photos = np.unique(pairs, axis=1, return_counts=True)
    order = np.lexsort((np.bincount(predictions.truth)[truth], -photos))
    return Confusions(truth[order], predicted[order], photos[order])
