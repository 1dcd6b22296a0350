"""Many photos through the engine, in several threads; one bad photo is never the end."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from plant_classification import photos
from plant_classification.data import Records
from plant_classification.errors import PlantClassificationError
from plant_classification.inference.engine import Engine
from plant_classification.photos.ahead import in_order
from plant_classification.photos.preprocessing import Preprocessing
from plant_classification.processes import processors
from plant_classification.settings import Settings

WAITING = 8
"""Photos that may be done before an earlier one, for each thread."""

Tell = Callable[[int, int], None]
"""Is told how many photos are done, and how many there are."""

Views = Callable[[int, NDArray[np.uint8]], NDArray[np.uint8]]
"""Makes, of a photo's index and its pixels, what the network sees: ``uint8 (V, size, size, 3)``."""


@dataclasses.dataclass(frozen=True)
class Looks:
    """What the network says of photos, in their order; zeros where one cannot be read.

    Attributes:
        logits: ``float32 (N, labels)``.
        features: ``float32 (N, D)``, the last feature map, averaged over the picture.
        readable: ``bool (N,)``.
        faults: Index and sentence of each photo that cannot be read.
    """

    logits: NDArray[np.float32]
    features: NDArray[np.float32]
    readable: NDArray[np.bool_]
    faults: tuple[tuple[int, str], ...]


def look(
    engine: Engine,
    preprocessing: Preprocessing,
    records: Records,
    settings: Settings,
    tell: Tell = lambda _done, _total: None,
) -> Looks:
    """Look at photos as they are served.

    Args:
        engine: The network; one that is compiled ``for_many`` is faster.
        preprocessing: Its rule.
        records: The photos.
        settings: For the limits of photos.
        tell: Is told how far it is.

    Raises:
        ModelFolderError: The network answers with NaN or infinity.
    """
    logits = np.zeros((len(records), engine.label_count), np.float32)
    features = np.zeros((len(records), engine.feature_count), np.float32)

    def take(index: int, _view: int, row: NDArray[np.float32], mean: NDArray[np.float32]) -> None:
        logits[index], features[index] = row, mean

    faults = look_at_views(engine, preprocessing, records, settings, None, take, tell)
    return Looks(logits, features, were_read(len(records), faults), faults)


def were_read(count: int, faults: Sequence[tuple[int, str]]) -> NDArray[np.bool_]:
    """Which of so many photos have no fault: ``bool (count,)``."""
    found = np.ones(count, np.bool_)
    found[[index for index, _ in faults]] = False
    return found


def look_at_views(
    engine: Engine,
    preprocessing: Preprocessing,
    records: Records,
    settings: Settings,
    views: Views | None,
    take: Callable[[int, int, NDArray[np.float32], NDArray[np.float32]], None],
    tell: Tell = lambda _done, _total: None,
    *,
    crops: int = 1,
) -> tuple[tuple[int, str], ...]:
    """Look at several views of each photo, which is decoded once.

    Args:
        engine: The network; one that is compiled ``for_many`` is faster.
        preprocessing: Its rule: for the scale at which a photo is decoded.
        records: The photos.
        settings: For the limits of photos.
        views: What is looked at, made in several threads; None for photos as they are served.
        take: Called for each view, one at a time and in any order, with the index of the photo, the
            number of the view, the logits ``float32 (labels,)``, and the last feature map averaged
            over the picture ``float32 (D,)``.
        tell: Is told how far it is.
        crops: Of each photo that the views show: for the scale at which it is decoded.

    Returns:
        Index and sentence of each photo that cannot be read.

    Raises:
        ModelFolderError: The network answers with NaN or infinity.
    """
    taking = threading.Lock()
    made = views or (lambda _index, pixels: preprocessing.apply(pixels, crops))

    def look_at(index: int) -> str | None:
        try:
            photo = photos.read(
                records.path(index), settings, shorter_side=preprocessing.shorter_side(crops)
            )
        except PlantClassificationError as fault:
            return fault.message
        for view, pixels in enumerate(made(index, photo.pixels)):
            logits, mean = engine.brief(pixels)
            with taking:
                take(index, view, logits, mean)
        return None

    faults = []
    threads = processors() + 1
    for index, fault in enumerate(
        in_order(look_at, range(len(records)), threads, WAITING * threads)
    ):
        if fault is not None:
            faults.append((index, fault))
        tell(index + 1, len(records))
    return tuple(faults)
