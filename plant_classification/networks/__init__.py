"""The networks that can be trained, in Keras; importing this package loads TensorFlow."""

from plant_classification.networks.registry import (
    ARCHITECTURES,
    Architecture,
    build,
    check_imagenet,
    find_architecture,
    load_imagenet,
)

__all__ = [
    "ARCHITECTURES",
    "Architecture",
    "build",
    "check_imagenet",
    "find_architecture",
    "load_imagenet",
]
