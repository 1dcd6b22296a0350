"""Seeded weights and gradients of a network, for the tests of the architectures."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray


def fill(model: keras.Model, seed: int = 11) -> NDArray[np.float32]:
    """Give every weight a seeded value that keeps activations alive.

    Returns:
        Two seeded images in [-1, 1], ``float32 (2, size, size, 3)``, for the input.
    """
    random = np.random.default_rng(seed)
    for weight in model.weights:
        if weight.path.endswith(("gamma", "moving_variance")):
            values = random.uniform(0.8, 1.2, weight.shape)
        elif len(weight.shape) < 2:
            values = random.normal(0, 0.1, weight.shape)
        else:
            separable, depthwise = "depthwise_kernel" in weight.path, "_dwconv/" in weight.path
            fan_in = np.prod(weight.shape[: 2 if separable or depthwise else -1])
            gain = 1 if separable else 2  # no ReLU follows the first half of a separable one
            values = random.normal(0, np.sqrt(gain / fan_in), weight.shape)
        weight.assign(values.astype(np.float32))
    return random.uniform(-1, 1, (2, *model.input_shape[1:])).astype(np.float32)


def layers_without_gradient(model: keras.Model) -> list[str]:
    """The paths of the trainable weights that a loss on the logits does not reach."""
    images = fill(model)
    with tf.GradientTape() as tape:
        logits, _ = model(images, training=True)
        loss = tf.reduce_mean(tf.square(logits - 1.0))
    gradients = tape.gradient(loss, [weight.value for weight in model.trainable_weights])
    return [
        weight.path
        for weight, gradient in zip(model.trainable_weights, gradients, strict=True)
        if gradient is None or not np.any(np.asarray(gradient))
    ]
