"""A Keras network as an OpenVINO network."""

from __future__ import annotations

import importlib
from typing import Any

import keras
import tensorflow as tf

from plant_classification.openvino import import_openvino


def convert(model: keras.Model) -> Any:
    """The network as an OpenVINO model, in float32.

    The input ``image`` is ``float32 (?, size, size, 3)``, normalised; the outputs are ``logits``
    ``float32 (?, labels)`` and ``features`` ``float32 (?, h, w, channels)``.

    Args:
        model: A network with the outputs ``[logits, features]``.
    """
    signature = [tf.TensorSpec((None, *model.input_shape[1:]), tf.float32, name="image")]
    function = tf.function(lambda image: model(image, training=False), input_signature=signature)
    openvino = import_openvino()
    # OpenVINO's own function fails in Python 3.13 (its pull request 32482).
    tools = importlib.import_module("openvino.frontend.tensorflow.utils")
    tools.get_environment_setup = lambda _: {"tensorflow": tf.__version__}  # type: ignore[attr-defined]
    network = openvino.convert_model(function.get_concrete_function())
    shapes = {"logits": model.outputs[0].shape[1:], "features": model.outputs[1].shape[1:]}
    for name, shape in shapes.items():
        (output,) = (
            port
            for port in network.outputs
            if tuple(size.get_length() for size in list(port.get_partial_shape())[1:]) == shape
        )
        output.get_tensor().set_names({name})
    network.inputs[0].get_tensor().set_names({"image"})
    return network
