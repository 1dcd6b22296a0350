"""Figures of predictions: scikit-learn's where it has them, else by their definition."""

from __future__ import annotations

import dataclasses
import tracemalloc

import numpy as np
import pytest
from numpy.typing import NDArray

from plant_classification.errors import ArgumentError
from plant_classification.evaluation.metrics import (
    Predictions,
    confusions,
    figures_of,
    judge,
    label_figures,
)
from plant_classification.evaluation.wilson import share_interval
from plant_classification.taxonomy import label_of
from plant_classification.trust import probabilities

LABELS = (
    label_of("Rosa canina", "Rosaceae"),
    label_of("Rosa sp.", "Rosaceae"),
    label_of("Malus domestica", "Rosaceae"),
    label_of("Tulipa gesneriana", "Liliaceae"),
    label_of("Incerta planta"),
)


@pytest.fixture
def logits() -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(0, 2, (600, 30)).astype(np.float32)


@pytest.fixture
def truth() -> NDArray[np.int32]:
    """The labels of the photos; label 29 has none."""
    return np.random.default_rng(1).integers(0, 29, 600, dtype=np.int32)


def of_pairs(*pairs: tuple[int, int]) -> Predictions:
    """Predictions by their right and their predicted labels alone."""
    truth, predicted = np.array(pairs).T
    place = np.where(truth == predicted, 0, 7)
    return Predictions(truth, predicted, place, np.full(len(pairs), 0.5), None)


def test_figures_are_those_of_scikit_learn(
    logits: NDArray[np.float32], truth: NDArray[np.int32]
) -> None:
    from sklearn import metrics

    shares = probabilities(logits, 1.7)
    every = np.arange(30)
    seen = judge(logits, truth, 1.7)
    labels = [label_of(f"Genus{'abcdefghijklmnopqrstuvwxyzABCD'[i]} alba") for i in every]
    figures = figures_of(seen, labels)
    assert figures.photos == 600
    assert figures.top_1 == pytest.approx(metrics.accuracy_score(truth, logits.argmax(axis=1)))
    assert figures.top_5 == pytest.approx(
        metrics.top_k_accuracy_score(truth, shares, k=5, labels=every)
    )
    assert figures.macro_top_1 == pytest.approx(
        metrics.recall_score(truth, logits.argmax(axis=1), labels=np.unique(truth), average="macro")
    )
    assert figures.log_loss == pytest.approx(metrics.log_loss(truth, shares, labels=every))
    assert figures.genus_top_1 == figures.top_1
    assert figures.family_top_1 is None
    np.testing.assert_allclose(seen.confidence, shares.max(axis=1))


def test_counts_of_labels_and_pairs_are_those_of_the_confusion_matrix(
    logits: NDArray[np.float32], truth: NDArray[np.int32]
) -> None:
    from sklearn.metrics import confusion_matrix

    seen = judge(logits, truth)
    matrix = confusion_matrix(truth, logits.argmax(axis=1), labels=np.arange(30))
    by_label = label_figures(seen, 30)
    np.testing.assert_array_equal(by_label.photos, matrix.sum(axis=1))
    np.testing.assert_array_equal(by_label.right, matrix.diagonal())
    np.fill_diagonal(matrix, 0)
    np.testing.assert_array_equal(by_label.mistaken, matrix.max(axis=1))
    taken = by_label.mistaken > 0
    rows = np.flatnonzero(taken)
    np.testing.assert_array_equal(
        matrix[rows, by_label.mistaken_for[rows]], by_label.mistaken[rows]
    )
    assert (by_label.mistaken_for[~taken] == -1).all()
    assert by_label.photos[29] == 0

    pairs = confusions(seen)
    np.testing.assert_array_equal(matrix[pairs.truth, pairs.predicted], pairs.photos)
    assert pairs.photos.sum() == matrix.sum()
    assert (np.diff(pairs.photos) <= 0).all()


def test_of_equal_outputs_the_first_comes_first() -> None:
    seen = judge(np.zeros((3, 3)), np.array([0, 1, 2]))
    assert seen.predicted.tolist() == [0, 0, 0]
    assert seen.place.tolist() == [0, 1, 2]


def test_macro_leaves_labels_without_photos_out() -> None:
    seen = of_pairs((0, 0), (0, 0), (0, 0), (0, 3), (3, 0))
    assert figures_of(seen, LABELS).macro_top_1 == pytest.approx(0.375)


def test_a_genus_form_label_is_right_in_its_genus_and_family() -> None:
    figures = figures_of(of_pairs((0, 1), (1, 0), (1, 1), (2, 0), (3, 3), (3, 0)), LABELS)
    assert figures.top_1 == pytest.approx(2 / 6)
    assert figures.genus_top_1 == pytest.approx(4 / 6)
    assert figures.family_top_1 == pytest.approx(5 / 6)


def test_a_photo_whose_family_is_unknown_is_not_counted_there() -> None:
    assert figures_of(of_pairs((4, 4), (0, 4), (0, 2)), LABELS).family_top_1 == 0.5
    assert figures_of(of_pairs((4, 4)), LABELS).family_top_1 is None


def test_sets_of_five_on_average_are_those_of_the_surest_labels(
    logits: NDArray[np.float32], truth: NDArray[np.int32]
) -> None:
    shares = probabilities(logits)
    threshold = np.sort(shares.ravel())[-5 * len(shares)]
    assert (shares >= threshold).sum() == 5 * len(shares)
    expected = (shares[np.arange(len(truth)), truth] >= threshold).mean()
    seen = judge(logits, truth)
    assert seen.in_average_5 is not None
    assert seen.in_average_5.mean() == pytest.approx(expected)


def test_what_is_listed_to_the_third_place_has_no_first_five() -> None:
    seen = dataclasses.replace(of_pairs((0, 1), (1, 1)), listed=3)
    figures = figures_of(seen, LABELS)
    assert figures.top_1 == 0.5
    assert figures.top_5 is figures.macro_top_5 is figures.average_5 is figures.log_loss is None


def test_where_nothing_is_wrong_no_pair_was_confused() -> None:
    assert len(confusions(of_pairs((0, 0), (3, 3))).photos) == 0


def test_a_probability_that_underflows_has_a_finite_loss() -> None:
    seen = judge(np.array([[0.0, 4000.0]], np.float32), np.array([0]))
    assert seen.log_probability is not None
    assert seen.log_probability[0] == pytest.approx(-4000)


@pytest.mark.parametrize(
    ("outputs", "truth"),
    [
        (np.zeros((2, 3)), np.array([0, 3])),
        (np.zeros((2, 3)), np.array([0])),
        (np.full((1, 3), np.inf), np.array([0])),
    ],
)
def test_outputs_that_cannot_be_judged_are_refused(
    outputs: NDArray[np.float64], truth: NDArray[np.int64]
) -> None:
    with pytest.raises(ArgumentError):
        judge(outputs, truth)


def test_many_labels_cost_little_memory_beside_the_outputs() -> None:
    outputs = np.random.default_rng(0).normal(size=(2000, 6000)).astype(np.float32)
    truth = np.arange(2000)
    tracemalloc.start()
    seen = judge(outputs, truth)
    label_figures(seen, 6000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.5 * outputs.nbytes  # a matrix of 6000 x 6000 counts has 6 times as many bytes


def test_the_interval_of_a_share_is_where_the_share_is_no_surprise() -> None:
    right, photos = np.array([0, 3, 10, 91]), np.array([5, 10, 10, 100])
    low, high = share_interval(right, photos)
    assert low[0] == pytest.approx(0, abs=1e-12)
    assert high[2] == pytest.approx(1)
    for bound, rows in ((low, [1, 2, 3]), (high, [0, 1, 3])):
        deviation = np.sqrt(bound * (1 - bound) / photos)[rows]
        surprise = np.abs(right / photos - bound)[rows] / deviation
        np.testing.assert_allclose(surprise, 1.959964, rtol=1e-6)
    assert (low < high).all()
