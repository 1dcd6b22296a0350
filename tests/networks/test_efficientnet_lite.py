from __future__ import annotations

import numpy as np
import pytest
from network_checks import fill, layers_without_gradient

from plant_classification.errors import ArgumentError
from plant_classification.networks import build, efficientnet_lite

# The first logits, and the mean of the feature map, of the networks that `fill` makes for an input
# of 64 pixels; computed once with Keras 3.15 on TensorFlow 2.21, and given to four decimals.
GOLDEN = {
    0: ([-0.8621, -1.5235, 4.0564, 0.2456, -4.1348, 0.3439, 0.2163], 1.30478),
    1: ([1.8577, -0.2857, 1.6687, -2.6783, 2.5445, 4.6687, 0.603], 1.35414),
    2: ([-0.8508, -1.3698, 1.679, -7.1048, 1.1219, 2.8022, 3.3406], 1.34204),
}


@pytest.mark.parametrize(("variant", "size"), [(0, 224), (1, 240), (2, 260)])
def test_a_variant_has_its_own_input_size_and_two_outputs(variant: int, size: int) -> None:
    model = build(f"efficientnet_lite{variant}", labels=7)
    side = -(-size // 32)
    assert model.input_shape == (None, size, size, 3)
    assert model.output_shape == [(None, 7), (None, side, side, 1280)]


def test_the_layers_have_the_names_of_the_contract() -> None:
    names = {layer.name for layer in efficientnet_lite.build(0, 64, 7).layers}
    block = {f"block2b_{part}{kind}" for part in ("expand_", "project_") for kind in ("conv", "bn")}
    stem_and_head = {"stem_conv", "stem_bn", "head_conv", "head_bn", "features", "logits"}
    assert block | stem_and_head | {"block2b_dwconv", "block2b_bn", "block7a_dwconv"} <= names
    assert "block1a_expand_conv" not in names


@pytest.mark.parametrize(("variant", "blocks"), [(0, 16), (1, 21), (2, 21)])
def test_a_deeper_variant_has_more_blocks_but_one_in_the_first_and_last_stage(
    variant: int, blocks: int
) -> None:
    model = efficientnet_lite.build(variant, 64, 7)
    found = [layer.name for layer in model.layers if layer.name.endswith("_dwconv")]
    assert len(found) == blocks
    assert sum(name.startswith(("block1", "block7")) for name in found) == 2


@pytest.mark.parametrize(
    ("channels", "rounded"), [(24 * 1.1, 24), (40 * 1.1, 48), (80 * 1.1, 88), (11, 16), (2, 8)]
)
def test_widths_are_multiples_of_eight_and_lose_at_most_a_tenth(
    channels: float, rounded: int
) -> None:
    assert efficientnet_lite.round_channels(channels) == rounded


def test_an_input_below_32_pixels_is_refused() -> None:
    with pytest.raises(ArgumentError, match="at least 32 pixels, not 31") as refused:
        efficientnet_lite.build(0, 31, 7)
    assert refused.value.field == "size"


def test_every_parameter_gets_a_gradient() -> None:
    assert layers_without_gradient(efficientnet_lite.build(0, 64, 7)) == []


@pytest.mark.parametrize("variant", GOLDEN)
def test_the_outputs_are_the_golden_ones(variant: int) -> None:
    model = efficientnet_lite.build(variant, 64, 7)
    logits, features = model.predict_on_batch(fill(model))
    expected, mean = GOLDEN[variant]
    np.testing.assert_allclose(logits[0], expected, rtol=1e-3, atol=1e-4)
    assert features.mean() == pytest.approx(mean, rel=1e-3)


def test_the_logits_are_the_dense_layer_of_the_mean_of_the_features() -> None:
    model = efficientnet_lite.build(0, 64, 7)
    logits, features = model.predict_on_batch(fill(model))
    kernel, bias = model.get_layer("logits").get_weights()
    np.testing.assert_allclose(features.mean(axis=(1, 2)) @ kernel + bias, logits, atol=1e-5)
