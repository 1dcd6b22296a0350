"""Several photos of a plant, and several views of a photo, become one answer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from plant_classification.trust import of_photos, of_views, probabilities
from plant_classification.trust.combination import largest_logit

LABELS = 6


def shares_of(*rows: Sequence[float]) -> NDArray[np.float64]:
    table = np.array(rows, np.float64)
    return np.asarray(table / table.sum(axis=1, keepdims=True))


def test_one_photo_says_what_it_says() -> None:
    shares = shares_of([5, 3, 1, 1])
    np.testing.assert_array_equal(of_photos(shares), shares[0])


@pytest.mark.parametrize("count", [2, 3, 5])
def test_photos_that_agree_are_surer_than_one_of_them(count: int) -> None:
    shares = shares_of(*[[6, 2, 1, 1]] * count)
    together = of_photos(shares)
    assert together.sum() == pytest.approx(1)
    assert shares[0, 0] < together[0] < shares[0, 0] ** count / (shares[0] ** count).sum()


def test_the_order_of_photos_does_not_count() -> None:
    shares = shares_of([6, 2, 1, 1], [1, 1, 1, 7], [2, 5, 1, 1])
    np.testing.assert_allclose(of_photos(shares), of_photos(shares[::-1]))


def test_a_photo_gone_astray_does_not_outweigh_two_that_agree() -> None:
    astray = [1e-9, 1e-9, 1e-9, 1.0]
    together = of_photos(shares_of([90, 5, 4, 1], [90, 5, 4, 1], astray))
    assert together.argmax() == 0
    assert together[0] > 0.75


def test_views_of_a_photo_say_the_same_thing_again() -> None:
    logits = np.array([[2.0, 0.0, -1.0]] * 5)
    np.testing.assert_allclose(of_views(logits, 0.7), probabilities(logits[0], 0.7))


def test_the_mean_over_views_is_that_of_the_logits() -> None:
    logits = np.random.default_rng(0).normal(size=(10, LABELS)).astype(np.float32)
    expected = probabilities(logits).prod(axis=0) ** 0.1
    np.testing.assert_allclose(of_views(logits, 1.0), expected / expected.sum(), rtol=1e-6)


def test_a_smaller_weight_makes_a_photo_less_sure() -> None:
    logits = np.array([[3.0, 1.0, 0.0]])
    sure, doubtful = (of_views(logits, 1.0, weight).max() for weight in (1.0, 0.5))
    assert doubtful < sure
    assert of_views(logits, 1.0, 0.5) == pytest.approx(of_views(logits, 2.0))


def test_the_rule_beats_the_plain_mean_on_drawn_photos_of_plants() -> None:
    """Half of what a photo shows is its plant's, half its own, as of photos of one plant."""
    random = np.random.default_rng(1)
    plants, photos = 4000, 3
    truth = random.integers(LABELS, size=plants)
    evidence = random.normal(size=(plants, 1, LABELS)) + random.normal(
        size=(plants, photos, LABELS)
    )
    evidence[np.arange(plants), :, truth] += 2
    single = probabilities(evidence)  # calibrated: of two normal variables of this distance
    ours = np.stack([of_photos(shares) for shares in single])
    plain = single.mean(axis=1)

    def loss(shares: NDArray[np.float64]) -> float:
        return float(-np.log(shares[np.arange(plants), truth]).mean())

    assert loss(ours) < 0.9 * loss(plain)
    assert abs(ours.max(axis=1).mean() - (ours.argmax(axis=1) == truth).mean()) < 0.02


def test_the_largest_logit_is_that_of_the_mean_view_calibrated() -> None:
    logits = np.array([[1.0, 5.0, 0.0], [3.0, 1.0, 0.0]], np.float32)
    assert largest_logit(logits, 1) == 3
    assert largest_logit(logits, 2) == 1.5
    assert largest_logit(logits, 2, 0.5) == 0.75
    assert isinstance(largest_logit(logits, 2), float)
