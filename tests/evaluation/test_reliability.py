"""Whether probabilities come true."""

from __future__ import annotations

import numpy as np
import pytest

from plant_classification.evaluation.reliability import (
    calibration_error_by_chance,
    equal_width_bins,
    expected_calibration_error,
)


def test_bins_of_one_width_leave_out_those_without_an_answer() -> None:
    confidence, right = np.array([0.05, 0.31, 0.39, 1.0]), np.array([False, True, False, True])
    bins = equal_width_bins(confidence, right)
    assert bins.photos.tolist() == [1, 2, 1]
    assert bins.confidence == pytest.approx([0.05, 0.35, 1.0])
    assert bins.accuracy == pytest.approx([0, 0.5, 1])


def test_the_calibration_error_is_the_distance_of_promise_and_outcome() -> None:
    confidence = np.repeat([0.2, 0.6, 0.9], 50)
    right = np.concatenate([np.arange(50) % 5 < count for count in (1, 4, 3)])
    assert expected_calibration_error(confidence, right) == pytest.approx((0 + 0.2 + 0.3) / 3)


def test_with_fewer_answers_than_bins_each_is_a_group() -> None:
    assert expected_calibration_error(np.array([0.7]), np.array([True])) == pytest.approx(0.3)
    two = expected_calibration_error(np.array([0.7, 0.5]), np.array([True, False]))
    assert two == pytest.approx(0.4)


def test_an_exact_model_shows_about_the_error_that_chance_makes() -> None:
    random = np.random.default_rng(0)
    confidence = random.random(3000)
    exact = random.random(3000) < confidence
    chance = calibration_error_by_chance(confidence)
    assert 0.5 * chance < expected_calibration_error(confidence, exact) < 2 * chance
    too_sure = random.random(3000) < confidence**2
    assert expected_calibration_error(confidence, too_sure) > 5 * chance


def test_chance_makes_less_of_more_photos() -> None:
    few, many = np.full(50, 0.8), np.full(5000, 0.8)
    assert calibration_error_by_chance(few) > 5 * calibration_error_by_chance(many)
