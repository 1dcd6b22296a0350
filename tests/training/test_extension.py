"""More labels for a model, without the photos of those that it has."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_plants import SPECIES, draw_plants
from numpy.typing import NDArray
from tiny_network import CHANNELS, write_tiny_model

from plant_classification import Classifier
from plant_classification.errors import ArgumentError
from plant_classification.inference.head import Head
from plant_classification.models import ModelFolder, read_model_folder, write_model_folder
from plant_classification.models.folder import NETWORK, NETWORK_WEIGHTS, TRUST
from plant_classification.settings import Settings, load_settings
from plant_classification.taxonomy import label_of
from plant_classification.training import run
from plant_classification.training.config import TrainingConfig, load_training_config
from plant_classification.training.extension import (
    Known,
    compare,
    draw_features,
    extend_head,
    joined_labels,
    read_known,
)
from plant_classification.training.label_weights import LabelWeights
from plant_classification.training.linear_head import fit_head
from plant_classification.trust.feature_statistics import FeatureStatistics

DIMENSIONS, OLD, NEW = 40, 6, 3
NAMES = [label_of(f"Rosa {word}") for word in ("alba", "canina", "glauca", "mollis", "nitida", "x")]


def drawn(labels: list[int], each: int, seed: int) -> tuple[NDArray[np.float16], NDArray[np.int32]]:
    """Features that are never negative, as behind a ReLU, of nine labels."""
    means = np.random.default_rng(7).exponential(size=(OLD + NEW, DIMENSIONS))
    random = np.random.default_rng(seed)
    truth = np.repeat(labels, each).astype(np.int32)
    features = means[truth] + random.normal(size=(len(truth), DIMENSIONS)) * 1.2
    return np.maximum(features, 0).astype(np.float16), truth


def plain(counts: NDArray[np.integer]) -> LabelWeights:
    return LabelWeights.of(counts, balanced=False, adjustment=0.0)


@pytest.fixture(scope="module")
def known() -> Known:
    features, labels = drawn(list(range(OLD)), 80, 1)
    head = fit_head(features.astype(np.float32), labels, 0.3, plain(np.bincount(labels)), 0)
    return Known(tuple(NAMES), head, FeatureStatistics.of(features, labels, OLD))


def accuracy(head: Head, labels: list[int]) -> float:
    features, truth = drawn(labels, 200, 3)
    return float((head(features).argmax(axis=1) == truth).mean())


def extended(known: Known, labels: list[int], **options: Any) -> Head:
    """With 80 photos of each of these labels, which come first as they are known."""
    features, truth = drawn(labels, 80, 2)
    count = max(OLD, truth.max() + 1)
    statistics = known.statistics.joined(FeatureStatistics.of(features, truth, count))
    weighted = LabelWeights.of(
        statistics.counts, **{"balanced": False, "adjustment": 0.0, **options}
    )
    return extend_head(known, features[:, np.newaxis], truth, weighted, 0)


def test_new_labels_are_learnt_and_old_ones_stay_nearly_as_well_known(known: Known) -> None:
    old, new = list(range(OLD)), list(range(OLD, OLD + NEW))
    head = extended(known, new)
    features, truth = drawn(old + new, 80, 2)
    together = fit_head(features.astype(np.float32), truth, 0.3, plain(np.bincount(truth)), 0)
    for labels in (old, new):
        assert accuracy(head, labels) > accuracy(together, labels) - 0.05
    assert accuracy(head, old) > accuracy(known.head, old) - 0.1


def test_the_part_of_labels_without_new_photos_stays_as_it_was(known: Known) -> None:
    head = extended(known, [2, 6, 7, 8])
    stay = [0, 1, 3, 4, 5]
    np.testing.assert_array_equal(head.kernel[:, stay], known.head.kernel[:, stay])
    np.testing.assert_array_equal(head.bias[stay], known.head.bias[stay])
    assert np.abs(head.kernel[:, 2] - known.head.kernel[:, 2]).max() > 1e-3


def test_new_photos_of_an_old_label_make_it_better_known(known: Known) -> None:
    poor = Head(known.head.kernel.copy(), known.head.bias.copy())
    poor.kernel[:, 4], poor.bias[4] = 0, -5
    before = accuracy(poor, [4])
    assert accuracy(extended(dataclasses.replace(known, head=poor), [4, 6]), [4]) > before + 0.5


def test_the_same_seed_gives_the_same_head(known: Known) -> None:
    one, other = extended(known, [6, 7]), extended(known, [6, 7])
    np.testing.assert_array_equal(one.kernel, other.kernel)


def test_labels_of_one_name_are_one_and_the_old_ones_come_first() -> None:
    new = (label_of("Viola alba"), NAMES[3], label_of("Rosa rugosa"))
    labels, places = joined_labels(NAMES, new)
    assert [label.name for label in labels[OLD:]] == ["Viola alba", "Rosa rugosa"]
    np.testing.assert_array_equal(places, [OLD, 3, OLD + 1])


def test_another_spelling_is_the_label_that_is_known() -> None:
    known = [label_of("Iris x germanica"), label_of("Rosa sp.")]
    labels, places = joined_labels(
        known, [label_of("Bellis perennis"), label_of("Iris × germanica")]
    )
    assert [label.name for label in labels] == ["Iris x germanica", "Rosa sp.", "Bellis perennis"]
    assert places.tolist() == [2, 0]


def test_drawn_features_are_like_those_that_they_stand_for(known: Known) -> None:
    features, labels = draw_features(known.statistics, np.full(OLD, 2000), 0)
    again = FeatureStatistics.of(features, labels, OLD)
    np.testing.assert_array_equal(again.counts, np.full(OLD, 2000))
    np.testing.assert_allclose(again.means, known.statistics.means, atol=0.15)
    np.testing.assert_allclose(again.covariance, known.statistics.covariance, atol=0.15)


def test_the_comparison_is_on_photos_where_there_are_some_and_says_so(known: Known) -> None:
    head = extended(known, [6, 7, 8])
    on_photos = compare(known, head, *drawn(list(range(OLD)), 10, 5))
    assert (on_photos.judged_on, on_photos.count) == ("validation photos", 60)
    none = np.zeros((0, DIMENSIONS), np.float16), np.zeros(0, np.int32)
    on_draws = compare(known, head, *none)
    assert on_draws.judged_on == "features drawn from trust.npz"
    for compared in (on_photos, on_draws):
        assert 0.5 < compared.after <= compared.before <= 1
    words = str(on_photos)
    assert f"{on_photos.before:.1%} right before, {on_photos.after:.1%} after" in words
    assert "on 60 validation photos" in words


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    root = tmp_path_factory.mktemp("machine")
    settings = load_settings(models_dir=root / "models", trainings_dir=root / "trainings")
    write_tiny_model(settings.models_dir / "tiny")
    draw_plants(root / "old", species=2, photos=12)
    draw_plants(root / "all", species=3, photos=12, seed=5)
    shutil.move(root / "all" / SPECIES[2], root / "new" / SPECIES[2])
    draw_plants(root / "mixed", species=3, photos=12, seed=6)
    shutil.rmtree(root / "mixed" / SPECIES[0])
    train(root / "old", settings, init="tiny", name="garden")
    return settings


def configured(**options: Any) -> TrainingConfig:
    given = {"mode": "fast", "views": 2, **options}
    return load_training_config(("the test", given))[0]


def train(data: Path, settings: Settings, **options: Any) -> ModelFolder:
    model = run.train(configured(**options), data, settings, lambda _: None)
    assert model is not None
    return model


def named(model: ModelFolder, photos: Path, name: str, settings: Settings) -> float:
    """The share of the photos that get their name."""
    classifier = Classifier(model, settings)
    answers = [classifier.identify(path) for path in sorted((photos / name).iterdir())]
    return float(np.mean([answer.candidates[0].label.name == name for answer in answers]))


def test_a_model_that_is_extended_knows_old_and_new_plants(machine: Settings) -> None:
    root = machine.models_dir.parent
    model = train(root / "new", machine, extend="garden", name="more")
    assert [label.name for label in model.labels()] == list(SPECIES[:3])
    assert named(model, root / "new", SPECIES[2], machine) > 0.8
    for name in SPECIES[:2]:
        assert named(model, root / "old", name, machine) > 0.8
    (note,) = model.training["notes"]
    assert "Labels that were known" in note
    assert "features drawn from trust.npz" in note
    statistics = FeatureStatistics.load(model.path / TRUST)
    of_garden = FeatureStatistics.load(machine.models_dir / "garden" / TRUST)
    np.testing.assert_array_equal(statistics.counts[:2], of_garden.counts)
    assert statistics.counts[2] > 0


def test_old_labels_with_new_photos_are_judged_on_those_held_back(machine: Settings) -> None:
    root = machine.models_dir.parent
    model = train(root / "mixed", machine, extend="garden", name="mixed")
    assert [label.name for label in model.labels()] == list(SPECIES[:3])
    assert model.training["judged_on"] == "validation photos"
    statistics = FeatureStatistics.load(model.path / TRUST)
    of_garden = FeatureStatistics.load(machine.models_dir / "garden" / TRUST)
    assert statistics.counts[0] == of_garden.counts[0]
    assert statistics.counts[1] > of_garden.counts[1]
    again = train(root / "new", machine, extend="mixed", name="mixed-2")
    assert len(again.labels()) == 3


def test_a_model_without_statistics_cannot_be_extended(machine: Settings) -> None:
    new = machine.models_dir.parent / "new"
    with pytest.raises(ArgumentError, match=r"'tiny' cannot be extended: it has no trust\.npz"):
        run.outline(configured(extend="tiny", name="nothing"), new, machine)
    assert not (machine.models_dir / "nothing").exists()


def with_statistics(folder: Path, model: ModelFolder, content: Path) -> ModelFolder:
    """A model with another trust.npz."""
    files = {name: model.path / name for name in (NETWORK, NETWORK_WEIGHTS)}
    return write_model_folder(
        folder,
        architecture=model.architecture,
        preprocessing=model.preprocessing,
        labels=model.labels(),
        training={},
        metrics={},
        files={**files, TRUST: content},
    )


def test_statistics_that_are_damaged_or_of_another_network_are_told(
    machine: Settings, tmp_path: Path
) -> None:
    garden = read_model_folder(machine.models_dir / "garden")
    (tmp_path / "cut.npz").write_bytes((garden.path / TRUST).read_bytes()[:200])
    with pytest.raises(ArgumentError, match=r"cannot be extended: .*trust\.npz cannot be used"):
        read_known(with_statistics(tmp_path / "cut", garden, tmp_path / "cut.npz"))
    features, labels = drawn([0, 1], 30, 0)
    FeatureStatistics.of(features, labels, 2).save(tmp_path / "other.npz")
    assert features.shape[1] != CHANNELS
    with pytest.raises(ArgumentError, match="is that of another network"):
        read_known(with_statistics(tmp_path / "other", garden, tmp_path / "other.npz"))


@pytest.mark.parametrize(
    ("options", "sentence", "field"),
    [
        ({"mode": "normal"}, "extend belongs to fast mode", "extend"),
        ({"init": "starter"}, "keeps its own network", "init"),
        ({"extend": "nobody"}, "There is no model 'nobody'", "extend"),
        ({"extend": "imagenet"}, "There is no model 'imagenet'", "extend"),
    ],
)
def test_options_that_contradict_it_are_refused(
    machine: Settings, options: dict[str, str], sentence: str, field: str
) -> None:
    new = machine.models_dir.parent / "new"
    with pytest.raises(ArgumentError, match=sentence) as caught:
        train(new, machine, **{"extend": "garden", "name": "nothing", **options})
    assert caught.value.field == field
