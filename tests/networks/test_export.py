from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from network_checks import fill

from plant_classification.networks.export import convert
from plant_classification.openvino import save_network
from recipes.export import run_network


@pytest.fixture(scope="module")
def model() -> keras.Model:
    """A small network with the two outputs of the contract."""
    image = keras.Input((32, 32, 3), name="image")
    x = keras.layers.Conv2D(64, 3, strides=4, padding="same", name="stem_conv")(image)
    features = keras.layers.ReLU(6.0)(keras.layers.BatchNormalization()(x))
    pooled = keras.layers.Dropout(0.5)(keras.layers.GlobalAveragePooling2D()(features))
    return keras.Model(image, [keras.layers.Dense(7)(pooled), features], name="small")


@pytest.mark.parametrize(("half", "tolerance"), [(False, 1e-5), (True, 1e-2)])
def test_a_saved_network_agrees_with_keras(
    model: keras.Model, tmp_path: Path, half: bool, tolerance: float
) -> None:
    images = fill(model)
    saved = tmp_path / "network.xml"
    save_network(convert(model), saved, half=half)
    outputs = run_network(saved, images)
    for output, expected in zip(outputs, model.predict_on_batch(images), strict=True):
        np.testing.assert_allclose(output, expected, atol=tolerance)
    is_small = saved.with_suffix(".bin").stat().st_size < 3 * model.count_params()
    assert is_small == half


def test_any_number_of_images_goes_in_and_nothing_tells_where_it_was_made(
    model: keras.Model, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    network = convert(model)
    save_network(network, tmp_path / "network.xml", half=False)
    assert [list(port.names) for port in network.inputs] == [["image"]]
    assert len(run_network(network, np.zeros((5, 32, 32, 3), np.float32))[0]) == 5
    assert '"/' not in (tmp_path / "network.xml").read_text("utf-8")
    assert capfd.readouterr().out == ""


def test_outputs_are_told_apart_when_their_sizes_are_equal() -> None:
    image = keras.Input((32, 32, 3), name="image")
    features = keras.layers.Conv2D(8, 32)(image)
    logits = keras.layers.Dense(8)(keras.layers.GlobalAveragePooling2D()(features))
    network = convert(keras.Model(image, [logits, features]))
    outputs = run_network(network, np.zeros((1, 32, 32, 3), np.float32))
    assert [output.shape for output in outputs] == [(1, 8), (1, 1, 1, 8)]
