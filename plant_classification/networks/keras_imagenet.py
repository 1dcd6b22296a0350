"""ImageNet weights of the architectures that Keras has too: its download, or a file of it."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import keras

from plant_classification.errors import ArgumentError

MOST_SILENT_SECONDS = 30
"""How long a download may be silent before it is given up."""


def load_imagenet(
    model: keras.Model, file: Path | None = None, *, application: str, size: int
) -> None:
    """Give a network the ImageNet weights of Keras, in place; the head keeps its own.

    Args:
        model: Made by the registry's builder for that application, of any input size.
        file: Keras's own file of weights without the top (``..._notop.h5``); by default it is
            downloaded, once, into Keras's cache.
        application: The name in ``keras.applications``.
        size: Side of the input that the weights are published for, in pixels.

    Raises:
        ArgumentError: The weights cannot be downloaded, or the file is not of this network.
    """
    theirs = _with_weights(application, size, file)
    below = [layer for layer in model.layers if layer.weights and layer.name != "logits"]
    named = {layer.name: layer for layer in below if not _is_numbered(layer)}
    numbered = iter([layer for layer in below if _is_numbered(layer)])
    try:
        for layer in theirs.layers:
            if layer.weights:
                target = next(numbered) if _is_numbered(layer) else named[layer.name]
                target.set_weights(layer.get_weights())
    except (KeyError, StopIteration, ValueError) as error:
        raise ArgumentError(
            f"Keras's {application} has a layer that our network has not, or otherwise: "
            f"{layer.name} ({error}). Start from 'starter', another model or 'none'.",
            field="init",
        ) from None


def _is_numbered(layer: keras.layers.Layer) -> bool:
    """Whether a layer has no name of its own: Keras numbers these anew in every process.

    They keep their order. Our Xception has names for them: those of its shortcuts.
    """
    return bool(re.match(r"(conv2d|(\w+_)?normalization)(_\d+)?$|.*_shortcut_conv", layer.name))


def _with_weights(application: str, size: int, file: Path | None) -> keras.Model:
    build = partial(
        getattr(keras.applications, application), include_top=False, input_shape=(size, size, 3)
    )
    if file is None:
        try:
            with _patience():
                return build(weights="imagenet")
        except Exception as error:  # noqa: BLE001 - what Keras raises when a download fails
            raise ArgumentError(
                f"Keras's ImageNet weights of {application} could not be downloaded ({error}). "
                "Give a file of them as init, or start from 'starter', another model or 'none'.",
                field="init",
            ) from None
    source = build(weights=None)
    try:
        source.load_weights(file)
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise ArgumentError(
            f"{file} does not hold Keras's ImageNet weights of {application}, those without the "
            f"top ('..._notop.h5'): {str(error).partition(chr(10))[0]}",
            field="init",
        ) from None
    return source


@contextlib.contextmanager
def _patience() -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(MOST_SILENT_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
