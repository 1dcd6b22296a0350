"""What turns the last feature map into logits; the softmax stands outside."""

from __future__ import annotations

from typing import Any

import keras


def add_head(features: Any, labels: int) -> Any:
    """The logits of a feature map: the dense layer ``logits`` of the mean over the map.

    Args:
        features: ``float32 (N, h, w, channels)``, a Keras tensor.
        labels: Number of logits.

    Returns:
        ``float32 (N, labels)``, a Keras tensor.
    """
    pooled = keras.layers.GlobalAveragePooling2D(name="avg_pool")(features)
    return keras.layers.Dense(labels, name="logits")(pooled)
