"""Fitting the last layer on features: drawn ones, and the pixels of scikit-learn's digits."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from plant_classification.inference.head import Head
from plant_classification.training.label_weights import LabelWeights
from plant_classification.training.linear_head import (
    SHRINKAGES,
    _descend,
    choose_shrinkage,
    fit_head,
)
from plant_classification.training.whitening import Spread
from plant_classification.trust.feature_statistics import FeatureStatistics

EQUAL = {"balanced": False, "adjustment": 0.0}


def drawn(
    counts: list[int], features: int = 60, seed: int = 0, distance: float = 1.0
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Labels a distance apart, in noise that is strongest in a few directions."""
    random = np.random.default_rng(seed)
    means = distance * np.random.default_rng(99).normal(size=(len(counts), features))
    mixing = np.random.default_rng(98).normal(size=(features, features)) / 4
    labels = np.repeat(np.arange(len(counts)), counts).astype(np.int32)
    noise = random.normal(size=(len(labels), features)) * np.geomspace(8, 1, features)
    return (5 + means[labels] + noise @ mixing).astype(np.float32), labels


def fitted(
    features: NDArray[np.float32], labels: NDArray[np.int32], count: int, **options: float | bool
) -> Head:
    counts = np.bincount(labels, minlength=count)
    weighted = LabelWeights.of(counts, **EQUAL | options)  # type: ignore[arg-type]
    return fit_head(features.copy(), labels, 0.3, weighted, 0)


def accuracy(head: Head, features: NDArray[np.float32], labels: NDArray[np.int32]) -> float:
    return float((head(features).argmax(axis=1) == labels).mean())


def test_it_tells_digits_as_well_as_scikit_learn() -> None:
    pixels, digits = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(digits))
    features, labels = pixels[order].astype(np.float32), digits[order].astype(np.int32)
    known, unknown = slice(0, 1000), slice(1000, None)
    ours = fitted(features[known], labels[known], 10)
    theirs = LogisticRegression(max_iter=5000).fit(features[known], labels[known])
    expected = theirs.score(features[unknown], labels[unknown])
    assert accuracy(ours, features[unknown], labels[unknown]) >= expected - 0.005


def test_the_same_seed_gives_the_same_head() -> None:
    features, labels = drawn([30, 30, 30])
    one, other = (fitted(features, labels, 3) for _ in range(2))
    np.testing.assert_array_equal(one.kernel, other.kernel)
    np.testing.assert_array_equal(one.bias, other.bias)


def test_features_kept_at_half_precision_give_nearly_the_same_head() -> None:
    features, labels = drawn([40, 40, 40])
    whole = fitted(features, labels, 3)
    weighted = LabelWeights.of(np.bincount(labels), balanced=False, adjustment=0.0)
    half = fit_head(features.astype(np.float16), labels, 0.3, weighted, 0)
    np.testing.assert_allclose(half(features), whole(features), atol=0.1)


@pytest.mark.parametrize("option", [{"balanced": True}, {"adjustment": 1.0}])
def test_a_rare_label_is_found_more_often_where_it_is_made_to_count(
    option: dict[str, float | bool],
) -> None:
    features, labels = drawn([400, 400, 12], distance=0.4)
    unknown, truth = drawn([200, 200, 200], seed=1, distance=0.4)
    is_rare = truth == 2
    plain, changed = (fitted(features, labels, 3, **options) for options in ({}, option))
    before, after = (accuracy(head, unknown[is_rare], truth[is_rare]) for head in (plain, changed))
    assert after > before + 0.05


def test_weights_have_the_mean_one_over_the_photos_and_count_labels_alike() -> None:
    counts = np.array([10, 40, 0, 50])
    weighted = LabelWeights.of(counts, balanced=True, adjustment=2.0)
    totals = weighted.weights * counts
    assert totals.sum() == pytest.approx(counts.sum())
    np.testing.assert_allclose(totals[[0, 1, 3]], totals[0], rtol=1e-6)
    np.testing.assert_allclose(weighted.offsets[[0, 1]], 2 * np.log([0.1, 0.4]), rtol=1e-6)
    assert np.isfinite(weighted.offsets).all()


@pytest.mark.parametrize(
    ("counts", "count"),
    [([9], 1), ([1, 1], 2), ([3, 0, 2], 3), ([2, 3], 4), ([300, 1], 2)],
    ids=["one label", "one photo each", "a label between without", "labels at the end", "rare"],
)
def test_few_photos_give_a_head_that_knows_them(counts: list[int], count: int) -> None:
    features, labels = drawn(counts)
    head = fitted(features, labels, count)
    assert head.kernel.shape == (60, count)
    assert np.isfinite(head(features)).all()
    assert accuracy(head, features, labels) > 0.95


def test_features_that_are_all_the_same_give_a_head_without_an_opinion() -> None:
    labels = np.repeat(np.arange(2), 10).astype(np.int32)
    logits = fitted(np.full((20, 8), 3, np.float32), labels, 2)(np.full((1, 8), 3, np.float32))
    assert abs(logits[0, 0] - logits[0, 1]) < 1e-3


def test_labels_that_are_kept_stay_and_the_others_learn() -> None:
    features, labels = drawn([50, 50, 50])
    begun = fitted(features[labels < 2], labels[labels < 2], 3)
    weighted = LabelWeights.of(np.bincount(labels), balanced=False, adjustment=0.0)
    head = fit_head(features.copy(), labels, 0.3, weighted, 0, begun=begun, kept=2)
    np.testing.assert_allclose(head.kernel[:, :2], begun.kernel[:, :2], atol=1e-4)
    np.testing.assert_allclose(head.bias[:2], begun.bias[:2], atol=1e-3)
    is_new = labels == 2
    assert accuracy(begun, features[is_new], labels[is_new]) < 0.1
    assert accuracy(head, features, labels) > 0.9


def test_whitened_features_are_uncorrelated_and_a_head_is_the_same_before_and_after() -> None:
    features, labels = drawn([400, 400])
    whitening = Spread.of(features, labels, 2).whitening(1e-6)
    seen = FeatureStatistics.of(whitening(features), labels, 2).covariance
    spread = np.diag(seen)
    assert np.abs(seen - np.diag(spread)).max() < 0.1 * spread.min()
    assert spread.max() < 1.1 * spread.min()
    head = fitted(features, labels, 2)
    back = Head(*whitening.unwhitened(*whitening.whitened(head.kernel, head.bias)))
    np.testing.assert_allclose(back.kernel, head.kernel, atol=1e-4)
    within = Head(*whitening.whitened(head.kernel, head.bias))
    np.testing.assert_allclose(within(whitening(features)), head(features), atol=1e-2)


def test_few_features_give_the_same_head_in_the_directions_that_they_have() -> None:
    features, labels = drawn([8, 8], features=60)
    unknown, _ = drawn([50, 50], features=60, seed=1)
    heads = []
    for in_all_directions in (False, True):
        spread = Spread.of(features, labels, 2, in_all_directions=in_all_directions)
        whitening = spread.whitening(0.3)
        weighted = LabelWeights.of(np.bincount(labels), balanced=False, adjustment=0.0)
        begun = Head(np.zeros((whitening.matrix.shape[1], 2), np.float32), np.zeros(2, np.float32))
        head = _descend(whitening(features), labels, begun, 0, weighted, 0)
        heads.append(Head(*whitening.unwhitened(head.kernel, head.bias)))
    few, whole = heads
    assert Spread.of(features, labels, 2).statistics.covariance.shape == (16, 16)
    np.testing.assert_allclose(few.kernel, whole.kernel, atol=1e-3 * np.abs(whole.kernel).max())
    np.testing.assert_allclose(few(unknown), whole(unknown), atol=1e-2)


def chosen(features: NDArray[np.float32], labels: NDArray[np.int32], groups: object) -> float:
    weighted = LabelWeights.of(np.bincount(labels), balanced=False, adjustment=0.0)
    return choose_shrinkage(features[:, np.newaxis], labels, np.asarray(groups), weighted, 0)


def test_the_shrinkage_is_chosen_by_photos_that_are_held_back() -> None:
    features, labels = drawn([250] * 4, distance=0.5)
    assert chosen(features, labels, np.arange(1000)) == min(SHRINKAGES)
    round_noise = np.random.default_rng(0).normal(size=(40, 200)).astype(np.float32)
    round_noise[20:] += 0.3
    few = np.repeat([0, 1], 20).astype(np.int32)
    assert chosen(round_noise, few, np.arange(40)) == max(SHRINKAGES)


def test_where_no_photo_can_be_held_back_a_shrinkage_is_chosen_all_the_same() -> None:
    features, labels = drawn([1, 1, 1])
    assert chosen(features, labels, np.arange(3)) in SHRINKAGES


def test_it_says_how_far_it_is() -> None:
    features, labels = drawn([20, 20])
    told: list[tuple[int, int]] = []
    weighted = LabelWeights.of(np.bincount(labels), balanced=False, adjustment=0.0)
    fit_head(features, labels, 0.6, weighted, 0, lambda done, total: told.append((done, total)))
    assert told == [(step + 1, len(told)) for step in range(len(told))]
    assert len(told) >= 100
