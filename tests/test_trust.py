"""Calibration and the safe answer."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from plant_classification.errors import ArgumentError
from plant_classification.trust import (
    SafeAnswer,
    choose_safe_answer,
    fit_temperature,
    probabilities,
)
from plant_classification.trust.calibration import PRIOR, TEMPERATURES
from plant_classification.trust.expectation import expected


def test_probabilities_sum_to_one_and_survive_large_logits() -> None:
    shares = probabilities(np.array([[1e4, 0.0, -1e4], [0.0, 0.0, 0.0]], np.float32))
    np.testing.assert_allclose(shares.sum(axis=-1), 1)
    np.testing.assert_allclose(shares, [[1.0, 0.0, 0.0], [1 / 3] * 3])


def test_a_higher_temperature_is_less_sure_and_keeps_the_order() -> None:
    logits = np.array([2.0, 1.0, 0.0])
    warm, cold = probabilities(logits, 2.0), probabilities(logits)
    assert warm.max() < cold.max()
    assert (np.argsort(warm) == np.argsort(cold)).all()
    np.testing.assert_allclose(warm, probabilities(logits / 2))


RANKS = [
    ("species", ["Rosa canina", "Rosa gallica"], np.array([0.6, 0.3])),
    ("genus", ["Malus", "Rosa"], np.array([0.08, 0.92])),
    ("family", ["Rosaceae"], np.array([1.0])),
]


def test_the_safe_answer_is_the_most_specific_taxon_that_reaches_the_confidence() -> None:
    assert choose_safe_answer(RANKS, 0.5) == SafeAnswer("Rosa canina", "species", 0.6, 0.5)
    assert choose_safe_answer(RANKS, 0.9) == SafeAnswer("Rosa", "genus", 0.92, 0.9)
    assert choose_safe_answer(RANKS, 0.95) == SafeAnswer("Rosaceae", "family", 1.0, 0.95)


def test_nothing_is_given_where_nothing_is_safe() -> None:
    assert choose_safe_answer(RANKS[:2], 0.95) == SafeAnswer(None, None, None, 0.95)


def test_a_rank_without_taxa_is_passed_over() -> None:
    ranks = [("species", [], np.zeros(0)), RANKS[1]]
    assert choose_safe_answer(ranks, 0.9).name == "Rosa"


def drawn_logits(
    photos: int, labels: int, distortion: float, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Logits that are calibrated but for a factor, and labels drawn from what they claim."""
    random = np.random.default_rng(seed)
    honest = random.normal(0, 2, (photos, labels))
    claims = probabilities(honest).cumsum(axis=1)
    drawn = (random.random((photos, 1)) > claims).sum(axis=1)
    return (honest * distortion).astype(np.float32), np.minimum(drawn, labels - 1)


def log_loss(logits: NDArray[np.float32], labels: NDArray[np.int64], temperature: float) -> float:
    right = np.arange(len(labels)), labels
    return float(-np.log(probabilities(logits, temperature)[right]).mean())


@pytest.mark.parametrize("distortion", [0.2, 1.0, 5.0])
def test_the_temperature_undoes_a_known_distortion(distortion: float) -> None:
    logits, labels = drawn_logits(4000, 12, distortion)
    assert fit_temperature(logits, labels) == pytest.approx(distortion, rel=0.06)


@pytest.mark.parametrize(("photos", "distortion"), [(700, 0.3), (700, 4.0), (20, 1.0), (3, 0.5)])
def test_no_temperature_of_a_grid_is_better(photos: int, distortion: float) -> None:
    logits, labels = drawn_logits(photos, 5, distortion, seed=1)

    def objective(temperature: float) -> float:
        prior = 1 / temperature - 1 + math.log(temperature)
        return photos * log_loss(logits, labels, temperature) + PRIOR * prior

    grid = np.geomspace(*TEMPERATURES, 600)
    found = fit_temperature(logits, labels)
    assert objective(found) <= min(map(objective, grid))
    least_loss = min(grid, key=lambda temperature: log_loss(logits, labels, temperature))
    assert photos < 700 or found == pytest.approx(least_loss, rel=0.03)


def test_the_temperature_does_not_hang_on_what_is_added_to_all_logits_of_a_photo() -> None:
    logits, labels = drawn_logits(300, 6, 3.0)
    shifted = logits.astype(np.float64) + np.arange(300)[:, np.newaxis] * 100
    assert fit_temperature(shifted, labels) == pytest.approx(fit_temperature(logits, labels))


def test_few_photos_that_are_all_right_do_not_make_a_model_surely_right() -> None:
    def surest(photos: int) -> float:
        logits = np.tile([4.0, 0.0, 0.0], (photos, 1))
        temperature = fit_temperature(logits, np.zeros(photos, int))
        return float(probabilities(logits[0], temperature).max())

    untouched = float(probabilities(np.array([4.0, 0.0, 0.0])).max())
    assert untouched < surest(1) < surest(10) < surest(100) < 1
    assert 1 - surest(10) > 0.01


def test_a_temperature_from_few_photos_does_little_harm_to_others() -> None:
    logits, labels = drawn_logits(4000, 12, 1.0)
    losses = [
        log_loss(logits[10:], labels[10:], fit_temperature(logits[rows], labels[rows]))
        for rows in (slice(0, 10), slice(10, 20), slice(20, 30), slice(30, 40))
    ]
    assert np.mean(losses) < 1.1 * log_loss(logits, labels, 1.0)


def test_where_all_is_wrong_the_temperature_grows_within_its_bounds() -> None:
    logits = np.tile([50.0, 0.0], (2000, 1))
    assert fit_temperature(logits, np.ones(2000, int)) == pytest.approx(TEMPERATURES[1])
    assert 1 < fit_temperature(logits[:2] / 50, np.ones(2, int)) < TEMPERATURES[1]


def test_where_nothing_is_known_the_temperature_is_one() -> None:
    assert fit_temperature(np.zeros((0, 4)), np.zeros(0, int)) == 1
    assert fit_temperature(np.ones((9, 1)), np.zeros(9, int)) == 1
    assert fit_temperature(np.zeros((9, 4)), np.arange(9) % 4) == 1


def test_huge_and_tiny_logits_stay_within_the_bounds() -> None:
    logits, labels = drawn_logits(300, 6, 1e6)
    assert fit_temperature(logits, labels) == pytest.approx(TEMPERATURES[1])
    logits, labels = drawn_logits(3000, 6, 0.01)
    assert fit_temperature(logits, labels) == pytest.approx(TEMPERATURES[0])


@pytest.mark.parametrize(
    ("logits", "labels", "field", "sentence"),
    [
        (
            np.zeros((3, 2)),
            np.zeros(4, int),
            "logits",
            "logits must be (photos, labels), with one label for each photo; (3, 2) and (4,) came.",
        ),
        (
            np.zeros(3),
            np.zeros(3, int),
            "logits",
            "logits must be (photos, labels), with one label for each photo; (3,) and (3,) came.",
        ),
        (
            np.zeros((3, 2)),
            np.array([0, 1, 2]),
            "labels",
            "labels must be whole numbers from 0 to 1.",
        ),
        (
            np.zeros((3, 2)),
            np.array([0, 1, -1]),
            "labels",
            "labels must be whole numbers from 0 to 1.",
        ),
        (np.zeros((3, 2)), np.zeros(3), "labels", "labels must be whole numbers from 0 to 1."),
        (
            np.full((3, 2), np.nan),
            np.zeros(3, int),
            "logits",
            "The logits hold NaN or infinity; train the model anew.",
        ),
    ],
)
def test_outputs_that_cannot_be_calibrated_are_refused(
    logits: NDArray[np.float64], labels: NDArray[np.int64], field: str, sentence: str
) -> None:
    with pytest.raises(ArgumentError) as refused:
        fit_temperature(logits, labels)
    assert (refused.value.field, refused.value.message) == (field, sentence)


SHARES = np.array([0.6, 0.3, 0.1, 0.0])


def test_what_is_not_possible_has_no_probability_and_the_others_share_it() -> None:
    possible = np.array([False, True, True, False])
    np.testing.assert_allclose(expected(SHARES, possible, None), [0, 0.75, 0.25, 0])
    np.testing.assert_array_equal(expected(SHARES, None, None), SHARES)


def test_what_is_common_is_more_probable() -> None:
    factors = np.array([1.0, 4.0, 2.0, 9.0])
    np.testing.assert_allclose(expected(SHARES, None, factors), [0.3, 0.6, 0.1, 0], atol=1e-12)
    possible = np.array([True, True, False, False])
    np.testing.assert_allclose(expected(SHARES, possible, factors), [1 / 3, 2 / 3, 0, 0])


def test_what_is_possible_alone_is_certain_however_improbable_the_photo_made_it() -> None:
    alone = expected(SHARES, np.array([False, False, False, True]), None)
    np.testing.assert_array_equal(alone, [0, 0, 0, 1])
