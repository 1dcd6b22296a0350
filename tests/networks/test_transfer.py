from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from network_checks import fill

from plant_classification.errors import ArgumentError
from plant_classification.networks import build
from plant_classification.networks.transfer import load_from

# TensorFlow's variables lack what NumPy 2 asks of them; Keras saves weights through it.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture
def source(tmp_path: Path) -> tuple[keras.Model, Path]:
    model = build("mobilenet", labels=3, size=64)
    fill(model)
    path = tmp_path / "weights.weights.h5"
    model.save_weights(path)
    return model, path


def test_a_network_of_another_size_gets_the_same_features(
    source: tuple[keras.Model, Path],
) -> None:
    model, path = source
    larger = build("mobilenet", labels=5, size=96)
    load_from(larger, path, 3, [None] * 5)
    same_size = build("mobilenet", labels=5, size=64)
    same_size.set_weights(larger.get_weights())
    image = np.random.default_rng(3).uniform(-1, 1, (1, 64, 64, 3)).astype(np.float32)
    np.testing.assert_allclose(
        same_size(image, training=False)[1], model(image, training=False)[1], atol=1e-6
    )


def test_a_label_that_both_know_keeps_its_row_and_another_one_its_own(
    source: tuple[keras.Model, Path],
) -> None:
    model, path = source
    other = build("mobilenet", labels=3, size=64)
    before = other.get_layer("logits").get_weights()[0]
    load_from(other, path, 3, [2, None, 0])
    kernel, bias = other.get_layer("logits").get_weights()
    old_kernel, old_bias = model.get_layer("logits").get_weights()
    np.testing.assert_array_equal(kernel[:, [0, 2]], old_kernel[:, [2, 0]])
    np.testing.assert_array_equal(bias, [old_bias[2], 0, old_bias[0]])
    np.testing.assert_array_equal(kernel[:, 1], before[:, 1])


def test_weights_of_another_network_are_refused(source: tuple[keras.Model, Path]) -> None:
    _, path = source
    with pytest.raises(ArgumentError, match="does not hold the weights of a mobilenet with 4"):
        load_from(build("mobilenet", labels=3, size=64), path, 4, [None] * 3)
