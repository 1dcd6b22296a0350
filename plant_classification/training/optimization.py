"""How weights change: the learning rate, and an optimizer that is slower for the backbone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras

from plant_classification.training.config import TrainingConfig

MOMENTUM = 0.9


def learning_rate(config: TrainingConfig, step: int, steps: int) -> float:
    """The head's learning rate.

    Args:
        config: ``initial_lr``, ``warmup``, ``lr_schedule_mode`` and what belongs to it.
        step: From 0 up.
        steps: Of the whole training.

    Returns:
        ``initial_lr``, grown linearly from zero over the share ``warmup`` of all steps; then times
        ``lr_step_decay`` for each fraction of ``lr_step_schedule`` that is over, or along half a
        cosine to zero (Loshchilov and Hutter 2017, arXiv:1608.03983, without restarts).
    """
    warm = round(config.warmup * steps)
    grown = min(1.0, (step + 1) / max(warm, 1))
    if config.lr_schedule_mode == "cosine":
        fallen = (1 + math.cos(math.pi * max(0, step - warm) / max(steps - warm, 1))) / 2
    else:
        over = sum(step >= fraction * steps for fraction in config.lr_step_schedule)
        fallen = config.lr_step_decay**over
    return config.initial_lr * grown * fallen


def freeze(network: keras.Model, config: TrainingConfig) -> None:
    """Set which layers stay as they are: a frozen batch normalization uses its averages.

    Args:
        network: Its outputs are ``[logits, features]``; the layers up to ``features`` are the
            backbone. Those of them that must change are trainable already.
        config: ``backbone_lr``, ``frozen_layers`` and ``frozen_batchnorm``.
    """
    backbone = _backbone(network)
    share = config.frozen_layers if config.backbone_lr else 1.0
    kept = set(backbone[: round(share * len(backbone))])
    for layer in network.layers:
        is_normalization = isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = not (layer in kept or (config.frozen_batchnorm and is_normalization))


class Optimizer:
    """AdamW, Adam or SGD, with a smaller rate for the backbone.

    Adam's steps do not depend on the scale of the gradients, so a smaller rate is no smaller
    gradient: each weight has a rate of its own. Weight decay (decoupled, Loshchilov and Hutter
    2019, arXiv:1711.05101) leaves out biases and what normalizes.

    Args:
        network: As :func:`freeze` left it, inside the scope of its strategy.
        config: ``optimizer``, ``weight_decay`` and ``backbone_lr``.
    """

    def __init__(self, network: keras.Model, config: TrainingConfig) -> None:
        backbone = {id(weight) for layer in _backbone(network) for weight in layer.weights}
        self.weights: list[Any] = network.trainable_variables
        self.factors = [config.backbone_lr if id(w) in backbone else 1.0 for w in self.weights]
        decay = config.weight_decay if config.optimizer == "adamw" else 0.0
        self.decays = [decay if len(weight.shape) > 1 else 0.0 for weight in self.weights]
        if config.optimizer == "sgd":
            self.rule = keras.optimizers.SGD(momentum=MOMENTUM, nesterov=True)
        else:
            self.rule = keras.optimizers.Adam()
        self.rule.build(self.weights)

    @property
    def variables(self) -> list[Any]:
        """All that a checkpoint must hold."""
        return list(self.rule.variables)

    def apply(self, gradients: Sequence[Any], rate: Any) -> None:
        """Change the weights, in the same way on every replica.

        Args:
            gradients: Of all replicas together, in the order of ``weights``. (``apply`` of Keras's
                own optimizers would sum them up over the replicas once more.)
            rate: ``float32``, the head's learning rate.
        """
        parts = zip(self.weights, gradients, self.factors, self.decays, strict=True)
        for weight, gradient, factor, decay in parts:
            if decay:
                weight.assign_sub(weight * (decay * factor * rate))
            self.rule.update_step(gradient, weight, factor * rate)
        self.rule.iterations.assign_add(1)


def _backbone(network: keras.Model) -> list[keras.Layer]:
    """Its layers, from the input on."""
    _, features = network.outputs
    return list(keras.Model(network.inputs, features).layers)
