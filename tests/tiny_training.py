"""A training of seconds: a network of some hundred weights and drawn pixels, function of the step.

As a program, ``python tests/tiny_training.py WORK OPTIONS``, with the options as JSON, it goes on
with the training in WORK where there is one, and prints what each epoch came to as JSON.
``PAUSE=0.1`` in the environment lets it wait at each thing that it tells; ``KILL=<event>:<text>``
kills it when Python audits that event with arguments that hold the text.
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from plant_classification.photos.preprocessing import Preprocessing
from plant_classification.training.config import TrainingConfig, load_training_config
from plant_classification.training.distribution import Distribution, choose
from plant_classification.training.loop import Plan, Trained, fit
from plant_classification.training.progress import Observer

SIZE, LABELS, BATCH, STEPS = 16, 6, 8, 7
RULE = Preprocessing(SIZE)
SHARES = np.full(LABELS, 1 / LABELS)


def build(dropout: float = 0.0, *, normalized: bool = True) -> keras.Model:
    """A network with all that is hard to go on with: batch normalization, and dropout if asked."""
    image = keras.Input((SIZE, SIZE, 3), name="image")
    x = keras.layers.Conv2D(8, 3, strides=2, use_bias=not normalized, name="conv")(image)
    x = keras.layers.BatchNormalization(name="norm")(x) if normalized else x
    features = keras.layers.ReLU(name="features")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pooling")(features)
    x = keras.layers.Dropout(dropout, name="dropout")(x)
    return keras.Model(image, [keras.layers.Dense(LABELS, name="logits")(x), features])


def drawn(step: Any) -> tuple[Any, Any]:
    """The batch of a step: noise, in a colour that tells the label."""
    labels = tf.random.stateless_uniform((BATCH,), (3, step), 0, LABELS, tf.int32)
    noise = tf.random.stateless_uniform((BATCH, SIZE, SIZE, 3), (4, step), 0, 120, tf.int32)
    colour = tf.stack([labels * 25, 125 - labels * 25, labels % 2 * 100], axis=-1)
    return tf.cast(noise + colour[:, tf.newaxis, tf.newaxis], tf.uint8), labels


def batches(steps: int, devices: Distribution, start: int) -> Any:
    """This worker's part of each batch, from a step on."""
    share = BATCH // devices.workers
    part = slice(devices.worker * share, (devices.worker + 1) * share)

    def of_step(step: Any) -> tuple[Any, Any]:
        images, labels = drawn(step)
        return images[part], labels[part]

    return tf.data.Dataset.range(start, steps).map(of_step)


def held_back(devices: Distribution) -> Iterator[tuple[Any, Any]]:
    """This worker's part of 45 photos that are not trained on, the last batch being smaller."""
    for step in range(1000 + devices.worker, 1006, devices.workers):
        images, labels = drawn(step)
        count = 5 if step == 1005 else BATCH
        yield images[:count].numpy(), labels[:count].numpy()


def configured(**options: Any) -> TrainingConfig:
    """The options of a tiny training."""
    given = {"epochs": 4, "initial_lr": 0.02, "batch_size": BATCH, "l2_reg": 0.0, **options}
    return load_training_config(("the test", given))[0]


def train(
    work: Path,
    observe: Observer = lambda _: None,
    *,
    network: Callable[[], keras.Model] | None = None,
    devices: Distribution | None = None,
    **options: Any,
) -> Trained:
    """Train it, with dropout unless another network is given."""
    devices, config = devices or choose(), configured(**options)
    return fit(
        network or partial(build, 0.3),
        config,
        Plan(RULE, SHARES, BATCH, STEPS, {"data": "drawn"}),
        partial(batches, STEPS * config.epochs, devices),
        partial(held_back, devices) if config.use_validation else None,
        work,
        observe,
        distribution=devices,
        unreadable=[],
    )


def killed_at(event: str, argument: str) -> None:
    """Let this process be killed when Python is about to do something."""

    def hook(name: str, arguments: tuple[Any, ...]) -> None:
        if name == event and argument in repr(arguments):
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def two_devices() -> Distribution:
    """The processor as two devices."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    return Distribution(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]))


def main() -> None:
    """Train as the command line says."""
    work, options = Path(sys.argv[1]), json.loads(sys.argv[2])
    pause = float(os.environ.get("PAUSE", "0"))
    if "KILL" in os.environ:
        killed_at(*os.environ["KILL"].split(":"))
    network = partial(build, options.pop("dropout", 0.3))
    devices = two_devices() if options.pop("two_devices", False) else None
    trained = train(work, lambda _: time.sleep(pause), network=network, devices=devices, **options)
    print(json.dumps([dataclasses.asdict(figures) for figures in trained.epochs]))


if __name__ == "__main__":
    main()
