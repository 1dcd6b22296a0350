"""The networks that can be trained, in Keras; importing this package loads TensorFlow."""

from plant_classification.networks.registry import (
    ARCHITECTURES,
    Architecture,
    build,
    find_architecture,
)

__all__ = ["ARCHITECTURES", "Architecture", "build", "find_architecture"]
