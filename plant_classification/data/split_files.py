"""Split files, as the old service read them: classes.txt, train.txt, val.txt, test.txt and others.

::

    classes.txt or synsets.txt   a label a line, counted from zero
    train.txt                    a photo a line: its path, a blank or tab, the number of its label
    val.txt, test.txt            the same; they may be missing
    info.txt                     a line for each label: what else is to be said of it
    tags.txt                     a line for each photo of train.txt: its organ (``flower`` ...)
    labels.csv                   genus, family and common names of the labels

They lie in the folder itself, in ``dataset_files`` or in ``data/dataset_files``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from plant_classification.data.class_files import CLASSES, one_each, read_classes
from plant_classification.data.files import fault, find_images, others
from plant_classification.data.line_parsing import whole_keys
from plant_classification.data.records import SPLITS, TRAIN, Dataset, Records
from plant_classification.data.split_lines import SplitLines, read_split_lines

PLACES = (".", "dataset_files", "data/dataset_files")
TRAIN_FILE = f"{TRAIN}.txt"
TAGS = "tags.txt"


def is_split_files(path: Path) -> bool:
    """Whether a folder has the files of a data set of the old service, or some of them."""
    return _place(path) is not None


def read_split_files(path: Path, images: str | None, families: Mapping[str, str]) -> Dataset:
    """Read and check split files; whether the photos are there is not looked at.

    Args:
        path: The folder of the data set.
        images: The folder that the paths start from, relative to ``path``; None: it is looked for.
        families: The family of each genus.

    Raises:
        DatasetError: A file is missing or has a fault, with its line.
        ArgumentError: ``images`` is no folder inside the data set.
    """
    folder = _place(path) or path
    labels, notes = read_classes(folder, families)
    lines, more = read_splits(folder, len(labels))
    root = find_images(path, images, lines[TRAIN].paths, lines[TRAIN].file)
    tags = folder / TAGS
    organs = one_each(tags, len(lines[TRAIN].labels), lines[TRAIN].file) if tags.is_file() else None
    return Dataset(
        folder=path,
        kind="split files",
        labels=labels,
        splits={
            split: Records(
                root,
                found.paths,
                found.labels,
                organs=[organ or None for organ in organs] if organs and split == TRAIN else None,
            )
            for split, found in lines.items()
        },
        notes=(*notes, *more),
    )


def read_splits(folder: Path, classes: int) -> tuple[dict[str, SplitLines], tuple[str, ...]]:
    """Read train.txt, and val.txt and test.txt where they are there.

    Args:
        folder: Where they are.
        classes: How many labels there are.

    Returns:
        What each split has, and notes.

    Raises:
        DatasetError: A line cannot be used, or a photo is in two splits or has two labels.
    """
    files = {split: folder / f"{split}.txt" for split in SPLITS}
    lines = {
        split: read_split_lines(file, classes)
        for split, file in files.items()
        if split == TRAIN or file.is_file()
    }
    return lines, _check_repeats(list(lines.values()))


def _place(path: Path) -> Path | None:
    names = (TRAIN_FILE, *CLASSES)
    places = (path / place for place in PLACES)
    return next((p for p in places if any((p / name).is_file() for name in names)), None)


def _check_repeats(files: list[SplitLines]) -> tuple[str, ...]:
    """A note on photos that stand twice in a file.

    Raises:
        DatasetError: A photo is in two files, or stands twice with different labels.
    """
    first: dict[str, tuple[SplitLines, int]] = {}
    across, contradicting, again = [], [], []
    for lines, index in _alike(files):
        earlier, place = first.setdefault(lines.paths[index], (lines, index))
        pair = (lines, index, earlier, place)
        if earlier is not lines:
            across.append(pair)
        elif lines.labels[index] != lines.labels[place]:
            contradicting.append(pair)
        elif index != place:
            again.append(pair)
    for pairs, rule in (
        (across, "a photo may be in one split alone"),
        (contradicting, "a photo has one label"),
    ):
        if pairs:
            lines, index, earlier, place = pairs[0]
            raise fault(
                lines.file,
                lines.line(index),
                f"{lines.paths[index]!r} is also in {earlier.file.name}, line "
                f"{earlier.line(place)}, and {rule}.{others(len(pairs))}",
            )
    if not again:
        return ()
    lines, index, _, place = again[0]
    note = fault(
        lines.file,
        lines.line(index),
        f"the photo of line {lines.line(place)} again, which counts twice.{others(len(again))}",
    )
    return (note.message,)


def _alike(files: list[SplitLines]) -> Iterator[tuple[SplitLines, int]]:
    """The photos, in their order, whose path is that of another one."""
    alike = _repeated([lines.keys for lines in files])
    if any(map(len, alike)):
        paths = [lines.paths.take(indices) for lines, indices in zip(files, alike, strict=True)]
        surely = _repeated([whole_keys(column) for column in paths])
        for lines, indices, chosen in zip(files, alike, surely, strict=True):
            for index in indices[chosen]:
                yield lines, int(index)


def _repeated(columns: list[NDArray[np.uint64]]) -> list[NDArray[np.int64]]:
    """For each column the indices of the values that stand more than once in all of them."""
    ordered = np.concatenate(columns)
    ordered.sort()
    repeated = ordered[1:][ordered[1:] == ordered[:-1]]
    return [np.flatnonzero(np.isin(column, repeated)) for column in columns]
