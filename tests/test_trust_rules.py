"""What held-back photos teach of the worth of answers, as it is kept in model.json."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from plant_classification.taxonomy import label_of, ranks_of
from plant_classification.trust import (
    PlausibleRule,
    TrustRules,
    fit_trust,
    plausible_sets,
    probabilities,
)
from plant_classification.trust.correctness import Correctness
from plant_classification.trust.rejection import fit_rejection
from plant_classification.trust.rules import LEAST_FOR_SETS, LEAST_OF_ORGAN
from plant_classification.trust.safe_answer import SafeRule

LABELS = 12
RANKS = ranks_of([label_of(f"Rosa species{place:c}", "Rosaceae") for place in range(97, 109)])


def photos(count: int, noise: float, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Logits of drawn photos, and their labels: the more noise, the less a photo says."""
    random = np.random.default_rng(seed)
    truth = random.integers(LABELS, size=count)
    logits = random.normal(scale=noise, size=(count, LABELS))
    logits[np.arange(count), truth] += 4
    return logits.astype(np.float32), truth


def loss(logits: NDArray[np.floating], truth: NDArray[np.int64], temperature: float) -> float:
    right = probabilities(logits, temperature)[np.arange(len(truth)), truth]
    return float(-np.log(right).mean())


def test_the_rules_survive_json() -> None:
    plausible = PlausibleRule((0.9,), (0.1,))
    sure = Correctness(-1.0, 0.5, 0.25)
    safe = SafeRule((sure, sure, sure), (0.8, 0.9), (0.5, 0.75))
    rejection = fit_rejection(np.linspace(0, 1, 500))
    rules = TrustRules(0.5, {"leaf": 0.8}, plausible, {"leaf": plausible}, safe, rejection)
    assert None not in (rules.safe, rules.rejection)
    assert TrustRules.from_dict(json.loads(json.dumps(rules.to_dict()))) == rules
    assert TrustRules.from_dict({"temperature": 2}) == TrustRules(2.0)


@pytest.mark.parametrize(
    "values",
    [
        {"temperature": 0},
        {"temperature": math.inf},
        {"temperature": 1, "organ_weights": {"leaf": -1}},
        {"temperature": 1, "organ_weights": {"leaf": math.nan}},
        {"temperature": 1e-300},
        {"temperature": 1, "organ_weights": {"leaf": 1e300}},
    ],
)
def test_what_cannot_be_rules_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must be from 0\.05 to 20"):
        TrustRules.from_dict(values)


def test_an_organ_that_says_less_gets_a_smaller_weight() -> None:
    flowers, of_flowers = photos(400, 1, 0)
    leaves, of_leaves = photos(400, 4, 1)
    logits, truth = np.concatenate([flowers, leaves]), np.concatenate([of_flowers, of_leaves])
    organs = ["flower"] * 400 + ["leaf"] * 400
    rules = fit_trust(logits, truth, RANKS, organs)
    assert rules.organ_weight("leaf") < 0.7
    assert rules.organ_weight("flower") > 1.2
    assert rules.organ_weight("bark") == rules.organ_weight(None) == 1
    fresh = [photos(400, noise, 2) for noise in (1, 4)]
    for organ, (drawn, names) in zip(("flower", "leaf"), fresh, strict=True):
        weighted = drawn * rules.organ_weight(organ)
        assert loss(weighted, names, rules.temperature) < loss(drawn, names, rules.temperature)


def test_an_organ_with_few_photos_and_photos_without_one_have_the_weight_of_all() -> None:
    logits, truth = photos(200, 2, 3)
    few = [None] * (201 - LEAST_OF_ORGAN) + ["fruit"] * (LEAST_OF_ORGAN - 1)
    assert fit_trust(logits, truth, RANKS, few).organ_weights == {}
    assert fit_trust(logits, truth, RANKS).organ_weights == {}


def test_promises_are_made_for_photos_whose_organ_is_not_told() -> None:
    logits, truth = photos(2000, 2, 4)
    logits[1000:] /= 3  # photos of leaves, whose logits are too small
    organs = ["flower"] * 1000 + ["leaf"] * 1000
    rules = fit_trust(logits, truth, RANKS, organs)
    assert rules.organ_weights
    assert rules.plausible == fit_trust(logits, truth, RANKS).plausible
    assert rules.safe == fit_trust(logits, truth, RANKS).safe


def coverage(
    rule: PlausibleRule | None, logits: NDArray[np.floating], truth: NDArray[np.int64]
) -> float:
    """How many of the sets at 90 % hold the right label."""
    assert rule is not None
    threshold = rule.threshold(0.9)
    assert threshold is not None
    sets = plausible_sets(probabilities(logits), threshold)
    return float(sets[np.arange(len(truth)), truth].mean())


def test_each_organ_with_enough_photos_keeps_its_own_promise() -> None:
    def drawn(seed: int) -> dict[str, tuple[NDArray[np.float32], NDArray[np.int64]]]:
        return {"flower": photos(2000, 1.5, seed), "leaf": photos(2000, 4, seed + 1)}

    pairs = drawn(7).items()
    organs = [organ for organ, (_, truth) in pairs for _ in truth]
    logits, truth = (
        np.concatenate(both) for both in zip(*(pair for _, pair in pairs), strict=True)
    )
    rules = fit_trust(logits, truth, RANKS, organs)
    of_all = {}
    for organ, (fresh, names) in drawn(17).items():
        seen = fresh * rules.organ_weight(organ) / rules.temperature
        assert coverage(rules.plausible_of(organ), seen, names) == pytest.approx(0.9, abs=0.03)
        of_all[organ] = coverage(rules.plausible, fresh / rules.temperature, names)
    assert of_all["leaf"] < 0.87  # where the sets of all photos fail
    assert rules.plausible_of("bark") == rules.plausible_of(None) == rules.plausible


def test_an_organ_with_few_photos_has_the_sets_of_all() -> None:
    logits, truth = photos(2 * LEAST_FOR_SETS, 2, 9)
    organs = ["leaf"] * (LEAST_FOR_SETS - 1) + ["flower"] * (LEAST_FOR_SETS + 1)
    assert set(fit_trust(logits, truth, RANKS, organs).organ_plausible) == {"flower"}


def test_words_that_cannot_be_asked_are_no_organs() -> None:
    logits, truth = photos(200, 2, 5)
    assert fit_trust(logits, truth, RANKS, ["scan"] * 100 + ["Leaf"] * 100).organ_weights == {}


def test_photos_of_one_plant_are_one_piece_of_evidence() -> None:
    logits, truth = photos(300, 2, 6)
    plants = [str(place) for place in range(300)]
    once = fit_trust(logits, truth, RANKS, scores=logits[:, 0], observations=plants)
    ten = fit_trust(
        np.repeat(logits, 10, axis=0),
        np.repeat(truth, 10),
        RANKS,
        scores=np.repeat(logits[:, 0], 10),
        observations=np.repeat(plants, 10).tolist(),
    )
    assert ten.safe
    assert once.safe
    assert ten.safe.thresholds == once.safe.thresholds
    assert dataclasses.astuple(ten.safe.correctness[0]) == pytest.approx(
        dataclasses.astuple(once.safe.correctness[0]), abs=1e-3
    )
    assert ten.rejection == once.rejection
    assert ten.plausible is not None
    assert once.plausible is not None
    assert ten.plausible.coverages == once.plausible.coverages
