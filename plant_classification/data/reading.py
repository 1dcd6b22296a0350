"""One way to read a data set, whatever its kind."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from plant_classification.data.darwin_core import is_darwin_core, refuse_darwin_core
from plant_classification.data.duplicates import kept_together
from plant_classification.data.plantnet300k import is_plantnet300k, read_plantnet300k
from plant_classification.data.records import TRAIN, VALIDATION, Dataset
from plant_classification.data.species_folders import is_species_folders, read_species_folders
from plant_classification.data.split_files import is_split_files, read_split_files
from plant_classification.data.splitting import split
from plant_classification.data.tables import COLUMNS, NEEDED, is_table, read_photo_table
from plant_classification.errors import ArgumentError, DatasetError
from plant_classification.settings import Settings, load_settings
from plant_classification.taxonomy import listed, load_families, remarks


@dataclasses.dataclass(frozen=True)
class Reader:
    """What reads one form of data sets.

    Attributes:
        form: What it is, for people.
        knows: Whether a path is one.
        read: Reads it, with the folder that its paths start from, and the family of each genus.
        of_files: Whether it can be a file, too.
    """

    form: str
    knows: Callable[[Path], bool]
    read: Callable[[Path, str | None, Mapping[str, str]], Dataset]
    of_files: bool = False


def _in_place(
    read: Callable[[Path, Mapping[str, str]], Dataset],
) -> Callable[[Path, str | None, Mapping[str, str]], Dataset]:
    """Of a form whose photos lie where the folders say."""

    def read_in_place(path: Path, images: str | None, families: Mapping[str, str]) -> Dataset:
        if images is not None:
            raise ArgumentError(
                f"{path} says by its folders where its photos are: leave out images_directory.",
                field="images_directory",
            )
        return read(path, families)

    return read_in_place


READERS = (
    Reader(
        "Pl@ntNet-300K",
        is_plantnet300k,
        _in_place(read_plantnet300k),
    ),
    Reader("a folder with train.txt and classes.txt", is_split_files, read_split_files),
    Reader(
        "a table (.csv, .parquet) with the columns "
        + " and ".join(
            f"{name} (or {', '.join(others)})"
            for name, *others in (COLUMNS[column] for column in NEEDED)
        ),
        is_table,
        read_photo_table,
        of_files=True,
    ),
    Reader(
        "a folder with a folder of pictures for each species",
        is_species_folders,
        _in_place(read_species_folders),
    ),
)
"""In the order in which they are asked: the first that knows a path reads it."""


def read_dataset(
    path: Path,
    *,
    images: str | None = None,
    families: Path | None = None,
    val_fraction: float | None = 0.15,
    seed: int = 0,
    settings: Settings | None = None,
) -> Dataset:
    """Read and check a data set; whether every photo can be read is seen by looking at it.

    Args:
        path: A folder or a table, of a form that ``READERS`` has.
        images: The folder that the paths in split files and tables start from, relative to that of
            the data set; None: it is looked for.
        families: A table with the columns ``genus`` and ``family``, read before the package's own.
        val_fraction: Share of the training photos held back where the data set names none for
            validation, in (0, 1); for that they are read once, to keep near-duplicates together.
            None holds back none.
        seed: Of which ones are held back.
        settings: Limits of photos; the defaults where not given.

    Raises:
        DatasetError: Nothing that can be read is there, or it has a fault: with file and line.
        ArgumentError: ``images`` cannot be used.
        SettingsError: ``families`` cannot be used.
    """
    dataset = _read(path, images, load_families(families))
    notes = [*dataset.notes, *remarks(dataset.labels), *_without_photos(dataset)]
    if len(dataset.labels) == 1:
        notes.append("There is one label: a model of it names every photo so. Add other plants.")
    splits = {split: some for split, some in dataset.splits.items() if len(some)}
    dataset = dataclasses.replace(dataset, splits=splits, notes=tuple(notes))
    if VALIDATION in dataset.splits or val_fraction is None:
        return dataset
    return _hold_back(dataset, val_fraction, seed, settings or load_settings())


def _read(path: Path, images: str | None, families: Mapping[str, str]) -> Dataset:
    try:
        reader = _reader_of(path, families)
    except OSError as error:
        raise DatasetError(f"{error.filename or path} cannot be read: {error.strerror}.") from None
    if reader:
        return reader.read(path, images, families)
    *most, last = (reader.form for reader in READERS)
    raise DatasetError(f"{path} is no data set. One would be: {', '.join(most)}, or {last}.")


def _reader_of(path: Path, families: Mapping[str, str]) -> Reader | None:
    if not path.exists():
        raise DatasetError(f"{path} does not exist; give a folder or a table.")
    if is_darwin_core(path):
        refuse_darwin_core(path, families)
    return next((r for r in READERS if (path.is_dir() or r.of_files) and r.knows(path)), None)


def _hold_back(dataset: Dataset, fraction: float, seed: int, settings: Settings) -> Dataset:
    """Part some of the training photos for validation."""
    records = dataset.splits[TRAIN]
    groups = kept_together(records, settings)
    held = split(records.labels, groups, fraction, seed)
    together = len(groups) - len(np.unique(groups))
    note = (
        f"Held back for validation: {held.sum():,} of {len(records):,} photos (val_fraction "
        f"{fraction:g}, seed {seed}); photos kept beside another, for they show the same plant or "
        f"are near-duplicates: {together:,}."
    )
    splits = {**dataset.splits, TRAIN: records.take(np.flatnonzero(~held))}
    if held.any():
        splits[VALIDATION] = records.take(np.flatnonzero(held))
    return dataclasses.replace(dataset, splits=splits, notes=(*dataset.notes, note))


def _without_photos(dataset: Dataset) -> list[str]:
    """A note on labels that no training photo has."""
    counts = np.bincount(dataset.splits[TRAIN].labels, minlength=len(dataset.labels))
    lacking = [dataset.labels[index].name for index in np.flatnonzero(counts == 0)]
    if not lacking:
        return []
    return [
        f"Labels without a training photo ({len(lacking):,} of {len(counts):,}): {listed(lacking)}."
    ]
