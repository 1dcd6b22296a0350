"""More labels for a model, without the photos of those that it has.

What the model keeps of these are the mean of their features and one covariance. Features are drawn
from that, beside those of the new photos, and the head is fitted on both. The labels without new
photos keep their part of the head: it was fitted on photos. The others start from what they had,
or from nothing, and learn to stay off the drawn features.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from plant_classification.errors import ArgumentError
from plant_classification.inference.head import Head, read_head
from plant_classification.models import ModelFolder
from plant_classification.models.folder import NETWORK, TRUST
from plant_classification.taxonomy import Label
from plant_classification.taxonomy.synonyms import places_among
from plant_classification.training.label_weights import LabelWeights
from plant_classification.training.linear_head import fit_head
from plant_classification.trust.feature_statistics import FeatureStatistics

SHRINKAGE = 0.3
MOST_DRAWN = 100_000
MOST_JUDGED = 10_000
SEED_OF_JUDGED = 2**32
"""No training has it, so that a head is judged on others than those that it was fitted on."""
BLOCK = 4096


@dataclasses.dataclass(frozen=True)
class Known:
    """What is known of labels whose photos are not at hand.

    Attributes:
        labels: In the order of the network's outputs.
        head: Their last layer.
        statistics: Of the features of their photos.
    """

    labels: tuple[Label, ...]
    head: Head
    statistics: FeatureStatistics


def read_known(model: ModelFolder) -> Known:
    """Read what a model keeps of its labels.

    Raises:
        ArgumentError: It keeps nothing, or what it keeps does not fit its network.
        ModelFolderError: A file is damaged.
    """
    if TRUST not in model.files:
        raise ArgumentError(
            f"Model {model.name!r} cannot be extended: it has no {TRUST}, in which a training "
            "keeps what the features of its photos were like.",
            field="extend",
        )
    try:
        statistics = FeatureStatistics.load(model.file(TRUST))
        head, *more = read_head(model.file(NETWORK))
    except ValueError as fault:
        raise ArgumentError(
            f"Model {model.name!r} cannot be extended: {fault}", field="extend"
        ) from None
    if more:
        raise ArgumentError(
            f"Model {model.name!r} cannot be extended: a hidden layer stands between its "
            "features and its labels.",
            field="extend",
        )
    if statistics.means.shape != head.kernel.T.shape:
        raise ArgumentError(
            f"Model {model.name!r} cannot be extended: its {TRUST} is that of another network.",
            field="extend",
        )
    return Known(model.labels(), head, statistics)


def joined_labels(
    known: Sequence[Label], labels: Sequence[Label]
) -> tuple[tuple[Label, ...], NDArray[np.int64]]:
    """The labels of a model and of a data set, those of the model first; spellings are one.

    Returns:
        The labels, and for each one of the data set its place among them.
    """
    found = places_among([label.name for label in known], [label.name for label in labels])
    joined = list(known)
    new: dict[str, int] = {}
    places = []
    for label, place in zip(labels, found, strict=True):
        if place is None and label.name not in new:
            new[label.name] = len(joined)
            joined.append(label)
        places.append(new[label.name] if place is None else place)
    return tuple(joined), np.array(places, np.int64)


def extend_head(
    known: Known,
    features: NDArray[np.float16],
    labels: NDArray[np.integer],
    weighted: LabelWeights,
    seed: int,
    tell: Callable[[int, int], None] = lambda _done, _total: None,
) -> Head:
    """Fit the head for the labels of new photos, beside those that are known.

    Args:
        known: What is known.
        features: ``(N, V, D)``, of the views of the new photos.
        labels: ``(N,)``, the index of each one's label among all, those that are known first.
        weighted: How all labels count.
        seed: Of what is drawn, and of the order in which the features are seen.
        tell: Is told how many steps are done, and how many there are.

    Returns:
        The head for all labels.
    """
    count, old = len(weighted.weights), len(known.labels)
    views, channels = features.shape[1:]
    wanted = views * known.statistics.counts
    fewer = min(1.0, MOST_DRAWN / max(1, wanted.sum()))
    drawn, of_drawn = draw_features(
        known.statistics, np.ceil(fewer * wanted).astype(np.int64), seed
    )
    truth = np.concatenate([of_drawn, np.repeat(labels, views)])
    there = np.bincount(truth, minlength=count)
    wanted = views * np.bincount(labels, minlength=count) + np.pad(wanted, (0, count - old))
    has_new = np.bincount(labels, minlength=count) > 0
    order = np.argsort(has_new, kind="stable")  # those that stay as they are come first
    begun = Head(np.zeros((channels, count), np.float32), np.zeros(count, np.float32))
    begun.kernel[:, :old], begun.bias[:old] = known.head.kernel, known.head.bias
    fitted = fit_head(
        np.concatenate([drawn, features.reshape(-1, channels)]),
        np.argsort(order)[truth].astype(np.int32),
        SHRINKAGE,
        LabelWeights(
            np.float32(weighted.weights * wanted / np.maximum(there, 1))[order],
            weighted.offsets[order],
        ),
        seed,
        tell,
        begun=Head(begun.kernel[:, order], begun.bias[order]),
        kept=int(count - has_new.sum()),
    )
    moved = order[has_new[order]]
    begun.kernel[:, moved] = fitted.kernel[:, has_new[order]]
    begun.bias[moved] = fitted.bias[has_new[order]]
    return begun


def draw_features(
    statistics: FeatureStatistics, counts: NDArray[np.integer], seed: int
) -> tuple[NDArray[np.float16], NDArray[np.int64]]:
    """Draw features as those that the statistics are of.

    Args:
        statistics: A Gaussian for each label, all of the same shape.
        counts: ``(L,)``, how many of each label.
        seed: Of the draws.

    Returns:
        Features ``float16 (N, D)`` and the index of each one's label ``int64 (N,)``.
    """
    size = len(statistics.covariance)
    # Of fewer photos than features, and rounded, it has eigenvalues about zero.
    values, vectors = np.linalg.eigh(statistics.covariance)
    root = vectors * np.sqrt(np.maximum(values, 0))
    labels = np.repeat(np.arange(len(counts)), counts)
    features = np.empty((len(labels), size), np.float16)
    random = np.random.default_rng(seed)
    for start in range(0, len(labels), BLOCK):
        some = labels[start : start + BLOCK]
        normal = random.standard_normal((len(some), size), np.float32)
        features[start : start + BLOCK] = statistics.means[some] + normal @ root.T
    return features, labels


@dataclasses.dataclass(frozen=True)
class Comparison:
    """How well known labels are told before and after others came.

    Attributes:
        judged_on: What: ``"validation photos"`` or ``"features drawn from trust.npz"``.
        count: How many.
        before, after: Share of right answers, in [0, 1].
    """

    judged_on: str
    count: int
    before: float
    after: float

    def __str__(self) -> str:
        return (
            f"Labels that were known: {self.before:.1%} right before, {self.after:.1%} after "
            f"(on {self.count:,} {self.judged_on})."
        )


def compare(
    known: Known,
    head: Head,
    features: NDArray[np.floating],
    labels: NDArray[np.integer],
) -> Comparison:
    """Judge the known labels before and after.

    Args:
        known: What was known before.
        head: The head for these labels and others.
        features: ``(N, D)``, of photos of known labels that neither head was fitted on; where there
            are none, features are drawn.
        labels: ``(N,)``, the index of each one's label.
    """
    judged_on = "validation photos"
    if not len(labels):
        judged_on = f"features drawn from {TRUST}"
        counts = known.statistics.counts
        fewer = min(1.0, MOST_JUDGED / max(1, counts.sum()))
        features, labels = draw_features(
            known.statistics, np.ceil(fewer * counts).astype(np.int64), SEED_OF_JUDGED
        )
    return Comparison(
        judged_on,
        len(labels),
        _accuracy(known.head, features, labels),
        _accuracy(head, features, labels),
    )


def _accuracy(head: Head, features: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    right = [
        head(features[start : start + BLOCK]).argmax(axis=1) == labels[start : start + BLOCK]
        for start in range(0, len(labels), BLOCK)
    ]
    return float(np.concatenate(right).mean())
