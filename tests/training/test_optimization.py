"""The learning rate, and which weights change how fast."""

from __future__ import annotations

from functools import partial
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray
from tiny_training import RULE, SHARES, build, configured, drawn

from plant_classification.training.config import TrainingConfig
from plant_classification.training.distribution import choose
from plant_classification.training.optimization import Optimizer, learning_rate
from plant_classification.training.steps import Training, loss_of

Weights = dict[str, NDArray[np.float32]]


def weights_of(network: keras.Model) -> Weights:
    return {weight.path: weight.numpy() for weight in network.weights}


def changes(steps: int = 1, rate: float = 0.01, **options: Any) -> tuple[Weights, Weights]:
    """The weights of the tiny network before and after some steps."""
    keras.utils.set_random_seed(1)
    network, config = build(), configured(**options)
    training = Training(network, config, loss_of(config, SHARES), RULE, choose())
    before = weights_of(network)
    for step in range(steps):
        training.step(*drawn(step), rate, update=True)
    return before, weights_of(network)


def rates(config: TrainingConfig, steps: int) -> list[float]:
    return [learning_rate(config, step, steps) for step in range(steps)]


def test_the_rate_falls_in_steps_at_fractions_of_the_whole_training() -> None:
    config = configured(initial_lr=0.8, lr_step_schedule=[0.5, 0.75], lr_step_decay=0.1)
    assert rates(config, 8) == pytest.approx([0.8] * 4 + [0.08] * 2 + [0.008] * 2)


def test_the_rate_grows_linearly_while_warming_up() -> None:
    config = configured(initial_lr=1.0, warmup=0.5, lr_step_schedule=[])
    assert rates(config, 8) == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0, 1.0, 1.0, 1.0])


def test_the_rate_falls_along_a_cosine_to_almost_zero_after_the_warm_up() -> None:
    config = configured(initial_lr=2.0, warmup=0.1, lr_schedule_mode="cosine")
    found = rates(config, 100)
    assert found[9] == found[10] == 2.0
    assert found[10 + 45] == pytest.approx(1.0)
    assert found == sorted(found[:10]) + sorted(found[10:], reverse=True)
    assert 0 < found[-1] < 0.001


@pytest.mark.parametrize(
    ("options", "theirs"),
    [
        (
            {"optimizer": "adamw", "weight_decay": 0.1},
            partial(keras.optimizers.AdamW, weight_decay=0.1),
        ),
        ({"optimizer": "adam", "weight_decay": 0.1}, keras.optimizers.Adam),
        ({"optimizer": "sgd"}, partial(keras.optimizers.SGD, momentum=0.9, nesterov=True)),
    ],
)
def test_with_one_rate_for_all_weights_it_is_the_optimizer_of_keras(
    options: dict[str, Any], theirs: Any
) -> None:
    keras.utils.set_random_seed(1)
    ours, other = build(), build()
    other.set_weights(ours.get_weights())
    expected = theirs(learning_rate=0.01)
    expected.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    optimizer = Optimizer(ours, configured(backbone_lr=1.0, **options))
    random = np.random.default_rng(0)
    for _ in range(3):
        gradients = [random.normal(size=w.shape).astype("f4") for w in ours.trainable_variables]
        optimizer.apply([tf.constant(g) for g in gradients], tf.constant(0.01))
        expected.apply([tf.constant(g) for g in gradients], other.trainable_variables)
    for found, wanted in zip(ours.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-7)


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd"])
def test_the_backbone_moves_by_the_fraction_that_was_asked_for(optimizer: str) -> None:
    before, whole = changes(optimizer=optimizer, backbone_lr=1.0)
    _, tenth = changes(optimizer=optimizer, backbone_lr=0.1)
    for path in ("conv/kernel", "norm/gamma"):
        expected = 0.1 * (whole[path] - before[path])
        np.testing.assert_allclose(tenth[path] - before[path], expected, rtol=1e-3, atol=1e-7)
    np.testing.assert_array_equal(tenth["logits/kernel"], whole["logits/kernel"])


def test_a_backbone_rate_of_zero_keeps_it_as_it_is_with_its_batch_normalization() -> None:
    before, after = changes(steps=3, backbone_lr=0.0)
    changed = {path for path in before if not np.array_equal(before[path], after[path])}
    assert changed == {"logits/kernel", "logits/bias"}


def test_the_first_layers_of_the_backbone_are_kept() -> None:
    before, after = changes(steps=3, frozen_layers=0.5)  # the input and the convolution
    changed = {path for path in before if not np.array_equal(before[path], after[path])}
    assert "norm/gamma" in changed
    assert "conv/kernel" not in changed


def test_frozen_batch_normalization_keeps_parameters_and_averages() -> None:
    before, after = changes(steps=3, frozen_batchnorm=True)
    changed = {path for path in before if not np.array_equal(before[path], after[path])}
    assert changed == {"conv/kernel", "logits/kernel", "logits/bias"}


def test_l2_draws_the_kernels_of_dense_layers_towards_zero_and_nothing_else() -> None:
    """The gradient of the penalty is twice the kernel; Nesterov's first step is 1.9 gradients."""
    before, without = changes(optimizer="sgd", l2_reg=0.0)
    _, drawn_in = changes(optimizer="sgd", l2_reg=0.5)
    for path in before:
        pull = 1.9 * 0.01 * 2 * 0.5 * before[path] if path == "logits/kernel" else 0.0
        np.testing.assert_allclose(without[path] - drawn_in[path], pull, rtol=1e-4, atol=1e-7)
