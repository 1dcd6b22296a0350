from __future__ import annotations

import dataclasses
import sys

import keras
import numpy as np
import pytest

from plant_classification.errors import ArgumentError
from plant_classification.networks import ARCHITECTURES, build, load_imagenet

SLOW = (
    "nasnetmobile",
    "inceptionv3",
    "inceptionresnetv2",
    "densenet121",
    "densenet169",
    "densenet201",
)
NAMES = [
    pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in ARCHITECTURES
]
APPLICATIONS = {
    name: application
    for application in dir(keras.applications)
    if (name := application.lower()) in ARCHITECTURES and application != name
}
"""What Keras calls those of its own."""


@pytest.mark.parametrize("name", NAMES)
def test_a_network_is_what_the_registry_says(name: str) -> None:
    architecture = ARCHITECTURES[name]
    size = architecture.preprocessing.size
    model = build(name, labels=3)
    assert model.name == name
    assert model.input_shape == (None, size, size, 3)
    assert model.output_shape[0] == (None, 3)
    _, height, width, channels = model.output_shape[1]
    assert height == width >= 7
    classifier = model.get_layer("logits").count_params()
    assert classifier == 3 * (channels + 1)
    assert model.count_params() - classifier == architecture.parameters


@pytest.mark.parametrize("name", NAMES)
def test_the_smallest_input_gives_numbers_and_a_smaller_one_is_refused(name: str) -> None:
    smallest = ARCHITECTURES[name].minimum
    model = build(name, labels=3, size=smallest)
    logits, features = model(np.ones((1, smallest, smallest, 3), np.float32), training=False)
    assert np.isfinite(logits).all()
    assert (features.dtype, features.ndim) == ("float32", 4)
    message = f"at least {smallest} pixels, not {smallest - 1}"
    with pytest.raises(ArgumentError, match=message) as refused:
        build(name, labels=3, size=smallest - 1)
    assert refused.value.field == "size"


@pytest.mark.parametrize(
    ("name", "black", "white"),
    [
        ("efficientnet_lite0", [-127 / 128] * 3, [1] * 3),
        ("xception", [-1] * 3, [1] * 3),
        ("mobilenet", [-1] * 3, [1] * 3),
        ("densenet121", [-2.117904, -2.035714, -1.804444], [2.2489083, 2.4285715, 2.64]),
        ("resnet50", [-103.939, -116.779, -123.68], [151.061, 138.221, 131.32]),
    ],
)
def test_the_preprocessing_gives_the_range_that_the_network_wants(
    name: str, black: list[float], white: list[float]
) -> None:
    ends = np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8)
    normalized = ARCHITECTURES[name].preprocessing.normalize(ends)
    np.testing.assert_allclose(normalized[0], [black, white], rtol=1e-5)


@pytest.mark.parametrize("name", APPLICATIONS)
def test_the_preprocessing_of_an_application_is_that_of_keras(name: str) -> None:
    photo = np.random.default_rng(2).integers(0, 256, (1, 8, 8, 3), np.uint8)
    module = sys.modules[getattr(keras.applications, APPLICATIONS[name]).__module__]
    expected = module.preprocess_input(photo.astype(np.float32))
    normalized = ARCHITECTURES[name].preprocessing.normalize(photo)
    np.testing.assert_allclose(normalized, expected, rtol=1e-5, atol=1e-5)


def test_an_unknown_name_is_refused_with_those_that_exist() -> None:
    with pytest.raises(ArgumentError) as refused:
        build("resnet51", labels=3)
    assert refused.value.message == (
        f"There is no architecture 'resnet51'; there are: {', '.join(ARCHITECTURES)}."
    )


def test_a_network_without_imagenet_weights_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = dataclasses.replace(ARCHITECTURES["vgg16"], imagenet=None)
    monkeypatch.setitem(ARCHITECTURES, "vgg16", plain)
    with pytest.raises(ArgumentError, match="no ImageNet weights of vgg16") as refused:
        load_imagenet("vgg16", build("vgg16", labels=3, size=32))
    assert refused.value.field == "init"
