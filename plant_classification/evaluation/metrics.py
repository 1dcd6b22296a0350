"""How good predictions are: over all photos, by rank, by label, by pairs of labels.

All figures come from a few columns with a value for each photo (:class:`Predictions`), never from a
table of photos by labels or of labels by labels, so that thousands of labels cost little memory.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from plant_classification.evaluation.reliability import expected_calibration_error
from plant_classification.taxonomy import Label, ranks_of
from plant_classification.trust import probabilities
from plant_classification.trust.calibration import check_labelled

BLOCK = 256
"""Photos whose probabilities are in memory at one time."""


@dataclasses.dataclass(frozen=True)
class Predictions:
    """What a model said of photos whose label is known.

    Attributes:
        truth: ``int64 (N,)``, the index of each photo's label.
        predicted: ``int64 (N,)``, the label that came first.
        place: ``int64 (N,)``, how many labels came before the right one: 0 is a right answer.
        confidence: ``float64 (N,)``, the probability of the predicted label, in [0, 1].
        log_probability: ``float64 (N,)``, the natural logarithm of the right label's probability,
            at most 0; None where it is not known.
    """

    truth: NDArray[np.int64]
    predicted: NDArray[np.int64]
    place: NDArray[np.int64]
    confidence: NDArray[np.float64]
    log_probability: NDArray[np.float64] | None

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def right(self) -> NDArray[np.bool_]:
        """``bool (N,)``: whether the label that came first is the right one."""
        return np.equal(self.place, 0)


@dataclasses.dataclass(frozen=True)
class Figures:
    """What predictions come to; all but the losses are fractions in [0, 1].

    A genus-form label (``Rosa sp.``) is right as any other label is, and in its genus and family.

    Attributes:
        photos: How many there are.
        top_1: Share of the photos whose label came first.
        top_5: The same among the first five.
        macro_top_1: ``top_1`` of each label that has photos, averaged over these labels.
        genus_top_1: Share of the photos whose best label is of their genus, or None.
        family_top_1: The same of their family; photos whose family is unknown are not counted, and
            it is None where they all are.
        log_loss: Mean of minus the natural logarithm of the right label's probability, or None.
        ece: Expected calibration error (:func:`expected_calibration_error`).
    """

    photos: int
    top_1: float
    top_5: float
    macro_top_1: float
    genus_top_1: float | None
    family_top_1: float | None
    log_loss: float | None
    ece: float


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
    confidence, log_probability = np.empty(len(truth)), np.empty(len(truth))
    for start in range(0, len(truth), BLOCK):
        rows = slice(start, start + BLOCK)
        block, right = logits[rows], labels[rows, np.newaxis]
        scores = np.take_along_axis(block, right, axis=1)
        earlier = np.arange(block.shape[1]) < right
        place[rows] = ((block > scores) | ((block == scores) & earlier)).sum(axis=1)
        predicted[rows] = block.argmax(axis=1)
        confidence[rows] = probabilities(block, temperature).max(axis=1)
        scaled = (block.astype(np.float64) - scores) / temperature
        log_probability[rows] = -np.logaddexp.reduce(scaled, axis=1)
    return Predictions(labels, predicted, place, confidence, log_probability)


def figures_of(predictions: Predictions, labels: Sequence[Label]) -> Figures:
    """All figures at once.

    Args:
        predictions: Of one photo or more.
        labels: In the order of the indices.
    """
    loss = predictions.log_probability
    return Figures(
        photos=len(predictions),
        top_1=top_k_accuracy(predictions.place, 1),
        top_5=top_k_accuracy(predictions.place, 5),
        macro_top_1=macro_average(predictions.right, predictions.truth),
        genus_top_1=rank_accuracy(predictions, labels, "genus"),
        family_top_1=rank_accuracy(predictions, labels, "family"),
        log_loss=None if loss is None else float(-loss.mean()),
        ece=expected_calibration_error(predictions.confidence, predictions.right),
    )


def top_k_accuracy(place: NDArray[np.integer], k: int) -> float:
    """Share of the photos whose label is among the first ``k``, in [0, 1]."""
    return float((place < k).mean())


def macro_average(right: NDArray[np.bool_], truth: NDArray[np.integer]) -> float:
    """Mean over the labels that have photos of the share of them that is right, in [0, 1]."""
    photos = np.bincount(truth)
    present = photos > 0
    return float((np.bincount(truth, right)[present] / photos[present]).mean())


def rank_accuracy(predictions: Predictions, labels: Sequence[Label], rank: str) -> float | None:
    """Share of the photos whose best label belongs to their taxon of a rank.

    Args:
        predictions: Of photos.
        labels: In the order of the indices.
        rank: ``"species"``, ``"genus"`` or ``"family"``.

    Returns:
        In [0, 1], of the photos whose label has a taxon of the rank; None where no label has.
    """
    members = next(known.members for known in ranks_of(labels) if known.name == rank)
    truth = members[predictions.truth]
    right = (truth == members[predictions.predicted])[truth >= 0]
    return float(right.mean()) if len(right) else None


@dataclasses.dataclass(frozen=True)
class LabelFigures:
    """What predictions come to for each label; all arrays are ``int64 (labels,)``.

    Attributes:
        photos: How many photos are of the label.
        right: Of how many it came first.
        top_5: Of how many it was among the first five.
        mistaken_for: The label that most of its mistaken photos were taken for, or -1.
        mistaken: How many were.
    """

    photos: NDArray[np.int64]
    right: NDArray[np.int64]
    top_5: NDArray[np.int64]
    mistaken_for: NDArray[np.int64]
    mistaken: NDArray[np.int64]


def label_figures(predictions: Predictions, label_count: int) -> LabelFigures:
    """Count for each label what became of its photos."""

    def count(which: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.bincount(predictions.truth[which], minlength=label_count).astype(np.int64)

    pairs = confusions(predictions)
    mistaken_for, mistaken = np.full(label_count, -1), np.zeros(label_count, np.int64)
    # The most frequent pair of a label is written last, and stays.
    mistaken_for[pairs.truth[::-1]] = pairs.predicted[::-1]
    mistaken[pairs.truth[::-1]] = pairs.photos[::-1]
    return LabelFigures(
        photos=count(predictions.place >= 0),
        right=count(predictions.right),
        top_5=count(predictions.place < 5),
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
