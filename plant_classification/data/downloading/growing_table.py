"""A table (CSV) that grows by whole rows, and is right whenever its process ends.

Its fields come from strangers: control characters become blanks, so that a row is a line, and what
a spreadsheet would take for a formula stands behind an apostrophe (CWE-1236).
"""

from __future__ import annotations

import contextlib
import csv
import io
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from plant_classification.errors import DatasetError
from plant_classification.files import remove_partials, replacing

FORMULA = ("=", "+", "-", "@")
MOST_CHARACTERS = 10_000
"""Of a field; the readers of CSV have a limit too."""

Row = Mapping[str, str]


class GrowingTable:
    """A table that is open for more rows; :func:`open_table` makes it."""

    def __init__(self, columns: Sequence[str], descriptor: int) -> None:
        self._columns = columns
        self._descriptor = descriptor

    def append(self, row: Row) -> None:
        """Add a row, whole.

        Raises:
            OSError: It cannot be written.
        """
        line = _line([_plain(row[column]) for column in self._columns])
        rest = memoryview(line.encode("utf-8", "replace"))
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]


@contextlib.contextmanager
def open_table(
    path: Path, columns: Sequence[str], keep: Callable[[Row], bool]
) -> Iterator[GrowingTable]:
    """Open a table, made if it is not there, to add rows.

    Args:
        path: The file.
        columns: Their names, which the first line of one that is there must hold.
        keep: Told each row that is there, says whether it stays. One that is not whole goes.

    Raises:
        DatasetError: Another table is there.
        OSError: It cannot be read or written.
    """
    remove_partials(path)
    with replacing(path) as partial, partial.open("w", encoding="utf-8", newline="") as rewritten:
        rewritten.write(_line(columns))
        if path.exists():
            rewritten.writelines(_kept(path, columns, keep))
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        yield GrowingTable(columns, descriptor)
    finally:
        os.close(descriptor)


def _kept(path: Path, columns: Sequence[str], keep: Callable[[Row], bool]) -> Iterator[str]:
    """The lines of a table that stay."""
    with path.open(encoding="utf-8", errors="replace", newline="\n") as there:
        if there.readline() != _line(columns):
            raise DatasetError(
                f"{path} is there, and is not the table of a download; "
                "choose another folder, or move it away."
            )
        for line in there:
            row = _row(line, columns)
            if row is not None and keep(row):
                yield line


def _row(line: str, columns: Sequence[str]) -> Row | None:
    """The row that a line holds; None for one that was cut, or written by another hand."""
    if not line.endswith("\n") or "\0" in line:
        return None
    try:
        (fields,) = csv.reader([line], strict=True)
        return dict(zip(columns, fields, strict=True))
    except (csv.Error, ValueError):
        return None


def _line(fields: Sequence[str]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerow(fields)
    return text.getvalue()


def _plain(text: str) -> str:
    plain = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", text).strip()[:MOST_CHARACTERS]
    return "'" + plain if plain.startswith(FORMULA) else plain
