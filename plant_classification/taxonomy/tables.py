"""Tables (CSV) that people write and extend: a fault is told with its file and line."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Collection, Sequence

DELIMITERS = ",\t;"
"""What parts columns: spreadsheets of half of Europe write semicolons."""

MOST_HEADER_CHARACTERS = 1 << 16


def delimiter_of(head: str, columns: Collection[str]) -> str:
    """What parts the names of the columns: that by which most are known, else the most frequent.

    Args:
        head: The first line of a table, or more of it.
        columns: Names that are known, in small or capital letters.
    """
    known = {column.strip().lower() for column in columns}

    def known_by(delimiter: str) -> int:
        try:
            fields = next(csv.reader(io.StringIO(head, newline=""), delimiter=delimiter), [])
        except csv.Error:
            return 0
        return len(known & {field.strip().lower() for field in fields})

    first = head.partition("\n")[0]
    return max(DELIMITERS, key=lambda delimiter: (known_by(delimiter), first.count(delimiter)))


def read_table(
    text: str, source: str, columns: Sequence[str], use: Callable[[dict[str, str]], object]
) -> None:
    """Hand each row of a table to a function; blank lines are skipped.

    Args:
        text: The content; its first line names the columns. A byte order mark is no part of it.
        source: What the file is called in messages.
        columns: Those that must be there.
        use: Takes a row, by column; its ``ValueError`` is told with file and line.

    Raises:
        ValueError: A fault, with file and line.
    """
    lines = io.StringIO(text.removeprefix("\ufeff"), newline="")
    delimiter = delimiter_of(lines.read(MOST_HEADER_CHARACTERS), columns)
    lines.seek(0)
    rows = csv.reader(lines, delimiter=delimiter, strict=True)
    line = 1
    try:
        header = next(rows, [])
        for column in columns:
            if column not in header:
                raise ValueError(
                    f"there is no column {column!r}; the first line names the columns, "
                    "parted by commas, semicolons or tabs."
                )
        line = rows.line_num + 1
        for fields in rows:
            if fields:
                if len(fields) != len(header):
                    raise ValueError(
                        f"the line has not as many fields as the first line: {len(fields)}, "
                        f"not {len(header)}."
                    )
                use(dict(zip(header, fields, strict=True)))
            line = rows.line_num + 1
    except (ValueError, csv.Error) as error:
        raise ValueError(f"{source}, line {line}: {error}") from None
