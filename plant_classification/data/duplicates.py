"""Near-duplicates: the same photo again, of another size, recompressed, brighter, a little cropped.

Photos are compared by the directions in which brightness and two differences of colours change
from each cell of a 12x12 reduction to the next, as the "difference hash" does in grey; changes of
less than some levels are none, or all photos on a black ground would be alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from plant_classification import photos
from plant_classification.data.records import Records
from plant_classification.errors import PlantClassificationError
from plant_classification.processes import processors
from plant_classification.settings import Settings

Thumbnails = NDArray[np.uint8]
"""``uint8 (N, 12, 12, 3)`` RGB; one that is all of one colour is like no other."""

SIDE = 12
CHANGES = SIDE * (SIDE - 1) * 3
ENOUGH_PIXELS = 32
"""Shorter side at which a photo is decoded."""

LEVELS = 3
"""Of 255: a smaller change is noise, or none."""

UNLIKENESS = 0.001
"""For each change of two photos: what their cosine may lack of 1, if they are near-duplicates."""

MOST_UNLIKENESS = 0.45
"""That of a photo with 450 changes; there may be 792, and a leaf on a black ground has 200."""

MOST_COMPARED_DIRECTLY = 16_384
"""Photos of which each is compared with each."""

NEAREST = 4
"""Centres to which a photo belongs when there are more: 99 % of scaled copies share one."""

ROWS_AT_ONCE = 1024
PHOTOS_AT_ONCE = 64


def thumbnail(pixels: NDArray[np.uint8]) -> Thumbnails:
    """What is compared: ``uint8 (12, 12, 3)`` of ``uint8 (H, W, 3)`` RGB."""
    image = Image.fromarray(pixels)
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX))


def thumbnails(records: Records, settings: Settings) -> Thumbnails:
    """Read the photos, reduced, in threads; one that cannot be read is black."""
    made = np.zeros((len(records), SIDE, SIDE, 3), np.uint8)

    def read(start: int) -> None:
        for index in range(start, min(start + PHOTOS_AT_ONCE, len(records))):
            try:
                photo = photos.read(records.path(index), settings, shorter_side=ENOUGH_PIXELS)
            except PlantClassificationError:
                continue
            made[index] = thumbnail(photo.pixels)

    with ThreadPoolExecutor(processors()) as threads:
        list(threads.map(read, range(0, len(records), PHOTOS_AT_ONCE)))
    return made


def kept_together(records: Records, settings: Settings) -> NDArray[np.int64]:
    """What belongs on one side of a split: the photos of an observation, and near-duplicates.

    Returns:
        ``int64 (N,)``: for each photo the smallest index of its group.
    """
    first: dict[str, int] = {}
    same_plant = [
        (first.setdefault(observation, index), index)
        for index, observation in enumerate(records.observations or ())
        if observation is not None
    ]
    pairs = np.array(same_plant, np.int64).reshape(-1, 2)
    alike = near_duplicates(thumbnails(records, settings))
    return groups_of(len(records), np.concatenate([pairs, alike]))


def near_duplicates(compared: Thumbnails) -> NDArray[np.int64]:
    """Pairs of near-duplicates.

    Of many photos some are drawn as centres, as many as the square root, and each photo is compared
    with those that have one of its nearest centres among their own.

    Returns:
        ``int64 (P, 2)``, the smaller index first; of exact copies each is paired with the first.
    """
    _, first, same = np.unique(
        compared.reshape(-1, SIDE * SIDE * 3), axis=0, return_index=True, return_inverse=True
    )
    copies = np.stack([first[same.reshape(-1)], np.arange(len(compared))], 1)
    copies = copies[copies[:, 0] < copies[:, 1]]
    found = [copies[_changes(compared[copies[:, 0]]).any(1)]]
    for members in _neighbourhoods(compared, np.sort(first)):
        changes = _changes(compared[members])
        lengths = np.sqrt(np.count_nonzero(changes, axis=1))
        for start in range(0, len(members), ROWS_AT_ONCE):
            cosines = changes[start : start + ROWS_AT_ONCE] @ changes[start:].T
            pairs = np.argwhere(cosines >= 1 - MOST_UNLIKENESS)
            one, other = pairs[pairs[:, 0] < pairs[:, 1]].T
            allowed = UNLIKENESS * lengths[start + one] * lengths[start + other]
            alike = cosines[one, other] >= 1 - np.minimum(allowed, MOST_UNLIKENESS)
            found.append(members[start + np.stack([one, other], 1)[alike]])
    return np.unique(np.concatenate(found), axis=0)


def groups_of(count: int, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """What is joined by pairs, whatever stands between.

    Args:
        count: Number of things.
        pairs: ``int64 (P, 2)``, indices of two that belong together.

    Returns:
        ``int64 (count,)``: for each the smallest index of its group.
    """
    groups = np.arange(count)
    one, other = pairs[:, 0], pairs[:, 1]
    while (groups[one] != groups[other]).any():
        smaller = np.minimum(groups[one], groups[other])
        for end in (one, other):
            np.minimum.at(groups, groups[end], smaller)
        while (groups[groups] != groups).any():
            groups = groups[groups]
    return groups


def _neighbourhoods(compared: Thumbnails, chosen: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Indices of photos that are to be compared with each other, in ascending order."""
    if len(chosen) <= MOST_COMPARED_DIRECTLY:
        yield chosen
        return
    # The stream of a bit generator stays the same from one version of NumPy to the next.
    order = np.argsort(np.random.PCG64(0).random_raw(len(chosen)), kind="stable")
    centres = _changes(compared[chosen[order[: math.isqrt(len(chosen))]]])
    parts = np.array_split(chosen, -(-len(chosen) // ROWS_AT_ONCE))
    distances = (-_changes(compared[part]) @ centres.T for part in parts)
    nearest = np.concatenate(
        [np.argpartition(some, NEAREST - 1, axis=1)[:, :NEAREST] for some in distances]
    )
    for centre in range(len(centres)):
        yield chosen[(nearest == centre).any(1)]


def _changes(compared: Thumbnails) -> NDArray[np.float32]:
    """Signs of the changes, ``float32 (N, 2 * CHANGES)`` of length 1, or all 0."""
    red, green, blue = np.moveaxis(compared.astype(np.float32), -1, 0)
    grey = 0.299 * red + 0.587 * green + 0.114 * blue
    cells = np.stack([grey, red - green, blue - (red + green) / 2], -1)
    flat = [np.diff(cells, axis=axis).reshape(len(compared), CHANGES) for axis in (1, 2)]
    changes = np.concatenate(flat, axis=1)
    signs = (changes > LEVELS).astype(np.float32) - (changes < -LEVELS)
    lengths = np.sqrt(np.abs(signs).sum(1, keepdims=True))
    return np.asarray(signs / np.maximum(lengths, 1), np.float32)
