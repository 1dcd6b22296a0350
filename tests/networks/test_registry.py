from __future__ import annotations

import numpy as np
import pytest

from plant_classification.errors import ArgumentError
from plant_classification.networks import ARCHITECTURES, build, find_architecture


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_registry_knows_the_number_of_parameters(name: str) -> None:
    model = build(name, labels=3, size=96)
    classifier = model.get_layer("logits").count_params()
    assert model.count_params() - classifier == find_architecture(name).parameters


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_network_is_built_at_the_size_of_its_preprocessing(name: str) -> None:
    size = ARCHITECTURES[name].preprocessing.size
    assert build(name, labels=3).input_shape == (None, size, size, 3)


@pytest.mark.parametrize(
    ("name", "black", "white"), [("efficientnet_lite0", -127 / 128, 1.0), ("xception", -1.0, 1.0)]
)
def test_the_preprocessing_gives_the_range_that_the_network_wants(
    name: str, black: float, white: float
) -> None:
    ends = np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8)
    normalized = ARCHITECTURES[name].preprocessing.normalize(ends)
    np.testing.assert_allclose(normalized[0, :, 0], [black, white], rtol=1e-6)


def test_an_unknown_name_is_refused_with_those_that_exist() -> None:
    with pytest.raises(ArgumentError) as refused:
        build("resnet50", labels=3)
    assert refused.value.message == (
        "There is no architecture 'resnet50'; there are: efficientnet_lite0, efficientnet_lite1, "
        "efficientnet_lite2, xception."
    )
