"""The architectures that Keras itself builds (``keras.applications``), with our heads.

Contract:
    Input ``image``: ``float32 (N, size, size, 3)``, normalised as the registry says.
    Outputs: ``logits`` ``float32 (N, labels)``, and ``features`` ``float32 (N, h, w, channels)``,
    the last feature map.
    Layer names: those of Keras; the head's are ``avg_pool`` and ``logits``.
"""

from __future__ import annotations

import keras

from plant_classification.errors import ArgumentError
from plant_classification.networks.heads import add_head


def build(application: str, minimum: int, *, size: int, labels: int) -> keras.Model:
    """Build a network with random weights.

    Args:
        application: A name in ``keras.applications``.
        minimum: The smallest side that it can take, in pixels.
        size: Side of the input in pixels.
        labels: Number of logits.

    Returns:
        A model with the outputs ``[logits, features]``.

    Raises:
        ArgumentError: The size is too small.
    """
    if size < minimum:
        raise ArgumentError(
            f"{application} needs an input of at least {minimum} pixels, not {size}.", field="size"
        )
    image = keras.Input((size, size, 3), name="image")
    application_of = getattr(keras.applications, application)
    features = application_of(include_top=False, weights=None, input_tensor=image).output
    logits = add_head(features, labels)
    return keras.Model(image, [logits, features], name=application.lower())
