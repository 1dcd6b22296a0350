"""Calibration and the safe answer."""

from __future__ import annotations

import numpy as np

from plant_classification.trust import SafeAnswer, choose_safe_answer, probabilities


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
