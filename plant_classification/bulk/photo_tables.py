"""Tables that name a photo in each row, CSV or Parquet, read row by row."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from plant_classification.data.files import fault, open_file
from plant_classification.data.parquet import PARQUET, from_parquet
from plant_classification.data.tables import COLUMNS
from plant_classification.errors import ArgumentError, DatasetError
from plant_classification.files import NOT_UTF8
from plant_classification.question import ORGANS
from plant_classification.taxonomy.tables import delimiter_of

PHOTO_COLUMNS = (*COLUMNS["path"], "url", "identifier", "accessuri", "address")
"""Columns that hold a photo where none is named, in small or capital letters."""

ORGAN = "organ"
TEXT_TYPES = ("string", "large_string", "string_view", "int", "uint", "dictionary<values=string")
ROWS_AT_ONCE = 4096
MOST_FIELD_CHARACTERS = 1 << 30
"""A ``data:`` URI is a whole photo."""


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
    asked = [*filter(None, (column, by)), *PHOTO_COLUMNS]
    header = _parquet_header(file) if _is_parquet(file) else _text_header(file, asked)
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
    wanted = [column or known[0], by or "", names.get(ORGAN, "")]
    for name in filter(None, wanted):
        if header.count(name) > 1:
            raise DatasetError(f"{file} has two columns {name!r}; rename one.")
    rows = _of_parquet(file, wanted) if _is_parquet(file) else _of_text(file, asked, wanted)
    for number, (photo, group, shown) in rows:
        organ = shown.lower()
        if organ and organ not in ORGANS:
            raise _fault(
                file, number, f"{ORGAN} must be among {', '.join(ORGANS)}, not {organ!r:.50}."
            )
        if photo and by and not group:
            raise _fault(file, number, f"{by} is empty: there is nothing to group the photo by.")
        if photo:
            yield PhotoRow(photo, group, organ)


_Rows = Iterator[tuple[int, Sequence[str]]]
"""The number of each line or row, and the texts of the columns that are wanted."""


def _is_parquet(file: Path) -> bool:
    return file.suffix.lower() == PARQUET


def _fault(file: Path, number: int, rule: str) -> DatasetError:
    if _is_parquet(file):
        return DatasetError(f"{file}, row {number}: {rule}")
    return fault(file, number, rule)


def _parquet_header(file: Path) -> list[str]:
    return list(map(str, from_parquet(file, "read_schema").names))


def _of_parquet(file: Path, wanted: Sequence[str]) -> _Rows:
    table = from_parquet(file, "ParquetFile")
    columns = [name for name in wanted if name]
    for name in columns:
        kind = str(table.schema_arrow.field(name).type)
        if not kind.startswith(TEXT_TYPES):
            raise DatasetError(f"{file}: the column {name!r} must hold text; it holds {kind:.50}.")
    number = 0
    try:
        for batch in table.iter_batches(ROWS_AT_ONCE, columns=columns):
            for row in batch.to_pylist():
                number += 1
                values = (row.get(name) for name in wanted)
                yield number, ["" if one is None else str(one).strip() for one in values]
    except (ValueError, OSError) as error:
        raise DatasetError(
            f"{file}, after row {number}: it cannot be read as Parquet: {str(error).rstrip('.')}."
        ) from None


def _text_header(file: Path, known: Sequence[str]) -> list[str]:
    for _, fields in _fields(file, known):
        return fields
    raise DatasetError(f"{file} is empty; its first line must name the columns.")


def _of_text(file: Path, known: Sequence[str], wanted: Sequence[str]) -> _Rows:
    lines = _fields(file, known)
    _, header = next(lines)
    places = [header.index(name) if name else None for name in wanted]
    for number, fields in lines:
        if len(fields) != len(header):
            raise fault(
                file,
                number,
                f"the line has not as many fields as the first line: {len(fields)}, "
                f"not {len(header)}.",
            )
        yield number, ["" if place is None else fields[place].strip() for place in places]


def _fields(file: Path, known: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """The fields of each line that is not blank, with its number; ``known`` are some columns."""
    number = 0

    def texts() -> Iterator[str]:
        nonlocal number
        with open_file(file) as (opened, _):
            for number, line in enumerate(opened, 1):
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")

    csv.field_size_limit(MOST_FIELD_CHARACTERS)
    lines = texts()
    try:
        first = next(lines, "")
        reader = csv.reader(
            itertools.chain([first], lines),
            delimiter=delimiter_of(first, known),
            strict=True,
        )
        for fields in reader:
            if fields:
                yield reader.line_num, fields
    except UnicodeDecodeError:
        raise fault(file, number, NOT_UTF8) from None
    except csv.Error as error:
        raise fault(file, number, f"{error}.") from None
