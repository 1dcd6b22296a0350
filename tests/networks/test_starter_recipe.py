"""The parts of recipes/ that made the starter model."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import keras
import numpy as np
import pytest
from network_checks import fill

from plant_classification import Classifier
from plant_classification.data import TRAIN, VALIDATION, Dataset
from plant_classification.data.reading import read_dataset
from plant_classification.networks import build
from recipes import averaging, export, flora119, starter

# TensorFlow's variables lack what NumPy 2 asks of them; Keras saves weights through it.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def fold(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Split files without what oxford102 has of the labels of oxford17."""
    records = flora119.read().splits[TRAIN]
    target = tmp_path_factory.mktemp("fold") / "data"
    flora119.write_fold(target, 5, flora119.of_both(records, "oxford102", "oxford17"))
    return read_dataset(target)


def test_a_fifth_of_train_txt_is_held_back_and_nothing_of_val_txt_is_there(fold: Dataset) -> None:
    train, held = (set(fold.splits[split].paths) for split in (TRAIN, VALIDATION))
    whole = flora119.read()
    assert not train & held
    assert 0.19 < len(held) / len(train | held) < 0.21
    assert train | held < set(whole.splits[TRAIN].paths)
    assert not (train | held) & set(whole.splits[VALIDATION].paths)


def test_labels_that_two_sources_share_can_be_left_out_of_one(fold: Dataset) -> None:
    train = fold.splits[TRAIN]
    sources = flora119.sources_of(train)
    of_both = set(train.labels[sources == "oxford102"]) & set(train.labels[sources == "oxford17"])
    assert not of_both
    whole = flora119.read().splits[TRAIN]
    assert len(whole) - len(train) - len(fold.splits[VALIDATION]) == 148


def test_val_txt_and_train_txt_share_no_photo(shared: Path) -> None:
    splits = flora119.read().splits
    assert [len(splits[split]) for split in (TRAIN, VALIDATION)] == [4340, 1002]
    assert not set(splits[TRAIN].paths) & set(splits[VALIDATION].paths)


def test_a_label_of_genus_form_has_no_species(shared: Path) -> None:
    labels = flora119.read().labels
    assert len(labels) == 119
    assert Counter(label.rank for label in labels) == {"species": 78, "genus": 41}


@pytest.fixture
def model() -> keras.Model:
    """A small network with the two outputs of the contract."""
    image = keras.Input((32, 32, 3), name="image")
    x = keras.layers.Conv2D(64, 3, strides=4, padding="same", name="stem_conv")(image)
    features = keras.layers.ReLU(6.0)(keras.layers.BatchNormalization()(x))
    pooled = keras.layers.GlobalAveragePooling2D()(features)
    return keras.Model(image, [keras.layers.Dense(7)(pooled), features], name="small")


def test_half_precision_weights_are_read_back(model: keras.Model, tmp_path: Path) -> None:
    fill(model)
    weights = model.get_weights()
    path, half = tmp_path / "full.weights.h5", tmp_path / "half.weights.h5"
    model.save_weights(path)
    export.save_half_weights(model, half)
    fill(model, seed=12)
    model.load_weights(half)
    for found, expected in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(found, expected.astype(np.float16).astype(np.float32))
    assert half.stat().st_size < path.stat().st_size - model.count_params()


def test_a_network_between_two_others_has_their_weighted_mean(tmp_path: Path) -> None:
    networks = [build("mobilenet", 3, 32) for _ in range(2)]
    files = tmp_path / "one.weights.h5", tmp_path / "other.weights.h5"
    for seed, (network, file) in enumerate(zip(networks, files, strict=True)):
        fill(network, seed)
        network.save_weights(file)
    made = averaging.between("mobilenet", 3, files, 0.25, size=64)
    assert made.input_shape[1] == 64
    weights = [network.get_weights() for network in (*networks, made)]
    for one, other, mean in zip(*weights, strict=True):
        np.testing.assert_allclose(mean, 0.75 * one + 0.25 * other, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_the_cards_figures_are_those_of_the_served_path(shared: Path) -> None:
    classifier = Classifier.load()
    figures = starter.measure(classifier)
    assert figures["all"]["top1"] >= 0.88
    assert figures["oxford102"]["top1"] >= 0.92
    card = (classifier.folder.path / "card.md").read_text("utf-8")
    for source, published in classifier.folder.metrics["flora119 val.txt"].items():
        # Another processor computes in f32, where a photo or two of a source may go the other way.
        assert figures[source] == pytest.approx(published, abs=0.04)
        assert f"| {source} | {published['photos']} | {published['top1']:.1%} |" in card
