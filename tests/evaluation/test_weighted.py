"""Figures whose photos count more or less, and how far chance moves them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from plant_classification.evaluation import weighted
from plant_classification.evaluation.bootstrap import intervals
from plant_classification.evaluation.weighted import Weighted
from plant_classification.evaluation.wilson import share_interval

PHOTOS = 400
RANDOM = np.random.default_rng(3)
CONFIDENCE = RANDOM.random(PHOTOS)
RIGHT = RANDOM.random(PHOTOS) < CONFIDENCE
TRUTH = RANDOM.integers(0, 12, PHOTOS)
COUNTED = RANDOM.random(PHOTOS) < 0.7

FIGURES: dict[str, Callable[[NDArray[np.intp]], Weighted]] = {
    "mean": lambda rows: weighted.mean(CONFIDENCE[rows]),
    "mean of some": lambda rows: weighted.mean(RIGHT[rows], COUNTED[rows]),
    "macro": lambda rows: weighted.macro_mean(RIGHT[rows], TRUTH[rows]),
    "calibration": lambda rows: weighted.calibration_error(CONFIDENCE[rows], RIGHT[rows]),
    "risk": lambda rows: weighted.risk_coverage_area(CONFIDENCE[rows], RIGHT[rows]),
}


def plain(figure: Weighted, photos: int = PHOTOS) -> float:
    return float(figure(np.ones((1, photos)))[0])


@pytest.mark.parametrize("name", FIGURES)
def test_a_photo_of_weight_three_counts_as_if_it_were_there_three_times(name: str) -> None:
    times = np.random.default_rng(4).integers(0, 4, PHOTOS)
    rows = np.repeat(np.arange(PHOTOS), times)
    weights = np.stack([np.ones(PHOTOS), times]).astype(np.float32)
    found = FIGURES[name](np.arange(PHOTOS))(weights)
    # A photo that is there three times may lie in two groups of calibration.
    tolerance = 0.01 if name == "calibration" else 2e-3
    assert found[0] == pytest.approx(plain(FIGURES[name](np.arange(PHOTOS))), abs=1e-6)
    assert found[1] == pytest.approx(plain(FIGURES[name](rows), len(rows)), abs=tolerance)


def test_the_calibration_error_is_that_of_fifteen_groups_of_one_size() -> None:
    order = np.argsort(CONFIDENCE)
    groups = np.array_split(order, 15)
    apart = [abs(CONFIDENCE[group].mean() - RIGHT[group].mean()) for group in groups]
    expected = np.average(apart, weights=[len(group) for group in groups])
    assert plain(weighted.calibration_error(CONFIDENCE, RIGHT)) == pytest.approx(expected, abs=3e-3)


def test_the_area_under_risk_and_coverage_is_the_mean_risk_from_the_surest_on() -> None:
    confidence, right = np.array([0.2, 0.9, 0.6]), np.array([True, True, False])
    expected = (0 + 1 / 2 + 1 / 3) / 3
    assert plain(weighted.risk_coverage_area(confidence, right), 3) == pytest.approx(expected)


def test_where_nothing_counts_there_is_no_figure() -> None:
    nothing = weighted.mean(RIGHT, np.zeros(PHOTOS, bool))
    assert np.isnan(plain(nothing))
    assert np.isnan(intervals({"nothing": nothing}, np.arange(PHOTOS))["nothing"]).all()


def test_the_interval_of_a_share_is_about_wilsons() -> None:
    low, high = intervals({"right": weighted.mean(RIGHT)}, np.arange(PHOTOS))["right"]
    wilson = share_interval(int(RIGHT.sum()), PHOTOS)
    assert low == pytest.approx(float(wilson[0]), abs=0.012)
    assert high == pytest.approx(float(wilson[1]), abs=0.012)


def test_photos_of_one_plant_say_less_than_photos_of_as_many_plants() -> None:
    right = np.repeat(RIGHT[:100], 4)
    figure = {"right": weighted.mean(right)}
    alone = intervals(figure, np.arange(400))["right"]
    together = intervals(figure, np.repeat(np.arange(100), 4))["right"]
    assert together[1] - together[0] > 1.7 * (alone[1] - alone[0])


@pytest.mark.parametrize("figure", [weighted.calibration_error, weighted.risk_coverage_area])
def test_where_confidences_are_equal_the_order_of_the_file_does_not_count(
    figure: Callable[..., Weighted],
) -> None:
    confidence, right = np.full(200, 0.9), np.arange(200) < 180
    shuffled = np.random.default_rng(1).permutation(right)
    first, *others = (plain(figure(confidence, row), 200) for row in (right, shuffled, right[::-1]))
    assert others == pytest.approx([first, first])
    assert first == pytest.approx(0 if figure is weighted.calibration_error else 0.1)
