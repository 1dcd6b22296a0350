from __future__ import annotations

import keras
import numpy as np
import pytest
from network_checks import fill, layers_without_gradient

from plant_classification.errors import ArgumentError
from plant_classification.networks import xception

# As in test_efficientnet_lite.py, for an input of 71 pixels.
GOLDEN_LOGITS = [48.1435, 21.0826, 54.5962, 26.0469, -43.1734]


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return xception.build(71, 5)


@pytest.fixture(scope="module")
def application() -> keras.Model:
    return keras.applications.Xception(
        weights=None, input_shape=(71, 71, 3), classes=5, classifier_activation=None
    )


def test_it_equals_the_keras_application_with_the_same_weights(
    model: keras.Model, application: keras.Model
) -> None:
    images = fill(application)
    model.set_weights(application.get_weights())
    logits, _ = model.predict_on_batch(images)
    expected = application.predict_on_batch(images)
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(logits, expected, rtol=1e-5, atol=1e-5)


def test_the_layers_have_the_names_of_the_keras_application(
    model: keras.Model, application: keras.Model
) -> None:
    numbered = ("conv2d", "batch_normalization", "add", "input_layer", "predictions")
    names = {layer.name for layer in application.layers}
    contract = {name for name in names if not name.startswith(numbered)}
    assert len(contract) > 100
    assert contract <= {layer.name for layer in model.layers}


def test_an_input_below_71_pixels_is_refused() -> None:
    with pytest.raises(ArgumentError, match="at least 71 pixels, not 70"):
        xception.build(70, 5)


def test_the_outputs_are_the_golden_ones(model: keras.Model) -> None:
    logits, _ = model.predict_on_batch(fill(model))
    np.testing.assert_allclose(logits[0], GOLDEN_LOGITS, rtol=1e-3, atol=1e-4)


def test_every_parameter_gets_a_gradient() -> None:
    assert layers_without_gradient(xception.build(71, 5)) == []
