"""The parts of recipes/ that made the starter model."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from network_checks import fill

from plant_classification.networks import build
from recipes import export, fine_tuning, flora119
from recipes.flora119 import Example


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


@pytest.mark.parametrize("shape", [(240, 320, 3), (300, 100, 3)])
def test_an_augmented_photo_is_of_the_wanted_size_and_the_same_for_the_same_seed(
    shape: tuple[int, ...],
) -> None:
    photo = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    first, again, other = (
        fine_tuning.augment(photo, 64, 0.3, np.random.default_rng(seed)) for seed in (5, 5, 6)
    )
    assert first.shape == (64, 64, 3) and first.dtype == np.uint8
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_half_precision_weights_are_read_back(tmp_path: Path) -> None:
    model, other = (build("efficientnet_lite0", 7, size=32) for _ in range(2))
    fill(model)
    path = tmp_path / "half.weights.h5"
    export.save_half_weights(model, path)
    other.load_weights(path)
    for weights, found in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(found, weights, rtol=1e-3, atol=1e-6)
    assert path.stat().st_size < 2.5 * model.count_params()


def test_the_exported_network_agrees_with_keras_and_names_no_path(tmp_path: Path) -> None:
    model = build("efficientnet_lite0", 7, size=32)
    images = fill(model)
    network = export.convert(model)
    found = export.run_network(network, images)
    for output, expected in zip(found, model.predict_on_batch(images), strict=True):
        np.testing.assert_allclose(output, expected, rtol=1e-3, atol=1e-3)
    export.save_network(network, tmp_path / "network.xml")
    assert (tmp_path / "network.bin").stat().st_size < 2.5 * model.count_params()
    assert '"/' not in (tmp_path / "network.xml").read_text("utf-8")
    logits, features = export.run_network(tmp_path / "network.xml", images)
    assert logits.shape == (2, 7) and features.shape == (2, 1, 1, 1280)
