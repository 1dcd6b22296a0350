"""Another last layer for a network that is trained, without TensorFlow."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from plant_classification.inference.head import Head
from plant_classification.models import ModelFolder
from plant_classification.models.folder import KERAS_WEIGHTS, NETWORK, NETWORK_WEIGHTS
from plant_classification.openvino import core, import_openvino, save_network

KERAS_LAYERS = "layers"
KERAS_HEAD = "dense"
"""What Keras 3 calls the one dense layer of a network; a second one would be ``dense_1``."""
HALF = 'element_type="f16"'
"""What network.xml says of weights that are kept as float16."""
ROOM = 65_536
"""Bytes that HDF5 takes at most to name two arrays."""


def replace_head(base: ModelFolder, head: Head, made: Path) -> tuple[Path, Path | None]:
    """Write the network of a model folder with another last layer.

    The logits become the mean of the last feature map, times the kernel, plus the bias. What was
    kept as float16 stays so.

    Args:
        base: The model folder; whatever lies between its feature map and its logits goes.
        head: The new last layer.
        made: The folder to write into.

    Returns:
        network.xml, its .bin beside it; and weights.weights.h5 for Keras, or None where the base
        has none, or one whose last layer is not a single dense layer on the mean.

    Raises:
        ModelFolderError: A file of the base is damaged.
        OSError: They cannot be written.
    """
    base.file(NETWORK_WEIGHTS)
    source = base.file(NETWORK)
    network = made / NETWORK
    is_half = HALF in source.read_text("utf-8")
    save_network(_with_head(source, head), network, half=is_half)
    if KERAS_WEIGHTS not in base.files:
        return network, None
    weights = made / KERAS_WEIGHTS
    return network, weights if _rewrite(base.file(KERAS_WEIGHTS), weights, head) else None


def _with_head(network: Path, head: Head) -> Any:
    """The network, in memory, with the head after its output ``features``."""
    openvino = import_openvino()
    operations = openvino.opset13
    old = core().read_model(network)
    source = old.output("features").node.input_value(0)
    mean = operations.reduce_mean(source, np.array([1, 2]), keep_dims=False)
    product = operations.matmul(mean, operations.constant(head.kernel), False, False)
    logits = operations.add(product, operations.constant(head.bias)).output(0)
    new = openvino.Model(
        [operations.result(logits), operations.result(source)], old.get_parameters(), "network"
    )
    for output, name in zip(new.outputs, ("logits", "features"), strict=True):
        output.get_tensor().set_names({name})
    return new


def _rewrite(source: Path, target: Path, head: Head) -> bool:
    """Copy weights for Keras with another dense layer; False if that is not all of the head."""
    import h5py

    with h5py.File(source) as file:
        dense = [name for name in file[KERAS_LAYERS] if name.split("_")[0] == KERAS_HEAD]
        if dense != [KERAS_HEAD]:
            return False
        kept = file[KERAS_LAYERS][KERAS_HEAD]["vars"]
        if len(kept) != 2 or kept["0"].shape[0] != len(head.kernel):
            return False
    shutil.copyfile(source, target)
    with target.open("r+b") as file:  # h5py crashes where a disk is full
        size = target.stat().st_size + head.kernel.nbytes + head.bias.nbytes + ROOM
        os.posix_fallocate(file.fileno(), 0, size)
    with h5py.File(target, "r+") as file:
        group = file[KERAS_LAYERS][KERAS_HEAD]["vars"]
        for name, values in (("0", head.kernel), ("1", head.bias)):
            kind = group[name].dtype
            del group[name]
            group.create_dataset(name, data=values.astype(kind))
    return True
