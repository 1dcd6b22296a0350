"""One step of training and one of validation, on all devices at once."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from plant_classification.photos.preprocessing import Preprocessing
from plant_classification.training.config import TrainingConfig
from plant_classification.training.distribution import Distribution
from plant_classification.training.label_weights import LabelWeights
from plant_classification.training.optimization import Optimizer, freeze

TOP = 5


def normalize(images: Any, rule: Preprocessing) -> Any:
    """``Preprocessing.normalize`` on the device.

    Args:
        images: ``uint8 (N, size, size, 3)`` RGB.
        rule: How the network wants its photos.

    Returns:
        ``float32`` of the same shape.
    """
    ordered = images if rule.channels == "RGB" else images[..., ::-1]
    return (tf.cast(ordered, tf.float32) - tf.constant(rule.mean)) / tf.constant(rule.scale)


@dataclasses.dataclass(frozen=True)
class Loss:
    """Cross-entropy of softmax, in the forms that a long tail asks for.

    Attributes:
        smoothing: Share of each target that is spread over all labels.
        weights: ``float32 (labels,)``, the weight of a photo by its label.
        adjustment: ``float32 (labels,)``, added to the logits.
    """

    smoothing: float
    weights: NDArray[np.float32]
    adjustment: NDArray[np.float32]

    def __call__(self, logits: Any, targets: Any) -> Any:
        """``float32 (N,)`` for logits and targets ``float32 (N, labels)``; a target sums to 1."""
        smoothed = targets * (1 - self.smoothing) + self.smoothing / len(self.weights)
        losses = tf.nn.softmax_cross_entropy_with_logits(smoothed, logits + self.adjustment)
        return losses * tf.linalg.matvec(targets, self.weights)


def loss_of(config: TrainingConfig, shares: NDArray[np.float64]) -> Loss:
    """The loss that the options ask for.

    Args:
        config: ``label_smoothing``, ``use_class_weights`` and ``logit_adjustment``.
        shares: ``float64 (labels,)``, of each label among the photos as they are drawn.

    Returns:
        The loss. The mean of its weights over the photos is 1.
    """
    weighted = LabelWeights.of(
        shares, balanced=config.use_class_weights, adjustment=config.logit_adjustment
    )
    return Loss(config.label_smoothing, weighted.weights, weighted.offsets)


class Training:
    """A network that is being trained, with all that changes on the way.

    Make it inside the scope of the strategy.

    Args:
        network: Its outputs are ``[logits, features]``.
        config: The options.
        loss: Of a photo.
        rule: How the network wants its photos.
        distribution: The devices.
    """

    def __init__(
        self,
        network: keras.Model,
        config: TrainingConfig,
        loss: Loss,
        rule: Preprocessing,
        distribution: Distribution,
    ) -> None:
        self.network, self.config, self.loss, self.rule = network, config, loss, rule
        self.distribution = distribution
        freeze(network, config)
        for layer in network.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.synchronized = distribution.replicas > 1
        self.optimizer = Optimizer(network, config)
        self.changing = [
            weight for layer in network.layers if layer.trainable for weight in layer.weights
        ]
        self.averages = [_copy(weight) for weight in self.changing if config.ema]
        self.gradients = [
            _zeros(weight) for weight in self.optimizer.weights if config.accumulate > 1
        ]
        self.sums = tf.Variable(tf.zeros(4, tf.float64), trainable=False)
        self.evaluate = tf.function(
            self._evaluate,
            input_signature=[
                tf.TensorSpec((None, *network.input_shape[1:]), tf.uint8),
                tf.TensorSpec((None,), tf.int32),
            ],
        )
        self._steps = {
            update: tf.function(partial(self._everywhere, update=update), reduce_retracing=True)
            for update in (False, True)
        }

    def variables(self) -> Mapping[str, Sequence[Any]]:
        """All that a checkpoint must hold, by kind, in an order that is always the same."""
        return {
            "network": self.network.variables,
            "averages": self.averages,
            "gradients": self.gradients,
            "sums": [self.sums],
            "optimizer": self.optimizer.variables,
        }

    def kept(self) -> list[Any]:
        """The network's weights as they are judged and kept: the averages where there are some."""
        averages = dict(zip(map(id, self.changing), self.averages, strict=False))
        return [averages.get(id(weight), weight) for weight in self.network.weights]

    def step(self, images: Any, labels: Any, rate: float, *, update: bool) -> None:
        """Go one step.

        Args:
            images: ``uint8 (N, size, size, 3)``, this worker's part of the batch, spread.
            labels: ``int32 (N,)``, as well.
            rate: Learning rate of the head.
            update: Whether the weights change; else the gradients are added up.
        """
        self._steps[update](images, labels, tf.constant(rate))

    def figures(self) -> NDArray[np.float64]:
        """Photos, and their summed losses, first places and places among the first five.

        Since :meth:`forget`, over all workers. Waits for the device.
        """
        return np.asarray(self.sums.numpy())

    def forget(self) -> None:
        """Let the figures start from zero."""
        self.sums.assign(tf.zeros_like(self.sums))

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """A block in which the network has its averaged weights, if there are some."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        for weight, average in zip(self.changing, self.averages, strict=False):
            kept = average.numpy()
            average.assign(weight.value)
            weight.assign(kept)

    def _evaluate(self, images: Any, labels: Any) -> Any:
        """``float32 (3, N)``: log-loss, whether first, whether among the first five."""
        logits, _ = self.network(normalize(images, self.rule), training=False)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        return tf.stack([losses, *_places(logits, labels)])

    def _everywhere(self, images: Any, labels: Any, rate: Any, *, update: bool) -> None:
        run = partial(self._on_replica, update=update)
        self.distribution.strategy.run(run, (images, labels, rate))

    def _on_replica(self, images: Any, labels: Any, rate: Any, *, update: bool) -> None:
        replicas, accumulate = self.distribution.replicas, self.config.accumulate
        with tf.GradientTape() as tape:
            logits, _ = self.network(normalize(images, self.rule), training=True)
            losses = self.loss(logits, tf.one_hot(labels, logits.shape[-1]))
            share = 1 / (replicas * accumulate)
            objective = (tf.reduce_mean(losses) + self._penalty()) * share
        gradients = tape.gradient(objective, [weight.value for weight in self.optimizer.weights])
        sums = tf.stack([tf.ones_like(losses), losses, *_places(logits, labels)])
        context = tf.distribute.get_replica_context()
        *gradients, sums = context.all_reduce(
            tf.distribute.ReduceOp.SUM, [*gradients, tf.reduce_sum(sums, axis=1)]
        )
        self.sums.assign_add(tf.cast(sums, tf.float64))
        if accumulate > 1:
            gradients = [
                total.assign_add(gradient)
                for total, gradient in zip(self.gradients, gradients, strict=True)
            ]
        if update:
            if self.config.clip_norm:
                gradients, _ = tf.clip_by_global_norm(gradients, self.config.clip_norm)
            self.optimizer.apply(gradients, rate)
            for total in self.gradients:
                total.assign(tf.zeros_like(total))
            self._average()

    def _penalty(self) -> Any:
        """The L2 penalty on the kernels of the dense layers that change."""
        kernels = [
            layer.kernel
            for layer in self.network.layers
            if isinstance(layer, keras.layers.Dense) and layer.trainable
        ]
        return self.config.l2_reg * sum(tf.reduce_sum(tf.square(kernel)) for kernel in kernels)

    def _average(self) -> None:
        """Move the averages; at first faster, so that the start is soon forgotten."""
        updates = tf.cast(self.optimizer.rule.iterations.value, tf.float32)
        rate = 1 - tf.minimum(self.config.ema, (1 + updates) / (10 + updates))
        for weight, average in zip(self.changing, self.averages, strict=False):
            average.assign_sub((average - weight.value) * rate)


def _places(logits: Any, labels: Any) -> list[Any]:
    """Whether each label comes first, and among the first five: ``float32 (N,)``."""
    return [tf.cast(tf.math.in_top_k(labels, logits, k), tf.float32) for k in (1, TOP)]


def _copy(weight: Any) -> Any:
    return tf.Variable(weight.numpy(), trainable=False)


def _zeros(weight: Any) -> Any:
    return tf.Variable(tf.zeros(weight.shape), trainable=False)
