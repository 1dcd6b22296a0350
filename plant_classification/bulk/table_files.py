"""The table of all rows: CSV, JSON lines or Parquet."""

from __future__ import annotations

import csv
import importlib
import itertools
import json
import os
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from plant_classification.bulk.rows import COLUMNS, LISTS, Row
from plant_classification.data.parquet import PARQUET
from plant_classification.errors import ArgumentError
from plant_classification.files import replacing

CSV, JSON_LINES = ".csv", ".jsonl"
FORMATS = (CSV, JSON_LINES, PARQUET)
SEPARATOR = "|"
"""Between the values of a list in one field of CSV, as Darwin Core recommends."""

ROWS_AT_ONCE = 10_000
MOST_NAME_BYTES = 220
"""So that the names of what is written first are no longer than a file system allows."""


def check_format(out: Path) -> None:
    """Judge the name of a table, before anything is done for it.

    Raises:
        ArgumentError: Another ending than those that there are, no such folder, or pyarrow is
            missing.
    """
    suffix = out.suffix.lower()
    if suffix not in FORMATS:
        raise ArgumentError(
            f"The table's name must end in {CSV}, {JSON_LINES} or {PARQUET}: {out.name!r} came.",
            field="out",
        )
    if len(os.fsencode(out.name)) > MOST_NAME_BYTES:
        raise ArgumentError(f"{out.name} is too long a name for a table.", field="out")
    if not out.parent.is_dir():
        raise ArgumentError(f"{out.parent} is no folder that {out.name} can be in.", field="out")
    if out.is_dir():
        raise ArgumentError(f"{out} is a folder: give a file in it.", field="out")
    if suffix == PARQUET and not find_spec("pyarrow"):
        raise ArgumentError(
            f"{out.name} needs pyarrow: pip install 'plant-classification[fast]'.", field="out"
        )


def write_table(out: Path, rows: Iterable[Row], columns: Mapping[str, type] = COLUMNS) -> None:
    """Write a table, whole or not at all; one that is there is replaced.

    Args:
        out: Its ending says how.
        rows: In their order, taken one by one.
        columns: Their names and types, one of those in ``COLUMNS``.

    Raises:
        OSError: It cannot be written.
    """
    write = {CSV: _write_csv, JSON_LINES: _write_json_lines, PARQUET: _write_parquet}
    with replacing(out) as partial:
        write[out.suffix.lower()](partial, rows, columns)


def _write_json_lines(file: Path, rows: Iterable[Row], _columns: Mapping[str, type]) -> None:
    with file.open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _write_csv(file: Path, rows: Iterable[Row], columns: Mapping[str, type]) -> None:
    with file.open("w", encoding="utf-8", newline="") as text:
        table = csv.writer(text)
        table.writerow(columns)
        table.writerows([_field(row[column]) for column in columns] for row in rows)


def _field(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.6g}"
    return SEPARATOR.join(str(_field(one)) for one in value) if isinstance(value, list) else value


def _write_parquet(file: Path, rows: Iterable[Row], columns: Mapping[str, type]) -> None:
    arrow = importlib.import_module("pyarrow")
    parquet = importlib.import_module("pyarrow.parquet")
    kinds = {str: arrow.string(), float: arrow.float64(), bool: arrow.bool_()}
    kinds |= {kind: arrow.list_(kinds[of]) for kind, of in LISTS.items()}
    schema = arrow.schema([(column, kinds[kind]) for column, kind in columns.items()])
    taken = iter(rows)
    with parquet.ParquetWriter(file, schema) as table:
        while block := list(itertools.islice(taken, ROWS_AT_ONCE)):
            table.write_table(arrow.Table.from_pylist(block, schema=schema))
