"""A trained network as files of a model folder: weights for Keras, a network for OpenVINO."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import h5py  # type: ignore[import-untyped]
import keras
import numpy as np
from numpy.typing import NDArray

from plant_classification.openvino import import_openvino


def save_half_weights(model: keras.Model, path: Path) -> None:
    """Write weights that ``model.load_weights`` reads, each as float16.

    Args:
        model: The network.
        path: A name that ends in ``.weights.h5``.
    """
    with tempfile.TemporaryDirectory() as folder:
        full = Path(folder) / "full.weights.h5"
        model.save_weights(full)
        with h5py.File(full) as source, h5py.File(path, "w") as target:
            source.visititems(lambda name, item: _copy_half(target, name, item))
            for name, value in source.attrs.items():
                target.attrs[name] = value


def _copy_half(target: h5py.File, name: str, item: h5py.Group | h5py.Dataset) -> None:
    if isinstance(item, h5py.Dataset):
        is_float = item.dtype.kind == "f"
        copy = target.create_dataset(name, data=item[()].astype("f2") if is_float else item[()])
    else:
        copy = target.require_group(name)
    for key, value in item.attrs.items():
        copy.attrs[key] = value


def convert(model: keras.Model) -> Any:
    """The network as an OpenVINO model, in float32.

    The input ``image`` is ``float32 (?, size, size, 3)``, normalised; the outputs are ``logits``
    ``float32 (?, labels)`` and ``features`` ``float32 (?, h, w, channels)``.

    Args:
        model: A network with the outputs ``[logits, features]``.
    """
    openvino = import_openvino()
    with tempfile.TemporaryDirectory() as folder:
        model.export(folder, format="tf_saved_model", verbose=False)
        network = openvino.convert_model(folder)
    _name_ports(network, model)
    network.set_rt_info(model.name, ["conversion_parameters", "input_model"])
    return network


def save_network(network: Any, path: Path) -> None:
    """Write ``network.xml`` and, beside it, ``network.bin`` with float16 weights.

    Args:
        network: What :func:`convert` returns.
        path: Where network.xml goes.
    """
    import_openvino().save_model(network, path, compress_to_fp16=True)


def _name_ports(network: Any, model: keras.Model) -> None:
    network.inputs[0].get_tensor().set_names({"image"})
    shapes = {"logits": model.outputs[0].shape[1:], "features": model.outputs[1].shape[1:]}
    for name, shape in shapes.items():
        (output,) = (
            port
            for port in network.outputs
            if tuple(size.get_length() for size in list(port.get_partial_shape())[1:]) == shape
        )
        output.get_tensor().set_names({name})


def run_network(network: Any, images: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Logits and features of a network, computed in float32.

    Args:
        network: What :func:`convert` returns, or the path of network.xml.
        images: ``float32 (N, size, size, 3)``, normalised.
    """
    openvino = import_openvino()
    compiled = openvino.Core().compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    outputs = compiled(images)
    return [np.asarray(outputs[name]) for name in ("logits", "features")]
