"""Another last layer for a network that is trained, without TensorFlow."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from plant_classification.errors import TrainingError
from plant_classification.models import ModelFolder
from plant_classification.models.folder import KERAS_WEIGHTS, NETWORK, NETWORK_WEIGHTS
from plant_classification.openvino import import_openvino
from plant_classification.training.linear_head import Head

KERAS_HEAD = "layers/dense/vars"
"""Where Keras 3 keeps the one dense layer of a network of the registry."""
HALF = 'element_type="f16"'
"""What network.xml says of weights that are kept as float16."""


@dataclasses.dataclass(frozen=True)
class ReplacedHead:
    """A network with another head.

    Attributes:
        network: network.xml, its .bin beside it.
        weights: weights.weights.h5 for Keras, or None where the base has none.
    """

    network: Path
    weights: Path | None


def replace_head(base: ModelFolder, head: Head, made: Path) -> ReplacedHead:
    """Write the network of a model folder with another last layer.

    The logits become the mean of the last feature map, times the kernel, plus the bias. What was
    kept as float16 stays so.

    Args:
        base: The model folder; whatever lies between its feature map and its logits goes.
        head: The new last layer.
        made: The folder to write into.

    Raises:
        ModelFolderError: A file of the base is damaged.
        TrainingError: Its weights for Keras are not those of a network with one dense layer.
    """
    base.file(NETWORK_WEIGHTS)
    source = base.file(NETWORK)
    path = made / NETWORK
    import_openvino().save_model(
        _with_head(source, head), path, compress_to_fp16=HALF in source.read_text("utf-8")
    )
    if KERAS_WEIGHTS not in base.files:
        return ReplacedHead(path, None)
    weights = made / KERAS_WEIGHTS
    shutil.copyfile(base.file(KERAS_WEIGHTS), weights)
    _rewrite(weights, head)
    return ReplacedHead(path, weights)


def _with_head(network: Path, head: Head) -> Any:
    """The network, in memory, with the head after its output ``features``."""
    openvino = import_openvino()
    operations = openvino.opset13
    old = openvino.Core().read_model(network)
    features = old.output("features")
    source = features.node.input(0).get_source_output()
    mean = operations.reduce_mean(source, np.array([1, 2]), keep_dims=False)
    product = operations.matmul(mean, operations.constant(head.kernel), False, False)
    logits = operations.add(product, operations.constant(head.bias)).output(0)
    new = openvino.Model(
        [operations.result(logits), operations.result(source)], old.get_parameters(), "network"
    )
    for output, name in zip(new.outputs, ("logits", "features"), strict=True):
        output.get_tensor().set_names({name})
    return new


def _rewrite(weights: Path, head: Head) -> None:
    import h5py

    with h5py.File(weights, "r+") as file:
        if KERAS_HEAD not in file or len(file[KERAS_HEAD]) != 2:
            raise TrainingError(
                f"The weights for Keras of the base have no single dense layer ({KERAS_HEAD}); "
                "start from another model."
            )
        group = file[KERAS_HEAD]
        for name, values in (("0", head.kernel), ("1", head.bias)):
            kind = group[name].dtype
            del group[name]
            group.create_dataset(name, data=values.astype(kind))
