"""What turns the last feature map into logits; the softmax stands outside.

``"plain"`` is the mean over the map and the dense layer ``logits``. ``"hidden"`` is the old
service's, with a dense layer ``hidden`` of 1024 ReLUs between the two.
"""

from __future__ import annotations

from typing import Any

import keras

from plant_classification.errors import ArgumentError

HIDDEN_UNITS = 1024
HEADS = ("plain", "hidden")


def add_head(features: Any, labels: int, head: str) -> Any:
    """The logits of a feature map.

    Args:
        features: ``float32 (N, h, w, channels)``, a Keras tensor.
        labels: Number of logits.
        head: ``"plain"`` or ``"hidden"``.

    Returns:
        ``float32 (N, labels)``, a Keras tensor.

    Raises:
        ArgumentError: There is no such head.
    """
    if head not in HEADS:
        raise ArgumentError(f"head must be one of {', '.join(HEADS)}, not {head!r}.", field="head")
    x = keras.layers.GlobalAveragePooling2D(name="avg_pool")(features)
    if head == "hidden":
        x = keras.layers.Dense(HIDDEN_UNITS, activation="relu", name="hidden")(x)
    return keras.layers.Dense(labels, name="logits")(x)
