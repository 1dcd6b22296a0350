"""From records to batches of pixels: changed photos for training, photos as served for validation.

A training batch follows from the seed and the step alone: a training that was broken off goes on as
if nothing had been, and the number of threads and workers changes nothing.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from plant_classification import photos
from plant_classification.data.augmentation import Augmentation
from plant_classification.data.changed_photo import changed_photo
from plant_classification.data.photo_memory import PhotoMemory
from plant_classification.data.photo_order import PLACE, photo_order
from plant_classification.data.records import Records
from plant_classification.errors import ArgumentError, DatasetError, PlantClassificationError
from plant_classification.photos.ahead import in_order
from plant_classification.photos.preprocessing import Preprocessing
from plant_classification.processes import processors
from plant_classification.settings import Settings

Pixels = NDArray[np.uint8]
Random = np.random.Generator
Batch = tuple[Pixels, NDArray[np.int32]]
Unreadable = Callable[[Path, str], None]
"""Is told of a photo that cannot be read, once: its file, and a sentence. It runs in any thread."""

MOST_TRIES = 100


def training_batches(  # noqa: PLR0913 - all that a batch depends on
    records: Records,
    size: int,
    batch: int,
    augmentation: Augmentation,
    seed: int,
    *,
    steps: int,
    start_step: int = 0,
    worker: int = 0,
    workers: int = 1,
    balanced: bool = False,
    cache: bool = False,
    strict: bool = False,
    settings: Settings,
    on_unreadable: Unreadable = lambda _path, _sentence: None,
) -> tf.data.Dataset:
    """Batches of changed photos, each a function of the seed and the step alone.

    The photos come in a random order, and in another one when all have come; a batch may hold the
    last of one round and the first of the next. A photo that cannot be read is replaced by another
    one.

    Args:
        records: The photos.
        size: Side of the network's input in pixels.
        batch: Photos in a step, over all workers.
        augmentation: How they are changed.
        seed: The same one gives the same batches.
        steps: Of the whole training.
        start_step: The first one to give.
        worker: The number of this process among ``workers``, from 0 up: it gets the photos
            ``[worker * batch / workers, (worker + 1) * batch / workers)`` of each batch.
        workers: Processes that train together.
        balanced: Draw a label first, each as likely as any other, then one of its photos.
        cache: Keep the photos in memory, reduced to twice ``size``: the first round takes as long
            as without, and small crops (less than half of a photo) are less sharp.
        strict: Stop at a photo that cannot be read.
        settings: For the limits of a photo, and how many threads read.
        on_unreadable: Is told of the photos that cannot be read.

    Returns:
        A data set of ``(uint8 (batch / workers, size, size, 3) RGB, int32 (batch / workers,))``. An
        error in it comes as TensorFlow's: :func:`dataset_errors` makes it a ``DatasetError`` again.
        That is raised for a photo that cannot be read where ``strict`` is set, and where none can.

    Raises:
        ArgumentError: ``batch`` is no multiple of ``workers``, or the memory holds no cache.
        DatasetError: There are no photos.
    """
    share = batch // workers
    if share * workers != batch or not share:
        raise ArgumentError(
            f"batch_size must be a multiple of the {workers} workers, not {batch}.",
            field="batch_size",
        )
    if not len(records):
        raise DatasetError("There are no photos to train on.")
    if cache:
        look: Callable[[Path, Random], Pixels] = PhotoMemory(
            len(records), size, augmentation, settings
        )
    else:
        look = functools.partial(
            changed_photo, size=size, augmentation=augmentation, settings=settings
        )
    tell = _once(on_unreadable)
    choices = photo_order(records.labels, seed, balanced=balanced)

    def photo(place: int) -> tuple[Pixels, int]:
        random = np.random.default_rng((seed, PLACE, place))
        fault = None
        for index in itertools.islice(choices(place, random), MOST_TRIES):
            path = records.path(index)
            try:
                return look(path, random), int(records.labels[index])
            except PlantClassificationError as error:
                fault = error
                if strict:
                    break
                tell(path, str(error))
        tried = "" if strict else f"None of {MOST_TRIES} photos can be read; the last was "
        raise DatasetError(f"{tried}{path}: {fault}")

    def part(step: int) -> Batch:
        first = step * batch + worker * share
        pixels, labels = np.empty((share, size, size, 3), np.uint8), np.empty(share, np.int32)
        for n in range(share):
            pixels[n], labels[n] = photo(first + n)
        return pixels, labels

    made = _Ahead(part, steps, settings.threads or processors())

    def tensors(step: Any) -> Any:
        pixels, labels = tf.numpy_function(made.batch, [step], [tf.uint8, tf.int32])
        return tf.ensure_shape(pixels, (share, size, size, 3)), tf.ensure_shape(labels, (share,))

    # TensorFlow's own prefetching would leave its thread in Python when the process ends.
    options = tf.data.Options()
    options.experimental_optimization.inject_prefetch = False
    return tf.data.Dataset.range(start_step, steps).map(tensors).with_options(options)


class _Ahead:
    """Makes the batches of the next steps in threads.

    The threads are Python's, for a process cannot end while TensorFlow's are in Python.
    """

    def __init__(self, make: Callable[[int], Batch], steps: int, threads: int) -> None:
        self._make, self._steps, self._count = make, steps, threads + 1
        self._pool = ThreadPoolExecutor(threads)
        self._lock = threading.Lock()
        self._waiting: dict[int, Future[Batch]] = {}

    def batch(self, step: int) -> Batch:
        """The batch of a step; begins those after it."""
        with self._lock:
            self._waiting = {
                later: self._waiting.get(later) or self._pool.submit(self._make, later)
                for later in range(int(step), min(int(step) + self._count, self._steps))
            }
            wanted = self._waiting[int(step)]
        return wanted.result()


@contextlib.contextmanager
def dataset_errors() -> Iterator[None]:
    """A block in which what TensorFlow makes of a ``DatasetError`` is one again."""
    try:
        yield
    except tf.errors.OpError as error:
        found = re.search(r"DatasetError: (.*?)\nTraceback", error.message, re.DOTALL)
        if not found:
            raise
        raise DatasetError(found[1]) from None


def _once(on_unreadable: Unreadable) -> Unreadable:
    told: set[Path] = set()
    lock = threading.Lock()

    def tell(path: Path, sentence: str) -> None:
        with lock:
            new = path not in told
            told.add(path)
        if new:
            on_unreadable(path, sentence)

    return tell


def validation_pixels(
    records: Records,
    preprocessing: Preprocessing,
    settings: Settings,
    batch: int,
) -> Iterator[Batch]:
    """The photos as they are served, in their order; those that cannot be read are left out.

    Args:
        records: The photos.
        preprocessing: Of the network.
        settings: For the limits of a photo, and how many threads read.
        batch: Photos that are given at once, at most.

    Yields:
        ``uint8 (n, size, size, 3)`` RGB and ``int32 (n,)``, the labels.
    """

    def served(index: int) -> Pixels | None:
        path = records.path(index)
        try:
            photo = photos.read(path, settings, shorter_side=preprocessing.shorter_side())
        except PlantClassificationError:
            return None
        return preprocessing.apply(photo.pixels)

    rows: list[Pixels] = []
    labels: list[int] = []
    threads = settings.threads or processors()
    for index, pixels in enumerate(in_order(served, range(len(records)), threads, ahead=2 * batch)):
        if pixels is not None:
            rows.append(pixels)
            labels.append(int(records.labels[index]))
        if rows and (len(rows) == batch or index + 1 == len(records)):
            yield np.concatenate(rows), np.array(labels, np.int32)
            rows, labels = [], []
