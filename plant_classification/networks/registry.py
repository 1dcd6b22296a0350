"""The architectures by name: how each wants its photos, how large it is, how it is built."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path
from typing import Protocol

import keras

from plant_classification.errors import ArgumentError
from plant_classification.networks import (
    applications,
    efficientnet_lite,
    keras_imagenet,
    lite_imagenet,
    xception,
)
from plant_classification.photos.preprocessing import Preprocessing


class Builder(Protocol):
    """Makes a network with the outputs ``[logits, features]``."""

    def __call__(self, *, size: int, labels: int) -> keras.Model:
        """Build it for an input of ``size`` pixels, with ``labels`` logits."""


class Loader(Protocol):
    """Gives a network that the builder made its ImageNet weights, in place."""

    def __call__(self, model: keras.Model, file: Path | None = None) -> None:
        """Load them from a file, or from where they are published; the head keeps its own."""


@dataclasses.dataclass(frozen=True)
class Architecture:
    """A network that can be trained.

    Attributes:
        name: Its name in model.json.
        preprocessing: How it wants its photos; the size is the one that it was designed for.
        minimum: The smallest side of an input, in pixels.
        parameters: Number of parameters without the classifier ``logits``.
        builder: Makes it.
        imagenet: Loads ImageNet weights; None where there are none.
    """

    name: str
    preprocessing: Preprocessing
    minimum: int
    parameters: int
    builder: Builder
    imagenet: Loader | None


def _lite(variant: int, size: int, parameters: int) -> Architecture:
    return Architecture(
        name=f"efficientnet_lite{variant}",
        preprocessing=Preprocessing(size, mean=(127.0,) * 3, scale=(128.0,) * 3),
        minimum=efficientnet_lite.MINIMUM_SIZE,
        parameters=parameters,
        builder=partial(efficientnet_lite.build, variant),
        imagenet=partial(lite_imagenet.load_imagenet, variant=variant),
    )


# What the ImageNet weights of each application were trained with.
_TF = partial(Preprocessing, mean=(127.5,) * 3, scale=(127.5,) * 3)
_TORCH = partial(
    Preprocessing,
    mean=(255 * 0.485, 255 * 0.456, 255 * 0.406),
    scale=(255 * 0.229, 255 * 0.224, 255 * 0.225),
)
_CAFFE = partial(Preprocessing, mean=(103.939, 116.779, 123.68), scale=(1.0,) * 3, channels="BGR")


def _application(
    name: str, preprocessing: Preprocessing, parameters: int, minimum: int = 32
) -> Architecture:
    return Architecture(
        name=name.lower(),
        preprocessing=preprocessing,
        minimum=minimum,
        parameters=parameters,
        builder=partial(applications.build, name, minimum),
        imagenet=partial(keras_imagenet.load_imagenet, application=name, size=preprocessing.size),
    )


ARCHITECTURES = {
    architecture.name: architecture
    for architecture in (
        _lite(0, 224, 3_413_024),
        _lite(1, 240, 4_189_344),
        _lite(2, 260, 4_869_168),
        Architecture(
            name="xception",
            preprocessing=_TF(299),
            minimum=xception.MINIMUM_SIZE,
            parameters=20_861_480,
            builder=xception.build,
            imagenet=partial(keras_imagenet.load_imagenet, application="Xception", size=299),
        ),
        _application("MobileNet", _TF(224), 3_228_864),
        _application("NASNetMobile", _TF(224), 4_269_716),
        _application("InceptionV3", _TF(299), 21_802_784, 75),
        _application("InceptionResNetV2", _TF(299), 54_336_736, 75),
        _application("DenseNet121", _TORCH(224), 7_037_504),
        _application("DenseNet169", _TORCH(224), 12_642_880),
        _application("DenseNet201", _TORCH(224), 18_321_984),
        _application("ResNet50", _CAFFE(224), 23_587_712),
        _application("VGG16", _CAFFE(224), 14_714_688),
        _application("VGG19", _CAFFE(224), 20_024_384),
    )
}


def find_architecture(name: str) -> Architecture:
    """The architecture of that name.

    Raises:
        ArgumentError: There is none; the message lists those that exist.
    """
    if name not in ARCHITECTURES:
        raise ArgumentError(
            f"There is no architecture {name!r}; there are: {', '.join(ARCHITECTURES)}.",
            field="architecture",
        )
    return ARCHITECTURES[name]


def load_imagenet(architecture: str, model: keras.Model, file: Path | None = None) -> None:
    """Give a network its ImageNet weights, in place.

    Args:
        architecture: A name of ``ARCHITECTURES``.
        model: What :func:`build` made of it; its head keeps its own weights.
        file: Where they are; where they are published, if not given.

    Raises:
        ArgumentError: No architecture of that name, or there are no such weights of it; and what
            its loader raises.
    """
    check_imagenet(architecture)
    loader = find_architecture(architecture).imagenet
    if loader is not None:
        loader(model, file)


def check_imagenet(architecture: str) -> None:
    """See that there are ImageNet weights of an architecture.

    Raises:
        ArgumentError: No architecture of that name, or there are none of it.
    """
    if find_architecture(architecture).imagenet is None:
        raise ArgumentError(
            f"There are no ImageNet weights of {architecture}: start from a model, or with init "
            "'none'.",
            field="init",
        )


def build(architecture: str, labels: int, size: int | None = None) -> keras.Model:
    """Build a network with random weights.

    Args:
        architecture: A name of ``ARCHITECTURES``.
        labels: Number of logits.
        size: Side of the input in pixels; the architecture's own where not given.

    Returns:
        A model with the outputs ``[logits, features]``: ``float32 (N, labels)`` and the last
        feature map, ``float32 (N, h, w, channels)``.

    Raises:
        ArgumentError: No architecture of that name, or a size below its minimum.
    """
    found = find_architecture(architecture)
    return found.builder(size=size or found.preprocessing.size, labels=labels)
