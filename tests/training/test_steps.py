"""A step: its pixels, its loss, and what a step changes."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray
from tiny_training import BATCH, LABELS, RULE, SHARES, build, configured, drawn

from plant_classification.networks import ARCHITECTURES
from plant_classification.training.distribution import choose
from plant_classification.training.steps import Training, loss_of, normalize
from plant_classification.training.validation import figures

LONG_TAIL = np.array([0.6, 0.2, 0.1, 0.05, 0.05, 0.0])


def new_training(*, normalized: bool = False, seed: int = 1, **options: Any) -> Training:
    keras.utils.set_random_seed(seed)
    config = configured(**{"optimizer": "sgd", **options})
    network = build(normalized=normalized)
    return Training(network, config, loss_of(config, SHARES), RULE, choose())


def log_softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))


@pytest.mark.parametrize("architecture", ["xception", "densenet121", "resnet50"])
def test_pixels_are_normalized_as_in_serving(architecture: str) -> None:
    rule = dataclasses.replace(ARCHITECTURES[architecture].preprocessing, size=8)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), np.uint8)
    expected = rule.normalize(pixels)
    np.testing.assert_allclose(normalize(pixels, rule), expected, rtol=1e-6, atol=1e-6)


def test_the_loss_is_the_log_loss_of_smoothed_targets_weighed_and_adjusted() -> None:
    random = np.random.default_rng(0)
    logits, labels = random.normal(size=(5, LABELS)), np.array([0, 1, 4, 3, 1])
    config = configured(label_smoothing=0.1, use_class_weights=True, logit_adjustment=0.7)
    found = loss_of(config, LONG_TAIL)(tf.constant(logits, tf.float32), tf.one_hot(labels, LABELS))
    shares = np.array([0.6, 0.2, 0.1, 0.05, 0.05, 0.05])  # the last one taken for the rarest
    targets = 0.9 * np.eye(LABELS)[labels] + 0.1 / LABELS
    expected = -(targets * log_softmax(logits + 0.7 * np.log(shares))).sum(axis=1)
    np.testing.assert_allclose(found, expected / (5 * shares[labels]), rtol=1e-5)


def test_class_weights_leave_the_mean_weight_of_a_photo_at_one() -> None:
    weights = loss_of(configured(use_class_weights=True), LONG_TAIL).weights
    assert (weights * LONG_TAIL).sum() == pytest.approx(1.0)
    assert weights[3] == pytest.approx(12 * weights[0])


def test_logit_adjustment_is_of_the_loss_alone() -> None:
    config = configured(logit_adjustment=1.0)
    network = build()
    training = Training(network, config, loss_of(config, LONG_TAIL), RULE, choose())
    images, labels = drawn(0)
    logits, _ = network(normalize(images, RULE))
    log_losses, first, _ = training.evaluate(images, labels).numpy()
    expected = -log_softmax(logits.numpy().astype(float))[np.arange(BATCH), labels]
    np.testing.assert_allclose(log_losses, expected, rtol=1e-4)
    np.testing.assert_array_equal(first, logits.numpy().argmax(axis=1) == labels.numpy())


def test_figures_are_sums_over_the_photos_since_they_were_forgotten() -> None:
    training = new_training(backbone_lr=0.0)
    expected = np.zeros(4)
    for step in range(3):
        images, labels = drawn(step)
        losses, first, first_five = training.evaluate(images, labels).numpy()
        expected += [BATCH, losses.sum(), first.sum(), first_five.sum()]
        training.step(images, labels, 0.01, update=True)
    np.testing.assert_allclose(training.figures(), expected, rtol=1e-6)
    training.forget()
    assert not training.figures().any()


def test_gradients_added_up_over_two_halves_change_what_those_of_the_whole_do() -> None:
    whole, halves = new_training(clip_norm=0.05), new_training(clip_norm=0.05, accumulate=2)
    for step in range(3):
        images, labels = drawn(step)
        whole.step(images, labels, 0.1, update=True)
        halves.step(images[:4], labels[:4], 0.1, update=False)
        halves.step(images[4:], labels[4:], 0.1, update=True)
    found, expected = halves.network.get_weights(), whole.network.get_weights()
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)


def test_gradients_longer_than_the_largest_norm_are_cut_to_it() -> None:
    training = new_training(clip_norm=0.01, backbone_lr=1.0)
    before = training.network.get_weights()
    training.step(*drawn(0), 1.0, update=True)
    after = training.network.get_weights()
    squares = sum(((a - b) ** 2).sum() for a, b in zip(after, before, strict=True))
    assert np.sqrt(squares) == pytest.approx(1.9 * 0.01, rel=1e-4)  # Nesterov's first step


def test_averages_follow_the_weights_and_forget_the_start_soon() -> None:
    training = new_training(normalized=True, ema=0.5)
    weights = [training.network.get_weights()]
    for step in range(4):
        training.step(*drawn(step), 0.1, update=True)
        weights.append(training.network.get_weights())
    for index, first in enumerate(weights[0]):
        average = first
        for update in range(1, 5):
            decay = min(0.5, (1 + update) / (10 + update))
            average = decay * average + (1 - decay) * weights[update][index]
        np.testing.assert_allclose(training.kept()[index].numpy(), average, atol=1e-6)
        with training.averaged():
            np.testing.assert_allclose(training.network.get_weights()[index], average, atol=1e-6)
        np.testing.assert_array_equal(training.network.get_weights()[index], weights[4][index])


def test_a_label_without_photos_has_no_part_in_macro_accuracy() -> None:
    sums = np.array([[4, 2.0, 3, 4], [0, 0, 0, 0], [1, 3.0, 0, 1]])
    expected = {"val_loss": 1.0, "val_top_1": 0.6, "val_top_5": 1.0, "val_macro_top_1": 0.375}
    assert figures(sums) == pytest.approx(expected)
    assert figures(np.zeros((3, 4))) == {}
