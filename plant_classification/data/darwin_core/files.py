"""The files of a Darwin Core archive, a folder or a .zip: their rows as they come.

Without a ``meta.xml`` the files have the names that GBIF gives them, tabs part their fields,
and their first line names the columns.
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import io
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, TypeAlias, cast

from plant_classification.data.darwin_core.meta import ID, TableDescription, read_meta
from plant_classification.errors import DatasetError

META = "meta.xml"
OCCURRENCES, MEDIA = "occurrence.txt", "multimedia.txt"
NAMESPACE = b"http://rs.tdwg.org/dwc/text/"
CORE_ROWS = ("/Occurrence",)
MEDIA_ROWS = ("/Multimedia", "/Image")
ID_COLUMNS = (ID, "coreid", "gbifid", "occurrenceid")

MOST_META_BYTES = 1_000_000
MOST_LINE_CHARACTERS = 1_000_000

_FAULTS = (OSError, zipfile.BadZipFile, zlib.error, RuntimeError, EOFError)
"""What reading may raise; ``RuntimeError`` where a .zip has a password or an odd compression."""

_Open: TypeAlias = Callable[[str], "BinaryIO | None"]
"""Opens a file of the archive by its name; None where it is not there."""


@dataclasses.dataclass(frozen=True)
class Table:
    """A table whose rows can be read again and again, while its archive is open.

    Attributes:
        shown: What its file is called in messages.
    """

    shown: str
    _description: TableDescription
    _open: _Open

    def rows(self, columns: Sequence[str]) -> Iterator[list[str]]:
        """The fields of some columns, row by row.

        Args:
            columns: Terms in lower case; ``id`` is what the tables are joined by. One that is not
                there is empty in each row.

        Raises:
            DatasetError: A fault, with file and line.
        """
        described = self._description
        places = [
            (described.columns.get(column, -1), described.constants.get(column, ""))
            for column in columns
        ]
        needed = max(place for place, _ in places) + 1
        line = described.header_lines
        try:
            for line, fields in self._lines():
                if len(fields) < needed:
                    raise DatasetError(
                        f"{self.shown}, line {line}: there are {len(fields)} fields, and not "
                        f"{needed} or more; get the archive again."
                    )
                yield [same if place < 0 else fields[place].strip() for place, same in places]
        except (csv.Error, ValueError, *_FAULTS) as fault:
            raise _damaged(f"{self.shown}, after line {line},", fault) from None

    def _lines(self) -> Iterator[tuple[int, list[str]]]:
        """Each line that is not blank, with its number from one up."""
        described = self._description
        with _text(self._open, described) as text:
            lines = _bounded(text)
            for _ in range(described.header_lines):
                next(lines, None)
            if described.quote:
                reader = csv.reader(
                    lines, delimiter=described.delimiter, quotechar=described.quote, strict=True
                )
                for fields in reader:
                    if fields:
                        yield described.header_lines + reader.line_num, fields
            else:
                for number, line in enumerate(lines, described.header_lines + 1):
                    if bare := line.rstrip("\r\n"):
                        yield number, bare.split(described.delimiter)


def is_archive(path: Path) -> bool:
    """Whether a folder or .zip has the files of a Darwin Core archive."""
    try:
        with _opened(path) as open_file:
            if meta := open_file(META):
                with meta:
                    return NAMESPACE in meta.read(MOST_META_BYTES)
            for name in (OCCURRENCES, MEDIA):
                file = open_file(name)
                if file is None:
                    return False
                file.close()
            return True
    except _FAULTS:
        return False


@contextlib.contextmanager
def opened_tables(path: Path) -> Iterator[tuple[Table, Table]]:
    """The tables of an archive: its occurrences, and their media.

    Raises:
        DatasetError: It cannot be read, or has no such tables.
    """
    with contextlib.ExitStack() as held:
        try:
            open_file = held.enter_context(_opened(path))
            described = _described(open_file, path)
        except (ValueError, *_FAULTS) as fault:
            raise _damaged(str(path), fault) from None
        core, media = (Table(f"{path}, {one.file}", one, open_file) for one in described)
        yield core, media


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[_Open]:
    if path.is_dir():
        yield lambda name: (path / name).open("rb") if (path / name).is_file() else None
        return
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        # Some wrap the whole archive into a folder.
        marks = [name for name in names if name.rpartition("/")[2] in (META, MEDIA)]
        shallowest = min(marks, key=lambda name: (name.count("/"), name), default="")
        prefix = shallowest[: shallowest.rfind("/") + 1]

        def open_file(name: str) -> BinaryIO | None:
            inside = prefix + name
            return cast("BinaryIO", archive.open(inside)) if inside in names else None

        yield open_file


def _described(open_file: _Open, path: Path) -> list[TableDescription]:
    """The description of the occurrences, and that of their media."""
    meta = open_file(META)
    if meta is None:
        return [_from_header(open_file, name, path) for name in (OCCURRENCES, MEDIA)]
    with meta:
        tables = read_meta(meta.read(MOST_META_BYTES), f"{path}, {META}")
    found = []
    for rows, what in ((CORE_ROWS, "occurrences"), (MEDIA_ROWS, "their photos")):
        described = [table for table in tables if table.row_type.endswith(rows) and table.file]
        if not described:
            raise DatasetError(
                f"{path}, {META}: it names no table of {what}; at GBIF, choose the download "
                "'Darwin Core Archive' of occurrences with images."
            )
        found.append(described[0])
    return found


def _from_header(open_file: _Open, name: str, path: Path) -> TableDescription:
    described = TableDescription(file=name)
    with _text(open_file, described) as text:
        header = next(_bounded(text), "").rstrip("\r\n").lower().split(described.delimiter)
    described.columns = {column.strip(): place for place, column in enumerate(header)}
    found = next((column for column in ID_COLUMNS if column in described.columns), None)
    if found is None:
        raise DatasetError(
            f"{path}, {name}, line 1: there is no column gbifID, coreid, id or occurrenceID, "
            "parted by tabs from the others."
        )
    described.columns[ID] = described.columns[found]
    return described


def _text(open_file: _Open, described: TableDescription) -> io.TextIOWrapper:
    file = open_file(described.file)
    if file is None:
        raise FileNotFoundError(f"there is no {described.file}")
    return io.TextIOWrapper(file, described.encoding, newline="\n")


def _bounded(text: io.TextIOWrapper) -> Iterator[str]:
    while line := text.readline(MOST_LINE_CHARACTERS):
        if len(line) == MOST_LINE_CHARACTERS:
            raise ValueError(f"a line has more than {MOST_LINE_CHARACTERS:,} characters")
        yield line


def _damaged(shown: str, fault: Exception) -> DatasetError:
    if isinstance(fault, UnicodeDecodeError):
        words = f"it is not {fault.encoding}"
    else:
        words = getattr(fault, "strerror", None) or str(fault)
    return DatasetError(f"{shown} cannot be read: {words}; get the archive again.")
