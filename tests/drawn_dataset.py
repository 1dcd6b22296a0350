"""A small data set of drawn photos, no two alike, with what a test puts into it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from drawn_photos import encode
from numpy.typing import NDArray

from plant_classification.data import Dataset, Records
from plant_classification.taxonomy import labels_from, load_families

NAMES = ("Bellis perennis", "Quercus ilex", "Quercus robur", "Rosa sp.")


def blocks(seed: int, width: int = 96, height: int = 72) -> NDArray[np.uint8]:
    """A patchwork of chance colours."""
    patches = np.random.default_rng(seed).integers(0, 256, (12, 12, 3), np.uint8)
    return patches[np.arange(height) * 12 // height][:, np.arange(width) * 12 // width]


def write_photos(folder: Path, count: int, *, first: int = 0, kind: str = "JPEG") -> list[str]:
    """Write photos, and return their names."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{number}.{kind.lower()}" for number in range(first, first + count)]
    for number, name in enumerate(names, first):
        (folder / name).write_bytes(encode(blocks(number), kind))
    return names


def dataset_of(
    folder: Path,
    splits: Mapping[str, Sequence[tuple[str, int]]],
    *,
    names: Sequence[str] = NAMES,
    notes: Sequence[str] = (),
    **columns: Mapping[str, Sequence[str | None]],
) -> Dataset:
    """A data set of these paths and labels, and of columns by split."""
    records = {
        split: Records(
            folder,
            [path for path, _ in rows],
            np.array([label for _, label in rows], np.int32),
            **{name: values[split] for name, values in columns.items()},
        )
        for split, rows in splits.items()
    }
    labels = labels_from(names, None, load_families())
    return Dataset(folder, "drawn", labels, records, tuple(notes))
