"""Tables with a row for each photo: CSV or Parquet, with named columns.

One column must hold the path of a photo and one its label; ``organ``, ``observation``, ``source``,
``split``, ``genus`` and ``family`` are used where they are there. Labels stand in the order of
their names.
"""

from __future__ import annotations

import csv
import dataclasses
import posixpath
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from plant_classification.data.files import (
    fault,
    find_images,
    leaves_folder,
    list_folder,
    open_file,
    read_text,
)
from plant_classification.data.parquet import PARQUET, from_parquet
from plant_classification.data.records import TRAIN, Dataset, Records
from plant_classification.data.species_folders import SPLIT_NAMES
from plant_classification.errors import DatasetError
from plant_classification.taxonomy import Label, family_of, label_of, listed
from plant_classification.taxonomy.tables import delimiter_of, read_table

CSV = ".csv"
COLUMNS = {
    "path": ("path", "file", "filename", "image", "photo"),
    "label": ("label", "species", "name"),
    **{name: (name,) for name in ("organ", "observation", "source", "split", "genus", "family")},
}
"""What columns may be called, in small or capital letters; the first that is there is taken."""

KNOWN = frozenset(name for names in COLUMNS.values() for name in names)
NEEDED = ("path", "label")
MOST_HEADER_BYTES = 1 << 16


class Row(NamedTuple):
    """A photo as the table has it; what is unknown is empty."""

    path: str
    label: str
    organ: str
    observation: str
    source: str
    split: str
    genus: str
    family: str


def is_table(path: Path) -> bool:
    """Whether there is a table, or a folder with one that has the columns it needs.

    Raises:
        DatasetError: The folder has several.
    """
    return _find(path) is not None


def read_photo_table(path: Path, images: str | None, families: Mapping[str, str]) -> Dataset:
    """Read and check a table; whether the photos are there is not looked at.

    Args:
        path: The table, or the folder with it.
        images: The folder that the paths start from, relative to that of the table; None: it is
            looked for.
        families: The family of each genus.

    Raises:
        DatasetError: The table cannot be read or used: with line or row.
        ArgumentError: ``images`` is no folder inside that of the table.
    """
    file = _find(path) or path
    photos = _Photos()
    if file.suffix.lower() == PARQUET:
        _read_parquet(file, photos)
    else:
        _read_csv(file, photos)
    by_split: dict[str, list[Row]] = {}
    for row in photos.rows:
        by_split.setdefault(row.split, []).append(row)
    if TRAIN not in by_split:
        raise DatasetError(f"{file} names no photo to train on.")
    root = find_images(file.parent, images, [row.path for row in by_split[TRAIN]], file)
    names = sorted(photos.taxa)
    indices = {name: index for index, name in enumerate(names)}
    again = f"Rows of {file.name} that name a photo again: {photos.again:,}."
    return Dataset(
        folder=path,
        kind="a table",
        labels=tuple(_with_family(photos.taxa[name], families) for name in names),
        splits={
            split: Records(
                root,
                [row.path for row in rows],
                np.array([indices[row.label] for row in rows], np.int32),
                _column(row.organ for row in rows),
                _column(row.observation for row in rows),
                _column(row.source for row in rows),
            )
            for split, rows in by_split.items()
        },
        notes=(again,) if photos.again else (),
    )


class _Photos:
    """The rows that have been read; a row that cannot be used is a ``ValueError``."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.taxa: dict[str, Label] = {}
        self.again = 0
        self._first: dict[str, Row] = {}

    def add(self, row: Row) -> None:
        if not row.path or not row.label:
            raise ValueError("the path or the label is empty.")
        if leaves_folder(row.path):
            raise ValueError(
                f"the path {row.path!r:.100} must be relative and stay in the folder of photos."
            )
        split = SPLIT_NAMES.get(row.split.lower())
        if split is None:
            raise ValueError(f"{row.split!r:.100} is no split: there are {', '.join(SPLIT_NAMES)}.")
        row = row._replace(split=split)
        first = self._first.setdefault(posixpath.normpath(row.path), row)
        if (first.label, first.split) != (row.label, row.split):
            raise ValueError(
                f"{row.path!r} is {first.label!r} for {first.split} by an earlier row, "
                f"not {row.label!r} for {row.split}."
            )
        self._add_taxon(row)
        self.again += first is not row
        self.rows.append(row)

    def _add_taxon(self, row: Row) -> None:
        known = self.taxa.get(row.label)
        if known is None:
            known = label_of(row.label)
            known = dataclasses.replace(known, genus=row.genus or known.genus)
        family = known.family or row.family or None
        if row.genus not in ("", known.genus) or row.family not in ("", family):
            raise ValueError(
                f"{row.label} is of {known.genus}, {family}, by an earlier row, "
                f"not of {row.genus or known.genus}, {row.family or family}."
            )
        if family != known.family:
            known = dataclasses.replace(known, family=family)
        self.taxa[row.label] = known


def _find(path: Path) -> Path | None:
    if path.is_file():
        return path if path.suffix.lower() in (CSV, PARQUET) else None
    there = list_folder(path)
    names = [name for name in there.other_files if Path(name).suffix.lower() in (CSV, PARQUET)]
    tables = [path / name for name in names if _lists_photos(path / name, alone=not there.folders)]
    if len(tables) > 1:
        raise DatasetError(
            f"{path} holds {len(tables)} tables of photos, {listed([t.name for t in tables])}: "
            "name the one that is meant, make one of them (with a column 'split'), or move them "
            "away."
        )
    return tables[0] if tables else None


def _lists_photos(file: Path, *, alone: bool) -> bool:
    """Whether a file has the columns.

    Beside folders, which may be of species, one that cannot be read may be anything; and one that
    only looks alike, such as the photographers of the photos, is not taken for the data set.
    """
    try:
        header, delimiter = _header(file)
        called = _called(header)
        is_clear = alone or (
            called.get("path", "").strip().lower() != "photo" and delimiter in ("", ",")
        )
        return is_clear and called.keys() >= {*NEEDED}
    except DatasetError:
        if alone:
            raise
        return False


def _header(file: Path) -> tuple[Sequence[str], str]:
    """The names of the columns, and what parts them: nothing in Parquet."""
    if file.suffix.lower() == PARQUET:
        return list(map(str, from_parquet(file, "read_schema").names)), ""
    with open_file(file) as (opened, _):
        first = opened.readline(MOST_HEADER_BYTES).decode("utf-8-sig", "replace")
    delimiter = delimiter_of(first, KNOWN)
    try:
        return next(csv.reader([first], delimiter=delimiter), []), delimiter
    except csv.Error:
        return [], delimiter


def _called(header: Sequence[str]) -> dict[str, str]:
    """What each column that is known is called in a table."""
    by_name = {name.strip().lower(): name for name in reversed(header)}
    found = {
        column: [by_name[name] for name in names if name in by_name]
        for column, names in COLUMNS.items()
    }
    return {column: names[0] for column, names in found.items() if names}


def _needed(file: Path) -> dict[str, str]:
    header, _ = _header(file)
    called = _called(header)
    for column in NEEDED:
        if column not in called:
            raise ValueError(
                f"there is no column {' or '.join(COLUMNS[column])}; "
                f"the columns are: {', '.join(header)}."
            )
    return called


def _row(called: Mapping[str, str], values: Mapping[str, Any]) -> Row:
    """What is of no split is for training."""
    texts = {column: _text(values[name]) for column, name in called.items()}
    row = Row(**{column: texts.get(column, "") for column in Row._fields})
    return row._replace(split=row.split or TRAIN)


def _text(value: Any) -> str:
    if not isinstance(value, (str, int, type(None))):
        raise ValueError(f"there must be a text, not {type(value).__name__}.")
    return "" if value is None else str(value).strip()


def _read_csv(file: Path, photos: _Photos) -> None:
    text = read_text(file)
    try:
        called = _needed(file)
    except ValueError as error:
        raise fault(file, 1, str(error)) from None
    needed = [called[column] for column in NEEDED]
    try:
        read_table(text, str(file), needed, lambda values: photos.add(_row(called, values)))
    except ValueError as error:
        raise DatasetError(str(error)) from None


def _read_parquet(file: Path, photos: _Photos) -> None:
    try:
        called = _needed(file)
    except ValueError as error:
        raise DatasetError(f"{file}: {error}") from None
    table = from_parquet(file, "read_table", columns=list(called.values()))
    columns = [column.to_pylist() for column in table.columns]
    try:
        for values in zip(*columns, strict=True):
            photos.add(_row(called, dict(zip(table.column_names, values, strict=True))))
    except ValueError as error:
        raise DatasetError(f"{file}, row {len(photos.rows) + 1}: {error}") from None


def _with_family(label: Label, families: Mapping[str, str]) -> Label:
    return dataclasses.replace(label, family=label.family or family_of(label.name, families))


def _column(values: Iterable[str]) -> list[str | None] | None:
    known = [value or None for value in values]
    return known if any(known) else None
