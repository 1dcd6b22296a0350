"""Tables that name a photo in each row, CSV or Parquet, read row by row."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from plant_classification.data.files import fault, open_file
from plant_classification.data.parquet import PARQUET, from_parquet
from plant_classification.errors import ArgumentError, DatasetError
from plant_classification.question import ORGANS

TABLES = frozenset((".csv", ".tsv", PARQUET))
PHOTO_COLUMNS = (
    "path", "file", "filename", "image", "photo", "url", "identifier", "accessuri", "address",
)  # fmt: skip
"""Columns that hold a photo where none is named, in small or capital letters."""

ORGAN = "organ"
DELIMITERS = ",\t;"


class PhotoRow(NamedTuple):
    """A photo as a table has it: path or address, group and organ; empty where there is none."""

    photo: str
    group: str
    organ: str


def photos_of_table(file: Path, column: str | None, by: str | None) -> Iterator[PhotoRow]:
    """The rows that name a photo.

    Args:
        file: ``.csv``, ``.tsv`` (with commas, tabs or semicolons) or ``.parquet``.
        column: That with paths or addresses; None: the first of ``PHOTO_COLUMNS`` that is there.
        by: That with the name of each photo's group, or None.

    Raises:
        ArgumentError: There is no such column.
        DatasetError: The file cannot be read, or a row not be used: with line or row.
    """
    header, rows = _of_parquet(file) if _is_parquet(file) else _of_text(file)
    names = {name.strip().lower(): name for name in reversed(header)}
    known = [names[name] for name in PHOTO_COLUMNS if name in names]
    for name, field in ((column, "column"), (by, "by")):
        if name and name not in header:
            raise ArgumentError(
                f"{file} has no column {name!r}; it has: {', '.join(header)}.", field=field
            )
    if not column and not known:
        raise ArgumentError(
            f"{file} has none of the columns {', '.join(PHOTO_COLUMNS)}: say which of its own "
            f"holds the photos: {', '.join(header)}.",
            field="column",
        )
    photo_column = column or known[0]
    for number, row in rows:
        photo, group = (row.get(name or "", "").strip() for name in (photo_column, by))
        organ = row.get(names.get(ORGAN, ""), "").strip().lower()
        if organ and organ not in ORGANS:
            raise _fault(file, number, f"{organ!r:.50} is no organ: {', '.join(ORGANS)}.")
        if photo and by and not group:
            raise _fault(file, number, f"{by} is empty: there is nothing to group the photo by.")
        if photo:
            yield PhotoRow(photo, group, organ)


_Rows = tuple[Sequence[str], Iterator[tuple[int, Mapping[str, str]]]]
"""The names of the columns; the number of each line or row, and its texts."""


def _is_parquet(file: Path) -> bool:
    return file.suffix.lower() == PARQUET


def _fault(file: Path, number: int, rule: str) -> DatasetError:
    if _is_parquet(file):
        return DatasetError(f"{file}, row {number}: {rule}")
    return fault(file, number, rule)


def _of_parquet(file: Path) -> _Rows:
    table = from_parquet(file, "ParquetFile")
    rows = (row for batch in table.iter_batches() for row in batch.to_pylist())
    texts = (
        {name: "" if value is None else str(value) for name, value in row.items()} for row in rows
    )
    return list(map(str, table.schema_arrow.names)), enumerate(texts, 1)


def _of_text(file: Path) -> _Rows:
    lines = _fields(file)
    _, header = next(lines, (1, []))

    def rows() -> Iterator[tuple[int, Mapping[str, str]]]:
        for number, fields in lines:
            if len(fields) != len(header):
                raise fault(
                    file,
                    number,
                    f"the line has not as many fields as the first line: {len(fields)}, "
                    f"not {len(header)}.",
                )
            yield number, dict(zip(header, fields, strict=True))

    return header, rows()


def _fields(file: Path) -> Iterator[tuple[int, list[str]]]:
    """The fields of each line that is not blank, with its number."""
    number = 0

    def texts() -> Iterator[str]:
        nonlocal number
        with open_file(file) as (opened, _):
            for number, line in enumerate(opened, 1):
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")

    lines = texts()
    try:
        first = next(lines, "")
        delimiter = max(DELIMITERS, key=first.count)
        reader = csv.reader(itertools.chain([first], lines), delimiter=delimiter, strict=True)
        for fields in reader:
            if fields:
                yield reader.line_num, fields
    except UnicodeDecodeError:
        raise fault(file, number, "not UTF-8; convert the file.") from None
    except csv.Error as error:
        raise fault(file, number, f"{error}.") from None
