"""flora119, the photos of the starter model: where they come from, and folds of them."""

from __future__ import annotations

import itertools
from collections.abc import Collection
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from plant_classification.data import TRAIN, VALIDATION, Dataset, Records
from plant_classification.data.duplicates import kept_together
from plant_classification.data.reading import read_dataset
from plant_classification.data.splitting import folds
from plant_classification.settings import load_settings
from recipes.shared_data import shared

SEED = 7
"""Of the folds; look-alikes stay together."""


def read() -> Dataset:
    """The whole data set, with train.txt and val.txt."""
    return read_dataset(shared("flora119"))


def sources_of(records: Records) -> NDArray[np.str_]:
    """Where each photo comes from: ``oxford102``, ``flickr5`` ..."""
    return np.array([records.path(index).parts[-3] for index in range(len(records))])


def of_both(records: Records, source: str, other: str) -> NDArray[np.bool_]:
    """The photos of a source, of those labels that another one has too."""
    sources = sources_of(records)
    is_of_both = (sources == source) & np.isin(records.labels, records.labels[sources == other])
    return np.asarray(is_of_both)


def write_fold(
    target: Path,
    parts: int,
    is_left_out: NDArray[np.bool_] | None = None,
    unknown: Collection[str] = (),
) -> None:
    """Write split files: train.txt but for a fold, and the fold as val.txt.

    Args:
        target: The folder to write; the photos are a link in it.
        parts: Folds that train.txt is parted into; one of them is held back.
        is_left_out: Which photos of train.txt are left out of both.
        unknown: Names of labels that are left out with all their photos; the others close up.
    """
    dataset = read()
    records = dataset.splits[TRAIN]
    is_held = folds(records.labels, kept_together(records, load_settings()), parts, SEED) == 0
    is_used = np.ones(len(records), np.bool_) if is_left_out is None else ~is_left_out
    is_known = np.array([label.name not in unknown for label in dataset.labels])
    numbers = np.cumsum(is_known) - 1
    is_used &= is_known[records.labels]
    target.mkdir(parents=True)
    for name, header in (("classes.txt", 0), ("labels.csv", 1)):
        lines = (dataset.folder / name).read_text("utf-8").splitlines()
        kept = [*lines[:header], *itertools.compress(lines[header:], is_known)]
        (target / name).write_text("\n".join(kept) + "\n", "utf-8")
    (target / "photos").symlink_to(dataset.folder / "photos")
    for split, chosen in ((TRAIN, is_used & ~is_held), (VALIDATION, is_used & is_held)):
        lines = [
            f"{path}\t{numbers[label]}"
            for path, label, taken in zip(records.paths, records.labels, chosen, strict=True)
            if taken
        ]
        (target / f"{split}.txt").write_text("\n".join(lines) + "\n", "utf-8")
