"""Two models compared photo by photo."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from plant_classification.evaluation.comparison import compare, mcnemar, sign_flips


@pytest.mark.parametrize(
    ("only_first", "only_second"), [(0, 0), (1, 0), (3, 9), (40, 41), (700, 600), (9000, 2)]
)
def test_the_p_value_is_that_of_a_fair_coin(only_first: int, only_second: int) -> None:
    tosses = only_first + only_second
    expected = binomtest(only_first, tosses).pvalue if tosses else 1.0
    assert mcnemar(only_first, only_second) == pytest.approx(expected, rel=1e-9, abs=1e-300)


def test_photos_are_counted_by_who_was_right() -> None:
    first = np.array([True, True, True, False, False])
    second = np.array([True, False, False, True, False])
    found = compare(first, second, np.arange(5))
    assert (found.photos, found.both_right, found.only_first, found.only_second) == (5, 1, 2, 1)
    assert found.difference == pytest.approx(0.2)
    assert found.interval[0] < 0.2 < found.interval[1]
    assert found.p_value == 1


def test_two_models_of_the_same_answers_do_not_differ() -> None:
    right = np.random.default_rng(0).random(200) < 0.7
    found = compare(right, right, np.arange(200))
    assert (found.difference, found.interval, found.p_value) == (0, (0, 0), 1)


def test_photos_of_one_plant_are_no_proof_of_their_number() -> None:
    """Of two equally good models few differ as much, though each plant's photos go together."""
    random = np.random.default_rng(0)
    units = np.repeat(np.arange(60), 5)
    found = []
    for _ in range(40):
        first, second = (
            np.repeat(random.random(60) < 0.7, 5) ^ (random.random(300) < 0.05) for _ in "12"
        )
        found.append(compare(first, second, units).p_value)
    assert np.mean(np.array(found) < 0.05) < 0.2
    assert np.mean(found) == pytest.approx(0.5, abs=0.15)


def test_flipped_signs_say_what_a_fair_coin_says() -> None:
    gains = np.array([1.0] * 12 + [-1.0] * 4 + [0.0] * 30)
    assert sign_flips(gains) == pytest.approx(mcnemar(12, 4), abs=0.01)
