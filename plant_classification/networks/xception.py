"""Xception (Chollet 2017, arXiv:1610.02357).

Contract:
    Input ``image``: ``float32 (N, size, size, 3)`` RGB in [-1, 1]; size at least 71, by design 299.
    Outputs: ``logits`` ``float32 (N, labels)``, and ``features`` ``float32 (N, h, w, 2048)``, the
    last feature map (layer ``block14_sepconv2_act``).
    Layer names: those of the Keras application, so that its weights and the old service's fit by
    name: ``block1_conv1``, ``block1_conv1_bn``, ``block1_conv1_act``, ``block1_conv2`` ...;
    ``block<n>_sepconv<m>``, its ``_bn`` and ``_act`` for the blocks 2 to 14; ``block<n>_pool`` for
    2, 3, 4 and 13. The convolution of the shortcut in these four has the name
    ``block<n>_shortcut_conv`` and ``block<n>_shortcut_conv_bn`` here, since Keras numbers them anew
    in every process (``conv2d``, ``batch_normalization`` ...).
    The head's layers: ``avg_pool`` and ``logits``.
"""

from __future__ import annotations

from typing import Any

import keras

from plant_classification.errors import ArgumentError
from plant_classification.networks.heads import add_head

MINIMUM_SIZE = 71


def build(size: int, labels: int) -> keras.Model:
    """Build the network with random weights.

    Args:
        size: Side of the input in pixels, at least 71.
        labels: Number of logits.

    Returns:
        A model with the outputs ``[logits, features]``.

    Raises:
        ArgumentError: The size is too small.
    """
    if size < MINIMUM_SIZE:
        raise ArgumentError(
            f"Xception needs an input of at least {MINIMUM_SIZE} pixels, not {size}.", field="size"
        )
    image = keras.Input((size, size, 3), name="image")
    features = _exit_flow(_middle_flow(_entry_flow(image)))
    logits = add_head(features, labels)
    return keras.Model(image, [logits, features], name="xception")


def _entry_flow(x: Any) -> Any:
    for name, channels, stride in (("block1_conv1", 32, 2), ("block1_conv2", 64, 1)):
        x = keras.layers.Conv2D(channels, 3, strides=stride, use_bias=False, name=name)(x)
        x = _relu(_normalized(x, f"{name}_bn"), f"{name}_act")
    for number, channels in ((2, 128), (3, 256), (4, 728)):
        x = _reducing_block(x, f"block{number}", (channels, channels), relu_first=number > 2)
    return x


def _middle_flow(x: Any) -> Any:
    for number in range(5, 13):
        shortcut = x
        for index in (1, 2, 3):
            x = _separable_after_relu(x, 728, f"block{number}_sepconv{index}")
        x = keras.layers.Add(name=f"block{number}_add")([x, shortcut])
    return x


def _exit_flow(x: Any) -> Any:
    x = _reducing_block(x, "block13", (728, 1024), relu_first=True)
    x = _separable(x, 1536, "block14_sepconv1")
    x = _relu(x, "block14_sepconv1_act")
    x = _separable(x, 2048, "block14_sepconv2")
    return _relu(x, "block14_sepconv2_act")


def _reducing_block(x: Any, name: str, channels: tuple[int, int], *, relu_first: bool) -> Any:
    shortcut = keras.layers.Conv2D(
        channels[1], 1, strides=2, padding="same", use_bias=False, name=f"{name}_shortcut_conv"
    )(x)
    shortcut = _normalized(shortcut, f"{name}_shortcut_conv_bn")
    first = _separable_after_relu if relu_first else _separable
    x = first(x, channels[0], f"{name}_sepconv1")
    x = _separable_after_relu(x, channels[1], f"{name}_sepconv2")
    x = keras.layers.MaxPooling2D(3, strides=2, padding="same", name=f"{name}_pool")(x)
    return keras.layers.Add(name=f"{name}_add")([x, shortcut])


def _separable_after_relu(x: Any, channels: int, name: str) -> Any:
    return _separable(_relu(x, f"{name}_act"), channels, name)


def _separable(x: Any, channels: int, name: str) -> Any:
    convolution = keras.layers.SeparableConv2D(
        channels, 3, padding="same", use_bias=False, name=name
    )
    return _normalized(convolution(x), f"{name}_bn")


def _normalized(x: Any, name: str) -> Any:
    return keras.layers.BatchNormalization(name=name)(x)


def _relu(x: Any, name: str) -> Any:
    return keras.layers.ReLU(name=name)(x)
