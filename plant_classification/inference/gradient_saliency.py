"""Which pixels speak for a taxon, by the gradients of any network; slow, and needs TensorFlow.

The score is that of the closed form in ``trust.saliency``: the logarithm of the sum of the
exponents of the taxon's logits, less the mean of all logits.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from plant_classification.errors import ArgumentError
from plant_classification.inference.explanation import Explanation
from plant_classification.models import ModelFolder
from plant_classification.models.folder import KERAS_WEIGHTS
from plant_classification.networks import build

STEPS = 48
SAMPLES = 32
NOISE = 0.15
BATCH = 8
BRIGHTEST = 99
"""Percentile of a map that counts as 1: a few pixels stand out far beyond all others."""


def explain_by_gradients(explanation: Explanation, method: str) -> Explanation:
    """The same explanation with a map of pixels.

    Args:
        explanation: Of a model that has weights for Keras.
        method: A key of ``METHODS``.

    Raises:
        ArgumentError: No such method, or the model has no such weights.
        ModelFolderError: The weights are damaged.
    """
    if method not in METHODS:
        raise ArgumentError(f"method must be among {', '.join(METHODS)}, not {method!r}.")
    folder = explanation.answer.model
    network = _network(folder)
    maps = []
    for view in explanation.views:
        image = folder.preprocessing.normalize(view)
        found = np.maximum(METHODS[method](network, image, explanation.members), 0)
        most = np.percentile(found, BRIGHTEST) or 1.0
        maps.append(np.float32(np.minimum(found / most, 1)))
    return dataclasses.replace(explanation, maps=tuple(maps))


def integrated_gradients(
    network: keras.Model,
    image: NDArray[np.float32],
    members: NDArray[np.bool_],
    steps: int = STEPS,
) -> NDArray[np.float32]:
    """What each pixel adds to the score, from an even picture on (Sundararajan et al. 2017).

    The gradients are taken at the middle of each step, so that the sum over all pixels comes near
    the difference of the scores (arXiv:1703.01365, completeness).

    Args:
        network: With the outputs ``[logits, features]``.
        image: ``float32 (H, W, 3)``, normalised: 0 is the even picture's colour.
        members: ``bool (labels,)``, the taxon's labels.
        steps: From there to the picture.

    Returns:
        ``float32 (H, W)``, below 0 where a pixel speaks against the taxon.
    """
    shares = (np.arange(steps, dtype=np.float32) + 0.5) / steps
    mean = _mean_gradient(network, np.float32(shares[:, None, None, None] * image), members)
    return np.asarray((mean * image).sum(axis=-1))


def smoothgrad(
    network: keras.Model,
    image: NDArray[np.float32],
    members: NDArray[np.bool_],
) -> NDArray[np.float32]:
    """The mean gradient of ``SAMPLES`` noisy copies (Smilkov et al. 2017, arXiv:1706.03825).

    The noise has a standard deviation of ``NOISE`` of the picture's range.

    Args:
        network: With the outputs ``[logits, features]``.
        image: ``float32 (H, W, 3)``, normalised.
        members: ``bool (labels,)``, the taxon's labels.

    Returns:
        ``float32 (H, W)``, from 0 up: the root of the sum of squares over the channels.
    """
    random = np.random.default_rng(0)
    noise = random.normal(size=(SAMPLES, *image.shape), scale=NOISE * np.ptp(image))
    mean = _mean_gradient(network, np.float32(image + noise), members)
    return np.asarray(np.sqrt((mean**2).sum(axis=-1)))


Method = Callable[[keras.Model, NDArray[np.float32], NDArray[np.bool_]], NDArray[np.float32]]
METHODS: Mapping[str, Method] = {
    "integrated-gradients": integrated_gradients,
    "smoothgrad": smoothgrad,
}


def score(logits: tf.Tensor, members: NDArray[np.bool_]) -> tf.Tensor:
    """How much a taxon stands out, ``float32 (N,)``, of logits ``(N, labels)``."""
    of_taxon = tf.boolean_mask(logits, members, axis=1)
    return tf.reduce_logsumexp(of_taxon, axis=1) - tf.reduce_mean(logits, axis=1)


def _mean_gradient(
    network: keras.Model, images: NDArray[np.float32], members: NDArray[np.bool_]
) -> NDArray[np.float32]:
    total = np.zeros(images.shape[1:], np.float64)
    for start in range(0, len(images), BATCH):
        batch = tf.constant(images[start : start + BATCH])
        with tf.GradientTape() as tape:
            tape.watch(batch)
            logits, _ = network(batch, training=False)
            scores = score(logits, members)
        total += tape.gradient(scores, batch).numpy().sum(axis=0)
    return np.asarray(total / len(images), np.float32)


def _network(folder: ModelFolder) -> keras.Model:
    if KERAS_WEIGHTS not in folder.files:
        raise ArgumentError(
            f"Model {folder.name!r} has no weights for Keras ({KERAS_WEIGHTS}), so there are no "
            "gradients; Grad-CAM explains every model."
        )
    network = build(folder.architecture, folder.label_count, folder.preprocessing.size)
    network.load_weights(folder.file(KERAS_WEIGHTS))
    return network
