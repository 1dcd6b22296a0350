"""How fast training is, and what memory it takes: ratios, each of two things measured in one run.

Run it with ``python benchmarks/training.py`` on a machine that does nothing else. Needs the extra
``train``.
"""

from __future__ import annotations

import dataclasses
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.figures import Figure, show
from benchmarks.memory import peak_memory

PHOTO = Path(__file__).resolve().parents[1] / "docs/dahlia.jpg"
PHOTOS, LABELS = 64, 100
SIZE, BATCH = 224, 16
STEPS = 12
ROUNDS = 3


def write_photos(folder: Path) -> None:
    """Write JPEGs of 500x600 pixels, each another part of one photo."""
    random = np.random.default_rng(1)
    with Image.open(PHOTO) as photo:
        for number in range(PHOTOS):
            side = min(photo.size) * random.uniform(0.4, 0.8)
            left, top = (random.uniform(0, most - side) for most in photo.size)
            part = photo.resize((500, 600), box=(left, top, left + side, top + side))
            part.save(folder / f"{number}.jpg", quality=90)


def bare_step(_folder: Path) -> float:
    """Photos a second of TensorFlow's step with Keras's Adam, on tensors in memory."""
    import keras
    import tensorflow as tf

    from plant_classification.networks import build

    network = build("xception", LABELS, SIZE)
    optimizer = keras.optimizers.Adam()
    optimizer.build(network.trainable_variables)
    images = tf.random.uniform((BATCH, SIZE, SIZE, 3), -1, 1)
    labels = tf.random.uniform((BATCH,), 0, LABELS, tf.int32)

    def step() -> Any:
        with tf.GradientTape() as tape:
            logits, _ = network(images, training=True)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            loss = tf.reduce_mean(losses)
        variables = network.trainable_variables
        optimizer.apply(tape.gradient(loss, [v.value for v in variables]), variables)
        return loss

    step = tf.function(step)
    step().numpy()
    start = time.perf_counter()
    for _ in range(STEPS - 1):
        step().numpy()
    return (STEPS - 1) * BATCH / (time.perf_counter() - start)


def whole_training(folder: Path) -> float:
    """Photos a second of a training with all defaults, from JPEGs to the checkpoint."""
    from plant_classification.data import Records
    from plant_classification.data.pipeline import training_batches
    from plant_classification.networks import build, find_architecture
    from plant_classification.settings import load_settings
    from plant_classification.training.config import load_training_config
    from plant_classification.training.distribution import choose
    from plant_classification.training.loop import Plan, fit

    config, _ = load_training_config(
        ("the benchmark", {"epochs": 1, "batch_size": BATCH, "use_validation": False})
    )
    paths = sorted(path.name for path in folder.glob("*.jpg"))
    labels = np.random.default_rng(1).integers(0, LABELS, len(paths)).astype(np.int32)
    with tempfile.TemporaryDirectory() as work:
        trained = fit(
            partial(build, "xception", LABELS, SIZE),
            config,
            Plan(
                dataclasses.replace(find_architecture("xception").preprocessing, size=SIZE),
                np.full(LABELS, 1 / LABELS),
                BATCH,
                STEPS,
                {},
            ),
            lambda start: training_batches(
                Records(folder, paths, labels),
                SIZE,
                BATCH,
                config.train_mode,
                config.seed,
                steps=STEPS,
                start_step=start,
                settings=load_settings(),
            ),
            None,
            Path(work),
            lambda _: None,
            distribution=choose(),
            unreadable=[],
        )
    return trained.epochs[0].photos_per_second


PARTS: dict[str, Callable[[Path], float]] = {"bare": bare_step, "whole": whole_training}


def in_turn(*names: str, folder: Path) -> list[tuple[float, float]]:
    """Median photos a second and peak bytes of each part, in processes of their own, in turn."""
    results: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    for _ in range(ROUNDS):
        for name in names:
            said = subprocess.run(
                [sys.executable, __file__, name, str(folder)],
                check=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            results[name].append(tuple(json.loads(said.stdout.splitlines()[-1])))
    return [
        (statistics.median(speed for speed, _ in runs), statistics.median(peak for _, peak in runs))
        for runs in results.values()
    ]


def against_the_bare_step(folder: Path) -> list[Figure]:
    """A whole training of Xception over the bare step of TensorFlow: speed and memory."""
    (bare, bare_peak), (whole, whole_peak) = in_turn("bare", "whole", folder=folder)
    what = f"Xception at {SIZE} px, batch {BATCH}: whole training / bare TensorFlow step"
    return [
        Figure(f"{what}, speed", whole / bare, ">= 0.95", f"{whole:.2f} / {bare:.2f} photos/s"),
        Figure(
            f"{what}, peak memory",
            whole_peak / bare_peak,
            "<= 1.15",
            f"{whole_peak / 2**20:.0f} / {bare_peak / 2**20:.0f} MiB",
        ),
    ]


def main() -> None:
    """Measure and print."""
    if len(sys.argv) > 1:
        speed = PARTS[sys.argv[1]](Path(sys.argv[2]))
        print(json.dumps([speed, peak_memory()]))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_photos(folder)
        figures = against_the_bare_step(folder)
    show(figures)


if __name__ == "__main__":
    main()
