"""The old service's networks, rebuilt from the files that it wrote (Keras 2, TensorFlow 1 and 2).

The graph is the one that the file describes, layer by layer. So whatever has changed in a network
of one name between versions of Keras - names, paddings, the epsilon of batch normalisation - is as
it was when the network was trained.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from plant_classification.errors import ModelFolderError
from plant_classification.networks.keras2_file import COPY_AGAIN, read_checkpoint
from plant_classification.networks.keras2_layers import Layer, read_layer
from plant_classification.networks.registry import find_architecture

CHECK_ORIGIN = "check that the file is of the old service"
HIDDEN_UNITS = 1024
ENDS = (("GlobalAveragePooling2D", None), ("Dense", "relu"), ("Dense", "softmax"))
"""The class and the activation of the last layers."""

Arrays = Mapping[str, NDArray[np.float32]]


@dataclasses.dataclass(frozen=True)
class Graph:
    """A network's layers, each after those that it takes; the last three by name."""

    layers: Sequence[Layer]
    pooling: Layer
    hidden: Layer
    logits: Layer


def rebuild(modelname: str, size: int, labels: int, path: Path) -> keras.Model:
    """Rebuild a network with the weights of a file.

    Args:
        modelname: The old service's name for it, one of ``models.legacy.PREPROCESS_MODES``.
        size: Side of the input in pixels.
        labels: Number of classes.
        path: The ``.h5`` or ``.hdf5`` file, a whole model.

    Returns:
        A model with the outputs ``[logits, features]``: ``float32 (N, labels)``, before the
        softmax, and the last feature map, ``float32 (N, h, w, channels)``.

    Raises:
        ModelFolderError: The file cannot be used or is another network's; the sentence says why.
    """
    try:
        checkpoint = read_checkpoint(path)
        graph = _read_graph(checkpoint.config, modelname)
        _check_end(graph, labels)
        return _build(graph, checkpoint.weights, size, modelname)
    except ModelFolderError as error:
        message = "".join(c if c.isprintable() else " " for c in error.message)
        raise ModelFolderError(f"{path}: {message}") from None


def _read_graph(config: Any, modelname: str) -> Graph:
    try:
        if config["class_name"] not in ("Model", "Functional"):
            raise ValueError(f"a {config['class_name']} model")
        layers = [read_layer(layer, modelname) for layer in config["config"]["layers"]]
        ((output, _, _),) = config["config"]["output_layers"]
        by_name = {layer.name: layer for layer in layers}
        logits = by_name[output]
        hidden = by_name[logits.inputs[0]]
        pooling = by_name[hidden.inputs[0]]
        _check_connections(layers, output)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise ModelFolderError(
            f"its model_config is none that Keras 2 writes for such a network ({error!r:.100}); "
            f"{CHECK_ORIGIN}."
        ) from None
    return Graph(layers, pooling, hidden, logits)


def _check_connections(layers: Sequence[Layer], output: str) -> None:
    made: set[str] = set()
    for layer in layers:
        if layer.name in made or not made.issuperset(layer.inputs):
            raise ValueError(f"the inputs of {layer.name}")
        made.add(layer.name)
    if loose := made - {output, *(name for layer in layers for name in layer.inputs)}:
        raise ValueError(f"{min(loose)} leads nowhere")
    if [layer.kind for layer in layers].count("InputLayer") != 1:
        raise ValueError("more than one input")


def _check_end(graph: Graph, labels: int) -> None:
    last = (graph.pooling, graph.hidden, graph.logits)
    ends = tuple((layer.kind, layer.settings.get("activation")) for layer in last)
    if ends != ENDS or graph.hidden.settings.get("units") != HIDDEN_UNITS:
        raise ModelFolderError(
            f"it does not end in global average pooling, {HIDDEN_UNITS} ReLUs and a softmax, as "
            f"the old service's networks do; {CHECK_ORIGIN}."
        )
    outputs = graph.logits.settings.get("units")
    if outputs != labels:
        raise ModelFolderError(
            f"its last layer has {outputs} outputs, and classes.txt has {labels} lines; "
            "put the classes.txt there that belongs to it."
        )


def _build(graph: Graph, weights: Mapping[str, Arrays], size: int, modelname: str) -> keras.Model:
    heads = {graph.hidden.name: "hidden", graph.logits.name: "logits"}
    made: dict[str, tuple[Any, list[NDArray[np.float32]]]] = {}
    tensors: dict[str, Any] = {}
    for layer in graph.layers:
        if layer.kind == "InputLayer":
            image = tensors[layer.name] = _input(layer, size)
            continue
        inputs = [tensors[name] for name in layer.inputs]
        with _refusing(f"layer {layer.name!r} ({layer.kind})"):
            arrays = _arrays(layer, weights.get(layer.name, {}), inputs[0].shape[-1])
            keras_layer = _without_softmax(layer, graph).make(
                heads.get(layer.name) or layer.name.replace("/", "_")
            )
            tensors[layer.name] = keras_layer(inputs if len(inputs) > 1 else inputs[0])
        made[layer.name] = keras_layer, arrays
    if left := weights.keys() - made.keys():
        raise ModelFolderError(
            f"it holds weights of a layer {min(left)!r} that its model_config does not name; "
            f"{COPY_AGAIN}."
        )
    below = [array for name in made.keys() - heads.keys() for array in made[name][1]]
    _check_parameters(sum(array.size for array in below), modelname)
    with _refusing("the network"):
        outputs = [tensors[graph.logits.name], tensors[graph.pooling.inputs[0]]]
        model = keras.Model(image, outputs, name=modelname.lower())
    for keras_layer, arrays in made.values():
        if arrays:
            keras_layer.set_weights(arrays)
    return model


def _input(layer: Layer, size: int) -> Any:
    sides = layer.settings.get("batch_input_shape", (None, None))
    if any(side not in (None, size) for side in sides):
        raise ModelFolderError(
            f"it takes photos of {sides[0]}x{sides[1]} pixels, and conf.json has image_size = "
            f"{size}; correct conf.json."
        )
    return keras.Input((size, size, 3), name="image")


def _without_softmax(layer: Layer, graph: Graph) -> Layer:
    if layer is not graph.logits:
        return layer
    return dataclasses.replace(layer, settings={**layer.settings, "activation": "linear"})


def _arrays(layer: Layer, found: Arrays, channels: int) -> list[NDArray[np.float32]]:
    """A layer's weights in Keras's order."""
    shapes = layer.weight_shapes(channels)
    if found.keys() != shapes.keys():
        raise ModelFolderError(
            f"layer {layer.name!r} ({layer.kind}) has the weights "
            f"[{', '.join(found)}] and not [{', '.join(shapes)}]; {COPY_AGAIN}."
        )
    for name, shape in shapes.items():
        if found[name].shape != shape:
            raise ModelFolderError(
                f"{name} of layer {layer.name!r} ({layer.kind}) has the shape "
                f"{found[name].shape} and not {shape}; {COPY_AGAIN}."
            )
    return [found[name] for name in shapes]


def _check_parameters(count: int, modelname: str) -> None:
    expected = find_architecture(modelname.lower()).parameters
    if count != expected:
        raise ModelFolderError(
            f"it has {count:,} parameters below its last two layers, and {modelname} has "
            f"{expected:,}; correct modelname in conf.json."
        )


@contextlib.contextmanager
def _refusing(what: str) -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError, KeyError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ModelFolderError(
            f"{what} cannot be made as its model_config says ({reason:.200}); {CHECK_ORIGIN}."
        ) from None
