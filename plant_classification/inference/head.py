"""The last layers of a network: from the mean of its last feature map to the logits."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from plant_classification.openvino import core


class Head(NamedTuple):
    """A dense layer; where it is the last, the logits of features: ``features @ kernel + bias``.

    Attributes:
        kernel: ``float32 (D, L)``.
        bias: ``float32 (L,)``.
    """

    kernel: NDArray[np.float32]
    bias: NDArray[np.float32]

    def __call__(self, features: NDArray[np.floating]) -> NDArray[np.float32]:
        """Logits ``float32 (N, L)`` of features ``(N, D)``."""
        return np.asarray(features.astype(np.float32) @ self.kernel + self.bias)


def read_head(network: Path) -> tuple[Head, ...]:
    """The dense layers of a network from the mean of its last feature map on, ReLU between them.

    Args:
        network: network.xml, its .bin beside it.

    Raises:
        ValueError: Its logits are made otherwise.
    """
    model = core().read_model(network)
    node = model.output("logits").node.input_value(0).get_node()
    layers: list[Head] = []
    try:
        while node.get_type_name() == "Add":
            product, bias = (port.get_node() for port in node.input_values())
            node, kernel = (port.get_node() for port in product.input_values())
            is_turned = product.get_attributes()["transpose_b"]
            weights = _constant(kernel).T if is_turned else _constant(kernel)
            layers.insert(0, Head(np.ascontiguousarray(weights), _constant(bias).reshape(-1)))
            if node.get_type_name() != "Relu":
                break
            node = node.input_value(0).get_node()
    except (ValueError, KeyError, AttributeError, RuntimeError):
        layers = []
    channels = model.output("features").get_partial_shape()[-1].get_length()
    if node.get_type_name() != "ReduceMean" or not layers or len(layers[0].kernel) != channels:
        raise ValueError("the logits are no function of the mean of the features.")
    return tuple(layers)


def _constant(node: Any) -> NDArray[np.float32]:
    if node.get_type_name() == "Convert":  # kept as float16
        node = node.input_value(0).get_node()
    return np.asarray(node.get_data(), np.float32)
