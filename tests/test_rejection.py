"""What does not look like a plant that the model knows is rejected, at a stated cost in plants."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from plant_classification import Classifier
from plant_classification.models import ModelFolder
from plant_classification.models.choosing import STARTER_FOLDER
from plant_classification.models.folder import TRUST, read_model_folder, recalibrate
from plant_classification.trust.feature_statistics import load_means
from plant_classification.trust.rejection import (
    REJECTED,
    RejectionRule,
    directions,
    fit_rejection,
    likeness,
)

LABELS, CHANNELS = 8, 40


def plants(count: int, seed: int, means: NDArray[np.float64]) -> NDArray[np.float64]:
    """Features of drawn photos: near the mean of one of the labels."""
    random = np.random.default_rng(seed)
    return means[random.integers(LABELS, size=count)] + random.normal(
        scale=0.5, size=(count, CHANNELS)
    )


@pytest.fixture(scope="module")
def means() -> NDArray[np.float64]:
    return np.random.default_rng(0).normal(size=(LABELS, CHANNELS))


def test_the_stated_share_of_plants_is_rejected_and_nearly_all_else(
    means: NDArray[np.float64],
) -> None:
    of_labels = directions(means, np.ones(LABELS, int))
    rule = fit_rejection(likeness(plants(20_000, 1, means), of_labels))
    assert rule is not None

    def rejected(features: NDArray[np.float64]) -> float:
        shares = np.array([rule.share(float(score)) for score in likeness(features, of_labels)])
        return float((shares < REJECTED).mean())

    assert rejected(plants(20_000, 6, means)) == pytest.approx(REJECTED, abs=0.006)
    others = np.random.default_rng(3).normal(size=(1000, CHANNELS))
    assert rejected(others) > 0.95


def test_how_bright_or_strong_a_photo_is_does_not_count(means: NDArray[np.float64]) -> None:
    of_labels = directions(means, np.ones(LABELS, int))
    features = plants(5, 4, means)
    np.testing.assert_allclose(
        likeness(3 * features, of_labels), likeness(features, of_labels), rtol=1e-5
    )


def test_a_label_without_photos_looks_like_nothing(means: NDArray[np.float64]) -> None:
    counts = np.arange(LABELS)
    of_labels = directions(np.where(counts[:, np.newaxis] > 0, means, 0), counts)
    assert of_labels.shape == (LABELS - 1, CHANNELS)
    assert likeness(np.zeros((1, CHANNELS)), of_labels) == 0


def test_too_few_photos_give_no_rule() -> None:
    assert fit_rejection(np.linspace(0, 1, 33)) is None
    assert fit_rejection(np.linspace(0, 1, 34)) is not None


def test_a_rule_survives_json() -> None:
    rule = fit_rejection(np.linspace(0, 1, 500))
    assert rule is not None
    assert RejectionRule.from_dict(json.loads(json.dumps(rule.to_dict()))) == rule


@pytest.mark.parametrize(
    ("shares", "scores"),
    [((0, 1), (0.5, 0.2)), ((0, 1), (0.5,)), ((0.1, 1), (0.2, 0.5)), ((0, 1), (0.2, np.nan))],
)
def test_what_cannot_be_a_rule_is_refused(
    shares: tuple[float, ...], scores: tuple[float, ...]
) -> None:
    with pytest.raises(ValueError, match="rejection"):
        RejectionRule(shares, scores)


@pytest.fixture
def model(tmp_path: Path, flower: Path) -> ModelFolder:
    """The starter with a rule that keeps the flower, and rejects what looks less like a plant."""
    shutil.copytree(STARTER_FOLDER, tmp_path / "mine")
    folder = read_model_folder(tmp_path / "mine")
    pixels = Classifier.load(folder.path)
    view = np.asarray(pixels.explain(flower).views[0])[np.newaxis]
    of_labels = directions(*load_means(folder.file(TRUST)))
    score = float(likeness(pixels.embed(view), of_labels)[0])
    rule = RejectionRule((0.0, REJECTED, 1.0), (0.0, score - 0.05, 1.0))
    return recalibrate(folder, dataclasses.replace(folder.trust, rejection=rule))


NOISE = np.random.default_rng(5).integers(0, 256, (240, 240, 3), np.uint8)


def test_noise_is_rejected_with_its_candidates_and_a_flower_is_not(
    model: ModelFolder, flower: Path
) -> None:
    classifier = Classifier.load(model.path)
    answer = classifier.identify(flower, confidence=0.01)
    assert answer.rejected is False
    assert answer.is_plant is not None
    assert answer.is_plant.binary
    assert answer.safe_answer.name
    answer = classifier.identify(NOISE, confidence=0.01)
    assert answer.rejected is True
    assert answer.is_plant is not None
    assert answer.is_plant.probability < answer.is_plant.threshold == REJECTED
    assert answer.safe_answer.name is None
    assert len(answer.candidates) == 5


def test_no_reject_answers_anyway_and_says_what_it_looks_like(model: ModelFolder) -> None:
    answer = Classifier.load(model.path).identify(NOISE, confidence=0.01, no_reject=True)
    assert answer.rejected is False
    assert answer.is_plant is not None
    assert not answer.is_plant.binary
    assert answer.safe_answer.name


def test_one_photo_of_a_plant_is_enough_and_the_other_is_named(
    model: ModelFolder, flower: Path
) -> None:
    answer = Classifier.load(model.path).identify([flower, NOISE])
    assert answer.rejected is False
    assert answer.warnings == (
        "Photo 2 (the photo) does not look like a plant that the model knows.",
    )


def test_a_model_without_a_rule_cannot_say(model: ModelFolder, flower: Path) -> None:
    folder = recalibrate(model, dataclasses.replace(model.trust, rejection=None))
    answer = Classifier.load(folder.path).identify(flower)
    assert answer.is_plant is None
    assert answer.rejected is None
