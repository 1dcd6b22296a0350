"""The family of a genus: from families.csv of the package, and from a table of the user's.

families.csv holds the genera of the six thousand species that Heredia (2017) published, in the
families that stand there; recipes/families.py makes it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from plant_classification.errors import SettingsError
from plant_classification.files import decoded
from plant_classification.taxonomy.names import Name, parse_name
from plant_classification.taxonomy.tables import read_table

FAMILIES = Path(__file__).with_name("families.csv")
COLUMNS = ("genus", "family")


def load_families(extra: Path | None = None) -> Mapping[str, str]:
    """The family of each genus that is known.

    Args:
        extra: A table with the columns ``genus`` and ``family``, in UTF-8, which wins over the
            package's own; it is read anew each time.

    Raises:
        SettingsError: ``extra`` cannot be read or has a fault, with file and line.
    """
    if extra is None:
        return _own_families()
    try:
        return MappingProxyType({**_own_families(), **_read_file(extra)})
    except OSError as error:
        raise SettingsError(
            f"{extra}, the table of families, cannot be read: {error.strerror}.", field="families"
        ) from None
    except ValueError as error:
        raise SettingsError(str(error), field="families") from None


def read_families(text: str, source: str) -> dict[str, str]:
    """Read a table of families.

    Args:
        text: The content; other columns than ``genus`` and ``family`` are passed over.
        source: What the file is called in messages.

    Raises:
        ValueError: A fault, with file and line; a genus with two families is one.
    """
    families: dict[str, str] = {}

    def add(row: dict[str, str]) -> None:
        name, family = (row[column].strip() for column in COLUMNS)
        if not name or not family:
            raise ValueError("the line lacks a genus or its family.")
        genus = parse_name(name).genus
        if parse_name(name) != Name(genus, None):
            raise ValueError(f"{name!r} is more than the name of a genus.")
        if families.setdefault(genus, family) != family:
            raise ValueError(f"{genus} is in {families[genus]} by an earlier line, not {family}.")

    read_table(text, source, COLUMNS, add)
    return families


def family_of(name: str | Name, families: Mapping[str, str]) -> str | None:
    """The family of a genus, a species or a hybrid.

    Args:
        name: A scientific name or a genus. A hybrid formula has a family if all genera that it
            names are of that one.
        families: The family of each genus.

    Returns:
        None where it is unknown.

    Raises:
        ValueError: The name cannot be read.
    """
    parsed = parse_name(name) if isinstance(name, str) else name
    found = {families.get(genus) for genus in parsed.genera}
    return found.pop() if len(found) == 1 else None


@functools.cache
def _own_families() -> Mapping[str, str]:
    return MappingProxyType(_read_file(FAMILIES))


def _read_file(path: Path) -> dict[str, str]:
    return read_families(decoded(path.read_bytes(), str(path)), str(path))
