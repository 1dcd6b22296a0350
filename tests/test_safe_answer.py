"""The promise of the safe answer: thresholds by rank that keep it, found on held-back photos."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import beta

from plant_classification.taxonomy import label_of, ranks_of
from plant_classification.trust import choose_safe_answer, probabilities
from plant_classification.trust.risk import largest_risk
from plant_classification.trust.safe_answer import NEVER, RankTops, SafeRule, fit_safe, rank_tops

EACH = 3
"""Species in each genus."""

LABELS = [
    label_of(f"Genus{genus} species{species}", f"Family{place // 4}")
    for place, genus in enumerate("abcdefghijkl")
    for species in "abc"
]
RANKS = ranks_of(LABELS)


@pytest.mark.parametrize(("wrong", "count"), [(0, 10), (3, 100), (40, 1000), (9, 10)])
@pytest.mark.parametrize("level", [0.1, 0.001])
def test_the_largest_risk_is_that_of_clopper_and_pearson(
    wrong: int, count: int, level: float
) -> None:
    expected = beta.ppf(1 - level, wrong + 1, count - wrong)
    assert largest_risk(wrong, count, level) == pytest.approx(expected, rel=1e-6)


def test_where_all_went_wrong_all_may() -> None:
    assert largest_risk(3, 3, 0.1) == largest_risk(0, 0, 0.1) == 1


def photos(count: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Calibrated logits of drawn photos: labels of a genus look alike, most photos are easy."""
    random = np.random.default_rng(seed)
    truth = random.integers(len(LABELS), size=count)
    clear = random.uniform(0, 9, size=count)
    logits = random.normal(size=(count, len(LABELS)))
    genus = truth[:, np.newaxis] // EACH == np.arange(len(LABELS)) // EACH
    logits += 4 * genus
    logits[np.arange(count), truth] += clear
    return logits, truth


def rule_of(count: int, seed: int) -> SafeRule:
    logits, truth = photos(count, seed)
    known, unknown = (
        rank_tops(logits, 1.0, truth, RANKS, is_struck_out=is_struck_out)
        for is_struck_out in (False, True)
    )
    return fit_safe(known, unknown)


def answers(rule: SafeRule | None, confidence: float, seed: int) -> tuple[float, float]:
    """Of fresh photos the share that gets an answer, and of these the share that is right."""
    logits, truth = photos(3000, seed)
    given = right = 0
    for shares, label in zip(probabilities(logits), truth, strict=True):
        sums = [(rank.name, rank.taxa, rank.sum(shares)) for rank in RANKS]
        answer = choose_safe_answer(sums, confidence, rule)
        if answer.name is not None:
            given += 1
            right += getattr(LABELS[label], str(answer.rank)) == answer.name
    return given / len(truth), right / given


@pytest.mark.parametrize("confidence", [0.8, 0.9, 0.95])
def test_of_the_answers_at_least_the_promised_share_is_right(confidence: float) -> None:
    for seed in range(3):
        rule = rule_of(800, seed)
        assert rule.promises(confidence)
        given, right = answers(rule, confidence, 100 + seed)
        assert right >= confidence
        assert given > 0.5


def test_more_confidence_never_gives_more_species() -> None:
    rule = rule_of(1500, 5)
    species = [row[0] for row in rule.thresholds]
    assert species == sorted(species)
    assert rule.confidences[-1] >= 0.95


def test_what_so_few_photos_cannot_promise_needs_the_probability_itself() -> None:
    rule = rule_of(60, 6)
    assert not rule.promises(0.99)
    assert min(rule.at(0.99)) >= 0.99
    assert rule.at(0.999)[0] >= rule.at(0.99)[0]


def test_a_rank_that_is_never_right_is_never_given() -> None:
    shares = np.random.default_rng(7).uniform(size=(500, 3))
    right = np.tile([True, False, True], (500, 1))
    tops = RankTops(shares, right)
    rule = fit_safe(tops, tops)
    assert all(species == 0 for species, _, _ in rule.thresholds[:3])
    assert all(genus == NEVER for _, genus, _ in rule.thresholds)


def test_a_struck_out_label_is_never_right_as_a_species_but_may_be_as_a_genus() -> None:
    logits, truth = photos(400, 8)
    tops = rank_tops(logits, 1.0, truth, RANKS, is_struck_out=True)
    assert not tops.right[:, 0].any()
    assert tops.right[:, 1].mean() > 0.3
    assert tops.shares.max() <= 1


def test_a_genus_form_label_is_right_as_a_genus() -> None:
    labels = [label_of("Rosa sp.", "Rosaceae"), label_of("Viola odorata", "Violaceae")]
    tops = rank_tops(np.array([[5.0, 0.0]]), 1.0, np.array([0]), ranks_of(labels))
    assert tops.right.tolist() == [[False, True, True]]


def test_a_rule_survives_json() -> None:
    rule = rule_of(800, 9)
    assert SafeRule.from_dict(json.loads(json.dumps(rule.to_dict()))) == rule


@pytest.mark.parametrize(
    ("confidences", "thresholds"),
    [
        ((0.9,), ()),
        ((0.9, 0.8), ((0, 0, 0), (0, 0, 0))),
        ((1.0,), ((0, 0, 0),)),
        ((0.9,), ((-1, 0, 0),)),
    ],
)
def test_what_cannot_be_a_rule_is_refused(
    confidences: tuple[float, ...], thresholds: tuple[tuple[float, float, float], ...]
) -> None:
    with pytest.raises(ValueError, match="safe answers need ascending confidences"):
        SafeRule(confidences, thresholds)
