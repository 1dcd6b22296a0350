"""A folder for each species, and perhaps around these one each for train, val and test.

::

    Rosa_canina/photo.jpg           train/Rosa_canina/photo.jpg
    Rosa_canina/plant-7/leaf.jpg    val/Rosa_canina/other.jpg

An underscore in the name of a species stands for a blank. A folder inside that of a species holds
the photos of one observation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from plant_classification.data.files import list_folder
from plant_classification.data.records import SPLITS, TEST, TRAIN, VALIDATION, Dataset, Records
from plant_classification.errors import DatasetError
from plant_classification.taxonomy import labels_from

SPLIT_NAMES = {split: split for split in SPLITS} | {
    "training": TRAIN,
    "validation": VALIDATION,
    "valid": VALIDATION,
    "testing": TEST,
}
"""What people call the splits, in small letters."""


class FoundPhoto(NamedTuple):
    """A picture.

    Attributes:
        species: What its folder says.
        path: From the folder of the data set.
        observation: The folder inside that of the species, or None.
    """

    species: str
    path: str
    observation: str | None


def is_species_folders(path: Path) -> bool:
    """Whether a folder, or its folder ``train``, holds folders with pictures."""
    roots = split_folders(path).values()
    return any(True for root in roots for _ in _photos(path, root, Counter()))


def read_species_folders(path: Path, families: Mapping[str, str]) -> Dataset:
    """Find the photos, in the order of their names.

    Args:
        path: The folder of the data set.
        families: The family of each genus.

    Raises:
        DatasetError: There is no picture to train on, or a folder cannot be a species.
    """
    roots = split_folders(path)
    passed_over = Counter[str]()
    found = {split: sorted(_photos(path, root, passed_over)) for split, root in roots.items()}
    for root in {path, *roots.values()}:
        beside = list_folder(root)
        _count(passed_over, "files in no folder of a species", beside.pictures + beside.other_files)
    if path not in roots.values():
        others = [n for n in list_folder(path).folders if n.lower() not in SPLIT_NAMES]
        _count(passed_over, "folders beside those of the splits", others)
    if not found[TRAIN]:
        raise DatasetError(f"{roots[TRAIN]} holds no folder of a species with pictures.")
    species = sorted({photo.species for photos in found.values() for photo in photos})
    try:
        labels = labels_from(species, None, families)
    except ValueError as error:
        raise DatasetError(
            f"{path} holds a folder that is no species: {str(error).partition(': ')[2]}"
        ) from None
    indices = {name: index for index, name in enumerate(species)}
    return Dataset(
        folder=path,
        kind="a folder per species",
        labels=labels,
        splits={split: _records(path, photos, indices) for split, photos in found.items()},
        notes=tuple(f"Passed over: {what} ({count:,})." for what, count in passed_over.items()),
    )


def split_folders(path: Path) -> Mapping[str, Path]:
    """The folder of each split; the one of all photos where there is no such folder.

    Raises:
        DatasetError: Two folders are for one split, or none is for training.
    """
    roots: dict[str, Path] = {}
    for name in list_folder(path).folders:
        split = SPLIT_NAMES.get(name.lower())
        if split in roots:
            raise DatasetError(f"{roots[split]} and {path / name} are both for {split}; keep one.")
        if split:
            roots[split] = path / name
    if roots and TRAIN not in roots:
        one = next(iter(roots.values()))
        raise DatasetError(f"{one} is for a split, and no folder {TRAIN} is beside it; make one.")
    return roots or {TRAIN: path}


def _photos(path: Path, root: Path, passed_over: Counter[str]) -> Iterator[FoundPhoto]:
    """The pictures of a split; what is passed over is counted."""
    for name in list_folder(root).folders:
        folder = root / name
        species, place = name.replace("_", " ").strip(), folder.relative_to(path).as_posix()
        listing = list_folder(folder)
        for picture in listing.pictures:
            yield FoundPhoto(species, f"{place}/{picture}", None)
        if listing.folders and name[0].islower():
            raise DatasetError(
                f"{folder} holds folders: that is for a species, which begins with a capital, with "
                "a folder for each observation. If it holds species, give it as the data set."
            )
        _count(passed_over, "files without the suffix of a picture", listing.other_files)
        for observation in listing.folders:
            inside = list_folder(folder / observation)
            for picture in inside.pictures:
                yield FoundPhoto(
                    species, f"{place}/{observation}/{picture}", f"{place}/{observation}"
                )
            _count(passed_over, "files without the suffix of a picture", inside.other_files)
            _count(passed_over, "folders inside that of an observation", inside.folders)


def _count(passed_over: Counter[str], what: str, names: Sequence[str]) -> None:
    if names:
        passed_over[what] += len(names)


def _records(path: Path, photos: Sequence[FoundPhoto], indices: Mapping[str, int]) -> Records:
    observations = [photo.observation for photo in photos]
    return Records(
        path,
        [photo.path for photo in photos],
        np.array([indices[photo.species] for photo in photos], np.int32),
        observations=observations if any(observations) else None,
    )
