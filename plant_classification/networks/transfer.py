"""Weights from one network to another of the same architecture: other labels, another size."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from plant_classification.errors import ArgumentError
from plant_classification.networks.registry import build


def load_from(
    model: keras.Model, weights: Path, label_count: int, rows: Sequence[int | None]
) -> None:
    """Give a network the weights of another one, in place.

    Args:
        model: Of the registry, of any input size; its name is the architecture's.
        weights: weights.weights.h5 of the other network.
        label_count: Number of the other's labels.
        rows: For each label of ``model`` the other's index of the same label, or None where it has
            none: the classifier keeps its own row then.

    Raises:
        ArgumentError: The file does not fit the architecture.
    """
    other = build(model.name, label_count, model.input_shape[1])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # of weights that are left as they are
            other.load_weights(weights)
    except (OSError, ValueError, KeyError, AttributeError, UserWarning) as error:
        raise ArgumentError(
            f"{weights} does not hold the weights of a {model.name} with {label_count} labels: "
            f"{str(error).partition(chr(10))[0]}",
            field="init",
        ) from None
    kernel, bias = model.get_layer("logits").get_weights()
    other_kernel, other_bias = other.get_layer("logits").get_weights()
    known = np.array([place for place, row in enumerate(rows) if row is not None], np.intp)
    taken = np.array([row for row in rows if row is not None], np.intp)
    kernel[:, known], bias[known] = other_kernel[:, taken], other_bias[taken]
    for layer, source in zip(model.layers, other.layers, strict=True):
        if layer.name == "logits":
            layer.set_weights([kernel, bias])
        elif layer.weights:
            layer.set_weights(source.get_weights())
