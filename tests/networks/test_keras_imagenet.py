from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tf_keras
from keras.src.applications import mobilenet

from plant_classification.errors import ArgumentError
from plant_classification.networks import build, find_architecture, load_imagenet

# TensorFlow's variables lack what NumPy 2 asks of them; Keras saves weights through it.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SOAKED = ("DenseNet121", "DenseNet201", "InceptionResNetV2", "NASNetMobile", "InceptionV3")
APPLICATIONS = [
    pytest.param(name, marks=pytest.mark.soak if name in SOAKED else ())
    for name in ("MobileNet", "Xception", "ResNet50", *SOAKED)
]


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A file as Keras publishes them: written by Keras 2, without the top."""
    return tmp_path / "weights_notop.h5"


def keras2_network(application: str, size: int) -> tf_keras.Model:
    network = getattr(tf_keras.applications, application)(
        include_top=False, weights=None, input_shape=(size, size, 3)
    )
    random = np.random.default_rng(5)
    network.set_weights(
        [
            random.uniform(0.9, 1.1, weight.shape)
            if weight.ndim == 1
            else random.normal(0, np.sqrt(1.5 / np.prod(weight.shape[:-1])), weight.shape)
            for weight in network.get_weights()
        ]
    )
    return network


@pytest.mark.parametrize("application", APPLICATIONS)
def test_a_published_file_gives_the_features_that_keras_2_computes(
    application: str, published: Path
) -> None:
    architecture = find_architecture(application.lower())
    size = architecture.preprocessing.size
    theirs = keras2_network(application, size)
    theirs.save_weights(published)
    ours = architecture.builder(size=size, labels=3)
    load_imagenet(architecture.name, ours, published)
    image = np.random.default_rng(6).uniform(-1, 1, (1, size, size, 3)).astype(np.float32)
    expected = theirs.predict_on_batch(image)
    found = ours(image, training=False)[1].numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5 * np.abs(expected).max())


def test_a_file_of_another_network_is_refused(published: Path) -> None:
    keras2_network("MobileNet", 224).save_weights(published)
    with pytest.raises(ArgumentError, match="does not hold Keras's ImageNet weights of Xception"):
        load_imagenet("xception", build("xception", labels=3, size=71), published)


def test_weights_that_do_not_fit_the_network_are_told(published: Path) -> None:
    keras2_network("MobileNet", 224).save_weights(published)
    loader = find_architecture("mobilenet").imagenet
    assert loader is not None
    with pytest.raises(ArgumentError, match="MobileNet has a layer that our network has not"):
        loader(build("vgg16", labels=3, size=32), published)


def test_without_a_network_the_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mobilenet, "BASE_WEIGHT_PATH", "http://127.0.0.1:9/no-server/")
    model = build("mobilenet", labels=3)
    with pytest.raises(ArgumentError, match=r"could not be downloaded .*start from 'starter'"):
        load_imagenet("mobilenet", model)
