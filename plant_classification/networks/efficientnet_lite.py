"""EfficientNet-Lite 0, 1 and 2 (Tan and Le 2019, arXiv:1905.11946; the Lite variants of 2020).

The Lite variants leave out squeeze-and-excitation, use ReLU6 in place of swish, and keep the width
of stem and head and the depth of the first and the last stage fixed when the network is scaled.

Contract:
    Input ``image``: ``float32 (N, size, size, 3)`` RGB, ``(value - 127) / 128`` of values in
    0..255; size 224, 240, 260 for the variants 0, 1, 2, and at least 32.
    Outputs: ``logits`` ``float32 (N, labels)``, and ``features`` ``float32 (N, h, w, 1280)``, the
    last feature map, with h and w a 32nd of the input's size, rounded up. The logits are the dense
    layer ``logits`` of the mean of ``features`` over h and w.
    Layer names: ``stem_conv``, ``stem_bn``; for each block, numbered by stage and by letter within
    it (``block1a`` ... ``block7a``), ``_expand_conv``, ``_expand_bn`` (not in stage 1),
    ``_dwconv``, ``_bn``, ``_project_conv``, ``_project_bn``; ``head_conv``, ``head_bn``,
    ``features``, ``logits``.
    Padding is TensorFlow's "same": the published weights need it.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import keras

from plant_classification.errors import ArgumentError

MINIMUM_SIZE = 32
STEM_CHANNELS = 32
HEAD_CHANNELS = 1280


@dataclasses.dataclass(frozen=True)
class Variant:
    """How a variant scales the base network, and its rate of dropout before the classifier."""

    width: float
    depth: float
    dropout: float


VARIANTS = {0: Variant(1.0, 1.0, 0.2), 1: Variant(1.0, 1.1, 0.2), 2: Variant(1.1, 1.2, 0.3)}


@dataclasses.dataclass(frozen=True)
class Stage:
    """Inverted residual blocks (Sandler et al. 2018, arXiv:1801.04381) of one width."""

    kernel: int
    repeats: int
    channels: int
    expansion: int
    stride: int


STAGES = (
    Stage(3, 1, 16, 1, 1),
    Stage(3, 2, 24, 6, 2),
    Stage(5, 2, 40, 6, 2),
    Stage(3, 3, 80, 6, 2),
    Stage(5, 3, 112, 6, 1),
    Stage(5, 4, 192, 6, 2),
    Stage(3, 1, 320, 6, 1),
)


def build(variant: int, size: int, labels: int) -> keras.Model:
    """Build the network with random weights.

    Args:
        variant: 0, 1 or 2.
        size: Side of the input in pixels, at least 32.
        labels: Number of logits.

    Returns:
        A model with the outputs ``[logits, features]``.

    Raises:
        ArgumentError: The size is too small.
    """
    if size < MINIMUM_SIZE:
        raise ArgumentError(
            f"EfficientNet-Lite needs an input of at least {MINIMUM_SIZE} pixels, not {size}.",
            field="size",
        )
    scaling = VARIANTS[variant]
    image = keras.Input((size, size, 3), name="image")
    x = _normalized(_convolution(STEM_CHANNELS, 3, "stem_conv", strides=2)(image), "stem_bn")
    x = _relu6(x, "stem_activation")
    for number, stage in enumerate(STAGES, 1):
        fixed = number in (1, len(STAGES))
        repeats = stage.repeats if fixed else math.ceil(stage.repeats * scaling.depth)
        for index in range(repeats):
            name = f"block{number}{chr(ord('a') + index)}"
            stride = stage.stride if index == 0 else 1
            x = _block(x, stage, round_channels(stage.channels * scaling.width), stride, name)
    x = _normalized(_convolution(HEAD_CHANNELS, 1, "head_conv")(x), "head_bn")
    features = _relu6(x, "features")
    x = keras.layers.GlobalAveragePooling2D(name="pooling")(features)
    x = keras.layers.Dropout(scaling.dropout, name="dropout")(x)
    logits = keras.layers.Dense(labels, name="logits")(x)
    return keras.Model(image, [logits, features], name=f"efficientnet_lite{variant}")


def round_channels(channels: float) -> int:
    """The multiple of eight nearest to a scaled width, never less than nine tenths of it."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * channels else rounded + 8


def _block(x: Any, stage: Stage, channels: int, stride: int, name: str) -> Any:
    shortcut = x
    if stage.expansion > 1:
        expanded = _convolution(x.shape[-1] * stage.expansion, 1, f"{name}_expand_conv")(x)
        x = _relu6(_normalized(expanded, f"{name}_expand_bn"), f"{name}_expand_activation")
    depthwise = keras.layers.DepthwiseConv2D(
        stage.kernel,
        strides=stride,
        padding="same",
        use_bias=False,
        depthwise_initializer="he_normal",
        name=f"{name}_dwconv",
    )
    x = _relu6(_normalized(depthwise(x), f"{name}_bn"), f"{name}_activation")
    x = _normalized(_convolution(channels, 1, f"{name}_project_conv")(x), f"{name}_project_bn")
    if stride == 1 and shortcut.shape[-1] == channels:
        x = keras.layers.Add(name=f"{name}_add")([shortcut, x])
    return x


def _convolution(channels: int, kernel: int, name: str, strides: int = 1) -> keras.layers.Conv2D:
    return keras.layers.Conv2D(
        channels,
        kernel,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=name,
    )


def _normalized(x: Any, name: str) -> Any:
    return keras.layers.BatchNormalization(momentum=0.99, epsilon=1e-3, name=name)(x)


def _relu6(x: Any, name: str) -> Any:
    return keras.layers.ReLU(6.0, name=name)(x)
