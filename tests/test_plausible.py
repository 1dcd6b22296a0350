"""Sets that hold the right label as often as they promise."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from plant_classification.trust import PlausibleRule, fit_plausible, plausible_sets, probabilities

LABELS = 20


def photos(count: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Probabilities of a model that is much too sure of itself, and the right labels."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, LABELS, count)
    logits = random.normal(0, 1, (count, LABELS))
    logits[np.arange(count), truth] += 2.5
    return probabilities(logits, 0.3), truth


def fitted(count: int, seed: int) -> PlausibleRule:
    shares, truth = photos(count, seed)
    return fit_plausible(shares[np.arange(count), truth], shares.argmax(axis=1) == truth)


@pytest.mark.parametrize("coverage", [0.9, 0.95, 0.98])
def test_of_other_photos_the_promised_share_is_covered_however_wrong_the_probabilities_are(
    coverage: float,
) -> None:
    covered = []
    for seed in range(20):
        threshold = fitted(400, 2 * seed).threshold(coverage)
        assert threshold is not None
        shares, truth = photos(2000, 2 * seed + 1)
        sets = plausible_sets(shares, threshold)
        covered.append(sets[np.arange(len(truth)), truth].mean())
    assert coverage - 0.005 < np.mean(covered) < coverage + 0.01


def test_a_set_is_never_empty_and_grows_with_the_coverage() -> None:
    rule = fitted(500, 1)
    shares, _ = photos(300, 2)
    before = np.zeros((300, LABELS), bool)
    for coverage in rule.coverages:
        threshold = rule.threshold(coverage)
        assert threshold is not None
        sets = plausible_sets(shares, threshold)
        assert sets.any(axis=1).all()
        assert sets[np.arange(300), shares.argmax(axis=1)].all()
        assert (sets >= before).all()
        before = sets


def test_few_photos_promise_little() -> None:
    assert fitted(19, 0).threshold(0.95) is not None
    assert fitted(18, 0).threshold(0.95) is None
    assert fitted(0, 0).coverages == ()


def test_between_two_coverages_the_safer_one_is_taken() -> None:
    rule = PlausibleRule((0.8, 0.9), (0.5, 0.1))
    assert [rule.threshold(coverage) for coverage in (0.1, 0.8, 0.81, 0.9)] == [0.5, 0.5, 0.1, 0.1]
    assert rule.threshold(0.91) is None


def test_a_rule_is_read_back_as_it_was() -> None:
    rule = fitted(300, 3)
    assert PlausibleRule.from_dict(rule.to_dict()) == rule


@pytest.mark.parametrize(
    "values",
    [
        {"coverages": [0.9, 0.8], "thresholds": [0.1, 0.2]},
        {"coverages": [0.9], "thresholds": []},
        {"coverages": [1.0], "thresholds": [0.1]},
        {"coverages": [0.9], "thresholds": [-0.1]},
        {"coverages": [0.9], "thresholds": [float("nan")]},
    ],
)
def test_what_cannot_be_a_rule_is_refused(values: dict[str, list[float]]) -> None:
    with pytest.raises(ValueError, match="the plausible sets need ascending coverages"):
        PlausibleRule.from_dict(values)
