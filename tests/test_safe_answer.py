"""The promise of the safe answer: a threshold that keeps it, found on held-back photos."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import beta
from sklearn.linear_model import LogisticRegression

from plant_classification.taxonomy import label_of, ranks_of
from plant_classification.trust import choose_safe_answer, probabilities
from plant_classification.trust.correctness import Correctness, fit_correctness
from plant_classification.trust.risk import largest_risk
from plant_classification.trust.safe_answer import (
    TRIED,
    RankTops,
    SafeRule,
    fit_safe,
    given_at,
    rank_tops,
    thresholds_for,
    tops_of_unknown,
)

EACH = 3
"""Species in each genus."""

LABELS = [
    label_of(f"Genus{genus} species{species}", f"Family{place // 4}")
    for place, genus in enumerate("abcdefghijkl")
    for species in "abc"
]
RANKS = ranks_of(LABELS)


def test_what_passes_for_a_confidence_passes_for_those_below_it() -> None:
    """Where few answers reach a high threshold, the one of a lower confidence came out higher."""
    known = [(300, 2) if at < 0.995 else (70, 2) if at < 0.999 else (60, 0) for at in TRIED]
    found = thresholds_for(known, [(0, 0)] * len(TRIED), 1.0)
    assert 0.95 in found
    assert list(found) == sorted(found)
    assert list(found.values()) == sorted(found.values())


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
    shown = zip(probabilities(logits), logits.max(axis=1), truth, strict=True)
    for shares, largest, label in shown:
        sums = [(rank.name, rank.taxa, rank.sum(shares)) for rank in RANKS]
        answer = choose_safe_answer(sums, confidence, rule, largest)
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


def test_the_promise_is_not_kept_by_giving_next_to_nothing() -> None:
    given, right = answers(rule_of(800, 4), 0.95, 104)
    assert given > 0.75
    assert right < 0.995


def test_more_confidence_never_gives_more_answers() -> None:
    rule = rule_of(1500, 5)
    assert list(rule.thresholds) == sorted(rule.thresholds)
    assert rule.confidences[-1] >= 0.95


def test_what_so_few_photos_cannot_promise_must_be_as_sure_as_was_asked() -> None:
    rule = rule_of(60, 6)
    assert not rule.promises(0.99)
    assert rule.at(0.99) >= 0.99
    assert rule.at(0.999) >= rule.at(0.99)


@pytest.mark.parametrize("is_struck_out", [False, True])
def test_what_is_said_at_each_rank_is_what_the_labels_say_together(is_struck_out: bool) -> None:
    logits, truth = photos(600, 8)
    tops = rank_tops(logits, 2.0, truth, RANKS, is_struck_out=is_struck_out)
    for row, label in enumerate(truth.tolist()):
        left = [one for one in range(len(LABELS)) if not (is_struck_out and one == label)]
        shares = probabilities(logits[row, left], 2.0)
        assert tops.largest[row] == pytest.approx(logits[row, left].max() / 2)
        for place, rank in enumerate(RANKS):
            sums: Counter[str] = Counter()
            for one, share in zip(left, shares.tolist(), strict=True):
                sums[getattr(LABELS[one], rank.name)] += share
            ((first, most),) = sums.most_common(1)
            assert tops.shares[row, place] == pytest.approx(most)
            assert tops.right[row, place] == (first == getattr(LABELS[label], rank.name))


def test_of_a_label_that_is_only_a_genus_its_genus_alone_is_struck_out() -> None:
    labels = [label_of(name, None) for name in ("Rosa canina", "Viola sp.", "Bellis sp.")]
    logits = np.array([[3.0, 5.0, 0.0]])
    tops = rank_tops(logits, 1.0, np.array([1]), ranks_of(labels), is_struck_out=True)
    assert tops.largest == [3.0]
    assert tops.shares[0, 1] == pytest.approx(probabilities(np.array([3.0, 0.0]))[0])
    alone = rank_tops(logits[:, :1], 1.0, np.array([0]), ranks_of(labels[:1]), is_struck_out=True)
    assert alone.largest == [0.0]
    assert not alone.shares.any()
    assert not alone.right.any()


def test_a_rank_that_is_never_right_is_never_given() -> None:
    shares = np.random.default_rng(7).uniform(size=(500, 3))
    right = np.tile([True, False, True], (500, 1))
    tops = RankTops(shares, right, shares[:, 0])
    rule = fit_safe(tops, tops)
    assert rule.confidences
    assert (rule.scores(shares, shares[:, 0])[:, 1] < 1e-9).all()


def test_photos_that_a_network_shows_to_be_unknown_get_fewer_species() -> None:
    """Their probabilities are those of others, their largest logits are small."""
    logits, truth = photos(1500, 10)
    known = rank_tops(logits, 1.0, truth, RANKS)
    taxa = [("Other plant", "Other", "Others")] * len(truth)
    unknown = tops_of_unknown(logits - 8, 1.0, taxa, RANKS)
    rule = fit_safe(known, unknown)
    threshold = rule.at(0.95)
    assert (rule.scores(known.shares, known.largest)[:, 0] >= threshold).mean() > 0.5
    assert (rule.scores(unknown.shares, unknown.largest)[:, 0] >= threshold).mean() < 0.05


def test_unknown_plants_may_be_right_by_genus_and_family() -> None:
    labels = [label_of("Rosa canina", "Rosaceae"), label_of("Viola odorata", "Violaceae")]
    logits = np.array([[5.0, 0.0], [5.0, 0.0], [0.0, 5.0]])
    taxa = [
        ("Rosa rubiginosa", "Rosa", "Rosaceae"),
        (None, "Rubus", "Rosaceae"),
        ("Bellis perennis", "Bellis", "Asteraceae"),
    ]
    tops = tops_of_unknown(logits, 2.0, taxa, ranks_of(labels))
    assert tops.right.tolist() == [
        [False, True, True],
        [False, False, True],
        [False, False, False],
    ]
    assert tops.largest.tolist() == [2.5, 2.5, 2.5]


def test_correctness_is_the_logistic_regression_that_others_find() -> None:
    random = np.random.default_rng(11)
    share, largest = random.uniform(0.05, 0.99, 2000), random.normal(8, 2, 2000)
    odds = -3 + 0.8 * np.log(share / (1 - share)) + 0.4 * largest
    right = random.uniform(size=2000) < 1 / (1 + np.exp(-odds))
    weights = random.uniform(0.5, 2, 2000)
    found = fit_correctness(share, largest, right, weights)
    columns = np.column_stack([np.log(share / (1 - share)), largest])
    expected = LogisticRegression(C=1e6).fit(columns, right, sample_weight=weights)
    assert found.bias == pytest.approx(expected.intercept_[0], abs=0.05)
    assert [found.of_odds, found.of_logit] == pytest.approx(expected.coef_[0], abs=0.01)


def test_more_probable_is_never_less_sure() -> None:
    random = np.random.default_rng(12)
    share = random.uniform(size=300)
    right = random.uniform(size=300) > share
    found = fit_correctness(share, -share, right, np.ones(300))
    assert found.of_odds >= 0
    assert found.of_logit >= 0


@pytest.mark.parametrize("is_right", [True, False])
def test_photos_of_one_outcome_give_a_finite_rule(is_right: bool) -> None:
    share = np.linspace(0.1, 1, 50)
    found = fit_correctness(share, share, np.full(50, is_right), np.ones(50))
    assert (found(share, share) > 0.5).all() == is_right


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
    assert tops.shares[0, 0] == 0  # Viola odorata is no answer while Rosa sp. is more probable


def test_a_species_is_not_given_where_the_first_label_is_only_a_genus() -> None:
    """However low the threshold: for all answers of a model as for one."""
    labels = [label_of("Rosa sp.", "Rosaceae"), label_of("Bellis perennis", "Asteraceae")]
    logits = np.log([[0.8, 0.2]])
    tops = rank_tops(logits, 1.0, np.array([0]), ranks_of(labels))
    even = Correctness(0.0, 0.0, 0.0)
    rule = SafeRule((even, even, even), (0.8,), (0.1,))
    given, rank, right = given_at(rule.at(0.8), rule.scores(tops.shares, tops.largest), tops.right)
    assert (given[0], RANKS[rank[0]].name, right[0]) == (True, "genus", True)


def test_a_rule_survives_json() -> None:
    rule = rule_of(800, 9)
    assert SafeRule.from_dict(json.loads(json.dumps(rule.to_dict()))) == rule


@pytest.mark.parametrize(
    ("confidences", "thresholds"),
    [
        ((0.9,), ()),
        ((0.9, 0.8), (0.0, 0.0)),
        ((0.8, 0.9), (0.5, 0.4)),
        ((1.0,), (0.0,)),
        ((0.9,), (-1.0,)),
        ((0.9,), (float("nan"),)),
    ],
)
def test_what_cannot_be_a_rule_is_refused(
    confidences: tuple[float, ...], thresholds: tuple[float, ...]
) -> None:
    sure = Correctness(0.0, 1.0, 0.0)
    with pytest.raises(ValueError, match="safe answers need ascending confidences"):
        SafeRule((sure, sure, sure), confidences, thresholds)


@pytest.mark.parametrize("values", [(float("nan"), 1, 0), (0, -1, 0), (0, 1, float("inf"))])
def test_weights_that_cannot_be_are_refused(values: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="cannot be judged by the weights"):
        Correctness(*values)
