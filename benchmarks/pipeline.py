"""How fast changed photos are made for training: a ratio, of two things measured in turn.

The ceiling decodes the same files at their full size with TensorFlow's own reader, on as many
threads, and makes batches of them. The photos are crops of 500x600 pixels of the two photos that
come with scikit-learn. At quality 95 a file has about 105 kB, as in Pl@ntNet-300K.

Run it with ``python benchmarks/pipeline.py`` on a machine that does nothing else.
"""

from __future__ import annotations

import functools
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf
from PIL import Image
from sklearn.datasets import load_sample_images

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.figures import Figure, show
from plant_classification.data.augmentation import Augmentation
from plant_classification.data.pipeline import training_batches
from plant_classification.data.records import Records
from plant_classification.processes import processors
from plant_classification.settings import Settings, load_settings
from plant_classification.training.config import training_options

SIDES = (500, 600)
QUALITY = 95
PHOTOS = 64
SIZE = 224
BATCH = 16
STEPS = 100
ROUNDS = 7
DEFAULT = Augmentation.from_dict(training_options()["train_mode"].default)


def write_photos(folder: Path) -> Records:
    """Photos of 500x600, each another part of one of two photos."""
    random = np.random.default_rng(0)
    sources = [Image.fromarray(pixels) for pixels in load_sample_images().images]
    names = [f"{n}.jpg" for n in range(PHOTOS)]
    for n, name in enumerate(names):
        source = sources[n % len(sources)]
        part = source.height * SIDES[0] / SIDES[1]
        left = random.uniform(0, source.width - part)
        photo = source.resize(
            SIDES, Image.Resampling.BICUBIC, (left, 0, left + part, source.height)
        )
        photo.save(folder / name, quality=QUALITY)
    return Records(folder, names, np.arange(PHOTOS, dtype=np.int32))


def ceiling(records: Records, threads: int) -> tf.data.Dataset:
    """Decode, and no more."""
    paths = [str(records.path(n)) for n in range(len(records))]
    photos = tf.data.Dataset.from_tensor_slices(paths).repeat().take(STEPS * BATCH)
    decoded = photos.map(
        lambda path: tf.io.decode_jpeg(tf.io.read_file(path), channels=3),
        num_parallel_calls=threads,
    )
    return decoded.batch(BATCH).prefetch(1)


def changed(records: Records, settings: Settings, augmentation: Augmentation) -> tf.data.Dataset:
    """What training takes."""
    return training_batches(
        *(records, SIZE, BATCH, augmentation, 0), steps=STEPS, settings=settings
    )


def seconds(batches: Callable[[], tf.data.Dataset]) -> float:
    """How long it takes to the last batch; TensorFlow ends an iterator up to seconds later."""
    start = last = time.perf_counter()
    for _ in batches():
        last = time.perf_counter()
    return last - start


def measure(folder: Path) -> list[Figure]:
    """The figures: with the default augmentation, and with none."""
    records = write_photos(folder)
    threads = processors()
    settings = load_settings(threads=threads)
    size = np.mean([records.path(n).stat().st_size for n in range(PHOTOS)])
    calls = [functools.partial(ceiling, records, threads)] + [
        functools.partial(changed, records, settings, augmentation)
        for augmentation in (DEFAULT, Augmentation())
    ]
    rounds = [[seconds(call) for call in calls] for _ in range(ROUNDS + 1)][1:]
    decode, *ours = (
        STEPS * BATCH / statistics.median(times) for times in zip(*rounds, strict=True)
    )
    return [
        Figure(
            f"training photos / decoding alone, {words} augmentation",
            speed / decode,
            bound,
            f"{speed:.0f} / {decode:.0f} photos a second, {size / 1000:.0f} kB each, "
            f"{threads} threads",
        )
        for words, speed, bound in zip(("default", "no"), ours, (">= 0.6", ">= 0.6"), strict=True)
    ]


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        figures = measure(Path(name))
    show(figures)


if __name__ == "__main__":
    main()
