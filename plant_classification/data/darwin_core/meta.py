"""meta.xml of a Darwin Core archive: which file is which table, and which column holds what.

Darwin Core Text Guide, TDWG 2023. The file comes from strangers: a document type is refused, and
with it any entity, and a table's file is a plain name.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from xml.parsers import expat  # nosec B407

from plant_classification.errors import DatasetError

ID = "id"
"""The column that tables are joined by."""

MOST_COLUMNS = 10_000


@dataclasses.dataclass
class TableDescription:
    """How a table is written.

    Attributes:
        row_type: What a row is, as an IRI; empty where it is not said.
        delimiter: What parts the fields.
        quote: What may enclose a field; empty for nothing.
        encoding: Of the text.
        header_lines: Lines before the first row.
        file: Name of its file, in the archive.
        columns: Place of each column from zero up, by the last part of its term in lower case.
        constants: What is the same in all rows, likewise.
    """

    row_type: str = ""
    delimiter: str = "\t"
    quote: str = ""
    encoding: str = "utf-8-sig"
    header_lines: int = 1
    file: str = ""
    columns: dict[str, int] = dataclasses.field(default_factory=dict)
    constants: dict[str, str] = dataclasses.field(default_factory=dict)


def read_meta(content: bytes, shown: str) -> list[TableDescription]:
    """The tables that a meta.xml describes.

    Args:
        content: The file.
        shown: What it is called in messages.

    Raises:
        DatasetError: A fault, with its line.
    """
    tables: list[TableDescription] = []
    words: list[str] = []

    def start(name: str, told: Mapping[str, str]) -> None:
        words.clear()
        tag = _tag(name)
        if tag in ("core", "extension"):
            tables.append(_described(told))
        elif tag in ("id", "coreid", "field") and tables:
            _add_column(tables[-1], told.get("term", "") if tag == "field" else ID, told)

    def end(name: str) -> None:
        if _tag(name) == "location" and tables and not tables[-1].file:
            tables[-1].file = _plain_name("".join(words).strip())

    def refuse(*_: object) -> None:
        raise ValueError("a document type is not read")

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = words.append
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, ValueError, LookupError) as fault:
        line = parser.CurrentLineNumber
        raise DatasetError(f"{shown}, line {line}: {fault}; get the archive again.") from None
    return tables


def _tag(name: str) -> str:
    return name.rpartition(" ")[2]


def _plain_name(location: str) -> str:
    if location in ("", ".", "..") or set("/\\\0") & set(location):
        raise ValueError(f"{location!r} is not the name of a file in the archive")
    return location


def _described(told: Mapping[str, str]) -> TableDescription:
    """What the attributes of a table say, with the defaults of the Text Guide."""
    delimiter = told.get("fieldsTerminatedBy", ",").replace("\\t", "\t")
    quote = told.get("fieldsEnclosedBy", '"')
    encoding = told.get("encoding", "utf-8").lower()
    if len(delimiter) != 1 or len(quote) > 1:
        raise ValueError(f"fields parted by {delimiter!r} or enclosed by {quote!r} are not read")
    "".encode(encoding)  # raises LookupError for one that is not known
    return TableDescription(
        told.get("rowType", ""),
        delimiter,
        quote,
        "utf-8-sig" if encoding in ("utf-8", "utf8") else encoding,
        int(told.get("ignoreHeaderLines") or 0),
    )


def _add_column(table: TableDescription, term: str, told: Mapping[str, str]) -> None:
    name = term.rpartition("/")[2].lower()
    if told.get("index"):
        place = int(told["index"])
        if not 0 <= place < MOST_COLUMNS:
            raise ValueError(f"{place} is not the place of a column")
        table.columns.setdefault(name, place)
    elif "default" in told:
        table.constants.setdefault(name, told["default"])
