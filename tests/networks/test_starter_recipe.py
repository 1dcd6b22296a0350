"""The parts of recipes/ that made the starter model."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import keras
import numpy as np
import pytest
from network_checks import fill

from plant_classification import Classifier
from recipes import export, fine_tuning, flora119, starter
from recipes.flora119 import Example

# TensorFlow's variables lack what NumPy 2 asks of them; Keras saves weights through it.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def test_a_fold_is_seeded_whole_and_stratified_by_label_and_source() -> None:
    examples = [
        Example(Path(f"{source}{label}{number}.jpg"), label, source)
        for source in ("a", "b")
        for label in range(3)
        for number in range(10)
    ]
    kept, held = flora119.hold_out(examples, 5, seed=1)
    assert sorted(kept + held, key=str) == sorted(examples, key=str)
    assert set(Counter((e.source, e.label) for e in held).values()) == {2}
    assert flora119.hold_out(examples, 5, seed=1) == (kept, held)
    assert flora119.hold_out(examples, 5, seed=2) != (kept, held)


def test_val_txt_and_train_txt_share_no_photo(shared: Path) -> None:
    train, val = flora119.read_split("train"), flora119.read_split("val")
    assert (len(train), len(val)) == (4340, 1002)
    assert not {example.path for example in train} & {example.path for example in val}


def test_a_label_of_genus_form_has_no_species(shared: Path) -> None:
    labels = flora119.read_labels()
    assert len(labels) == 119
    assert Counter(label.rank for label in labels) == {"species": 78, "genus": 41}


@pytest.mark.parametrize("phase", fine_tuning.Settings().phases)
@pytest.mark.parametrize("shape", [(240, 320, 3), (300, 100, 3)])
def test_an_augmented_photo_is_of_the_wanted_size_and_the_same_for_the_same_seed(
    shape: tuple[int, ...], phase: fine_tuning.Phase
) -> None:
    photo = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    first, again, other = (
        fine_tuning.augment(photo, 64, phase, np.random.default_rng(seed)) for seed in (5, 5, 6)
    )
    assert first.shape == (64, 64, 3)
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


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
