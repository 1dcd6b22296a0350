"""What a person wants to know of a data set before training: counts, sizes, duplicates, faults.

Every photo is decoded, for only so is a damaged one found; at a reduced size, at which a JPEG costs
little more than to undo its compression.
"""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from plant_classification import photos
from plant_classification.data.duplicates import (
    ENOUGH_PIXELS,
    Thumbnails,
    groups_of,
    near_duplicates,
    thumbnail,
)
from plant_classification.data.records import Dataset, Record, Records
from plant_classification.errors import PlantClassificationError
from plant_classification.processes import processors
from plant_classification.settings import Settings

FEW = 10
"""Photos of a label, under which little can be learned of it."""

AT_ONCE = 64
"""Photos that a thread takes at a time."""

Group = tuple[int, ...]
"""Places of photos that belong together, the first one first."""

Progress = Callable[[int, int, str], None]
"""Called with the photos that have been read, all of them, and what is done now."""


@dataclasses.dataclass(frozen=True)
class Inspection:
    """What was found. A photo is named by its place: first those of one split, then of the next.

    Attributes:
        dataset: What was looked at.
        splits: ``int8 (N,)``, the split of each place, by its position in ``dataset.splits``.
        labels: ``int32 (N,)``, the label of each place.
        widths, heights: ``int32 (N,)`` pixels of the upright photo, 0 where it cannot be read.
        formats: How many photos have each format, judged by content; the most frequent first.
        unreadable: Place of each photo that cannot be read, and why.
        copies: Photos whose files are the same, byte by byte.
        look_alikes: Photos that look the same, copies included.
        photos_per_second: How fast they were read.
    """

    dataset: Dataset
    splits: NDArray[np.int8]
    labels: NDArray[np.int32]
    widths: NDArray[np.int32]
    heights: NDArray[np.int32]
    formats: Mapping[str, int]
    unreadable: tuple[tuple[int, str], ...]
    copies: tuple[Group, ...]
    look_alikes: tuple[Group, ...]
    photos_per_second: float

    def record(self, place: int) -> tuple[str, Record]:
        """The split and the photo at a place."""
        for split, records in self.dataset.splits.items():
            if place < len(records):
                return split, records[place]
            place -= len(records)
        raise IndexError(place)

    def shown(self, place: int) -> str:
        """The path of a photo, from the folder of the data set where it lies there."""
        path, folder = self.record(place)[1].path, self.dataset.folder
        return str(path.relative_to(folder) if path.is_relative_to(folder) else path)

    def counts(self, split: str | None = None) -> NDArray[np.int64]:
        """Photos of each label ``(L,)``, of one split or of all."""
        names = list(self.dataset.splits)
        labels = self.labels if split is None else self.labels[self.splits == names.index(split)]
        return np.bincount(labels, minlength=len(self.dataset.labels))

    def tally(self, column: str) -> dict[str, int]:
        """How many photos have each value of ``organs`` or ``sources``, the most frequent first.

        Photos without one come last, as ``unknown``; where all are, there is nothing to count.
        """
        columns = [getattr(records, column) or () for records in self.dataset.splits.values()]
        tally = Counter(value for values in columns for value in values if value)
        unknown = len(self.labels) - sum(tally.values())
        return dict(tally.most_common()) | ({"unknown": unknown} if tally and unknown else {})

    def observations(self) -> tuple[int, int]:
        """How many observations there are, and how many have photos in more than one split."""
        found = [
            set(filter(None, records.observations or ()))
            for records in self.dataset.splits.values()
        ]
        seen = Counter(name for names in found for name in names)
        return len(seen), sum(count > 1 for count in seen.values())

    def across_splits(self, groups: Iterable[Group]) -> list[Group]:
        """The groups that have photos in more than one split."""
        return [group for group in groups if len(set(self.splits[list(group)])) > 1]

    def across_labels(self, groups: Iterable[Group]) -> list[Group]:
        """The groups that have photos of more than one label."""
        return [group for group in groups if len(set(self.labels[list(group)])) > 1]


@dataclasses.dataclass(frozen=True)
class _Look:
    """What one photo is like, or the fault for which it cannot be read."""

    width: int = 0
    height: int = 0
    format: str = ""
    digest: bytes = b""
    reduced: Thumbnails | None = None
    fault: str = ""


def inspect(
    dataset: Dataset, settings: Settings, progress: Progress = lambda _done, _total, _stage: None
) -> Inspection:
    """Look at each photo of a data set.

    Args:
        dataset: Read and checked.
        settings: For the limits of a photo.
        progress: Called while photos are read, and when they are compared.
    """
    start = time.monotonic()
    sizes = [len(records) for records in dataset.splits.values()]
    total = sum(sizes)
    widths, heights = np.zeros((2, total), np.int32)
    reduced = np.zeros((total, *thumbnail(np.zeros((1, 1, 3), np.uint8)).shape), np.uint8)
    formats: Counter[str] = Counter()
    firsts: dict[bytes, int] = {}
    copies, unreadable = [], []
    for place, look in enumerate(_looks(dataset.splits.values(), settings)):
        if look.reduced is None:
            unreadable.append((place, look.fault))
        else:
            widths[place], heights[place], reduced[place] = look.width, look.height, look.reduced
            formats[look.format] += 1
            if (first := firsts.setdefault(look.digest, place)) < place:
                copies.append((first, place))
        progress(place + 1, total, "reading")
    seconds = time.monotonic() - start
    progress(total, total, "comparing")
    same = np.array(copies, np.int64).reshape(-1, 2)
    alike = np.concatenate([near_duplicates(reduced), same])
    return Inspection(
        dataset,
        np.repeat(np.arange(len(sizes), dtype=np.int8), sizes),
        np.concatenate([records.labels for records in dataset.splits.values()]),
        widths,
        heights,
        dict(formats.most_common()),
        tuple(unreadable),
        _groups(total, same),
        _groups(total, alike),
        total / max(seconds, 1e-9),
    )


def cautions(found: Inspection) -> list[str]:
    """Sentences on what may spoil a training, or the figures that come of it."""
    first = next(iter(found.dataset.splits))
    counts = found.counts(first)
    none = int((counts == 0).sum())
    told = (
        (len(found.unreadable), "Photos that cannot be read: {}; training leaves them out."),
        (
            len(found.across_splits(found.look_alikes)),
            "Photos in several splits: {}; a model would be judged on what it has seen.",
        ),
        (found.observations()[1], "Observations in several splits: {}; the same holds."),
        (
            len(found.across_labels(found.look_alikes)),
            "Photos under several labels: {}; some of these labels are wrong.",
        ),
        (none, f"Labels without a photo in {first}: {{}}; they cannot be learned."),
        (
            int((counts < FEW).sum()) - none,
            f"Labels with fewer than {FEW} photos in {first}: {{}}; too few to be learned well.",
        ),
    )
    return [words.format(f"{count:,}") for count, words in told if count]


def sizes_in_words(found: Inspection) -> dict[str, str]:
    """The widths and heights of the photos that can be read."""
    words = {}
    for name, sizes in (("Width", found.widths), ("Height", found.heights)):
        if sizes.any():
            low, middle, high = np.percentile(sizes[sizes > 0], [0, 50, 100])
            spread = f"{low:,.0f} to {high:,.0f} pixels, median {middle:,.0f}"
            words[name] = spread if low < high else f"{low:,.0f} pixels"
    return words


def _groups(count: int, pairs: NDArray[np.int64]) -> tuple[Group, ...]:
    """Groups of two or more, by their first members."""
    groups = groups_of(count, pairs)
    order = np.argsort(groups, kind="stable")
    cuts = np.flatnonzero(np.diff(groups[order])) + 1
    return tuple(tuple(group.tolist()) for group in np.split(order, cuts) if len(group) > 1)


def _looks(splits: Iterable[Records], settings: Settings) -> Iterator[_Look]:
    """What each photo is like, in order, read by a thread for each processor."""

    def look_at(some: tuple[Records, range]) -> list[_Look]:
        records, places = some
        return [_look(records[place], settings) for place in places]

    chunks = [
        (records, range(start, min(start + AT_ONCE, len(records))))
        for records in splits
        for start in range(0, len(records), AT_ONCE)
    ]
    pool = ThreadPoolExecutor(processors())
    try:
        for looks in pool.map(look_at, chunks):
            yield from looks
    finally:
        pool.shutdown(cancel_futures=True)


def _look(record: Record, settings: Settings) -> _Look:
    try:
        photo = photos.read(record.path, settings, shorter_side=ENOUGH_PIXELS)
    except PlantClassificationError as error:
        return _Look(fault=error.message)
    digest = bytes.fromhex(photo.sha256 or "")
    return _Look(photo.width, photo.height, photo.format, digest, thumbnail(photo.pixels))
