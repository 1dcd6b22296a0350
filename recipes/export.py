"""What the recipes write and check of a trained network: weights at half precision, outputs."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
from numpy.typing import NDArray

from plant_classification.openvino import core


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


def run_network(network: Any, images: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Logits and features of a network, computed in float32.

    Args:
        network: An OpenVINO model, or the path of network.xml.
        images: ``float32 (N, size, size, 3)``, normalised.
    """
    compiled = core().compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    outputs = compiled(images)
    return [np.asarray(outputs[name]) for name in ("logits", "features")]
