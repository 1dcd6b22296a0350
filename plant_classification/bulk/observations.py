"""What is to be identified: photos in folders, tables and archives, grouped by plant.

The readers of tables and archives are loaded with the first one, for most runs have none.
"""

from __future__ import annotations

import dataclasses
import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from plant_classification.bulk.remote import is_remote, photos_at
from plant_classification.errors import ArgumentError, DatasetError
from plant_classification.photos.sources import DATA_OR_HTTP, PICTURE_SUFFIXES, is_address

STANDARD_INPUT = "-"
BY_FOLDER = "folder"
BYTE_ORDER_MARK = "\ufeff"
ZIP = ".zip"
TABLES = frozenset((".csv", ".tsv", ".parquet"))


@dataclasses.dataclass(frozen=True)
class Observation:
    """Photos of one plant.

    Attributes:
        name: What the answer is found by: the photo's path or address as given, the folder, the
            value of the column, or the occurrence's identifier.
        photos: Paths and addresses, at least one.
        organs: What each shows, where a table says so.
        fault: Why they cannot be looked at, where that is known already.
    """

    name: str
    photos: tuple[str, ...]
    organs: tuple[str, ...] | None = None
    fault: str | None = None


@dataclasses.dataclass(frozen=True)
class Grouping:
    """How photos become observations, and where tables have them.

    Attributes:
        by: ``"folder"``, the name of a column, or None: each photo is one.
        column: That of a table in which paths or addresses stand; None: it is looked for.
    """

    by: str | None = None
    column: str | None = None


def find(
    places: Sequence[str], grouping: Grouping, lines: Iterable[str] = ()
) -> Iterator[Observation]:
    """The observations of some places, in an order that is always the same.

    Args:
        places: Files, folders (and what is in their folders) and patterns such as
            ``park/**/*.jpg``, all three also in stores such as ``s3://``; http(s) addresses; tables
            (``.csv``, ``.tsv``, ``.parquet``); Darwin Core archives (a folder or a ``.zip``), whose
            observations are their occurrences; or ``-`` for ``lines``.
        grouping: How photos become observations.
        lines: A path or an address each.

    Raises:
        ArgumentError: There is no photo in any of them, a pattern fits nothing, or a place has no
            means for the grouping.
        DatasetError: A table or archive that cannot be read, with its line.
    """
    if grouping.column and not any(Path(place).suffix.lower() in TABLES for place in places):
        raise ArgumentError(
            f"There is no column {grouping.column!r} to find photos in: only tables have columns.",
            field="column",
        )
    groups: dict[str, list[str]] = {}
    found: Observation | str | None = None
    for place in places:
        for found in _of_place(place, grouping, lines):
            if isinstance(found, Observation):
                yield found
            elif grouping.by is None:
                yield Observation(found, (found,))
            else:
                groups.setdefault(_folder_of(found), []).append(found)
    if found is None:
        named = ["standard input" if place == STANDARD_INPUT else place for place in places]
        raise ArgumentError(
            f"No photo was found in {', '.join(named)}; the names of photos end in "
            f"{', '.join(sorted(PICTURE_SUFFIXES))}.",
            field="photos",
        )
    for folder, members in groups.items():
        yield Observation(folder, tuple(members))


def check_places(places: Sequence[str]) -> None:
    """See that what is named is there, before anything is done for it.

    Raises:
        ArgumentError: A file or folder that is not there.
    """
    for place in places:
        is_name = not (place == STANDARD_INPUT or is_address(place) or glob.has_magic(place))
        if is_name and not os.path.exists(place):  # noqa: PTH110 - a Path raises for a long name
            raise ArgumentError(f"{place} does not exist.", field="photos")


def _of_place(place: str, grouping: Grouping, lines: Iterable[str]) -> Iterator[Observation | str]:
    """Its observations; and single photos, which are still to be grouped."""
    suffix = Path(place).suffix.lower()
    is_folder = os.path.isdir(place)  # noqa: PTH112 - as above
    if place == STANDARD_INPUT:
        yield from _loose(_listed(lines), grouping)
    elif is_remote(place):
        yield from _loose(photos_at(place), grouping)
    elif DATA_OR_HTTP.match(place):
        yield from _loose([place], grouping)
    elif suffix == ZIP or (is_folder and _is_archive(place)):
        yield from _of_archive(Path(place), grouping)
    elif is_folder:
        yield from _of_folder(place, grouping, ())
    elif suffix in TABLES:
        yield from _of_table(Path(place), grouping)
    elif os.path.exists(place) or not glob.has_magic(place):  # noqa: PTH110 - as above
        yield from _loose([place], grouping)
    else:
        yield from _of_pattern(place, grouping)


def _listed(lines: Iterable[str]) -> Iterator[str]:
    named = (line.removeprefix(BYTE_ORDER_MARK).rstrip("\r\n") for line in lines)
    return (line for line in named if line)


def _loose(photos: Iterable[str], grouping: Grouping) -> Iterator[str]:
    if grouping.by not in (None, BY_FOLDER):
        raise ArgumentError(
            f"There is no column {grouping.by!r} to group photos by: only tables have columns. "
            f"Group them by {BY_FOLDER!r}, or give a table.",
            field="by",
        )
    yield from photos


def _folder_of(photo: str) -> str:
    """That of a path or an address; a ``data:`` URI is alone."""
    if is_address(photo):
        return photo.rpartition("/")[0] if "://" in photo else photo
    return str(Path(photo).parent)


def _of_pattern(pattern: str, grouping: Grouping) -> Iterator[Observation | str]:
    found = sorted(set(glob.glob(pattern, recursive=True)))  # noqa: PTH207 - also absolute ones
    photos = 0
    for name in found:
        if os.path.isdir(name):  # noqa: PTH112 - as above
            is_named = not glob.has_magic(os.path.basename(pattern))  # noqa: PTH119
            if "**" not in pattern or is_named:  # else the pattern fits what is in it, too
                photos += 1
                yield from _of_folder(name, grouping, ())
        elif is_picture(name):
            photos += 1
            yield from _loose([name], grouping)
    if not photos:
        raise ArgumentError(f"No photo fits the pattern {pattern!r}.", field="photos")


def _of_folder(
    folder: str, grouping: Grouping, above: tuple[tuple[int, int], ...]
) -> Iterator[Observation | str]:
    """All photos in it and in its folders; what cannot be listed is told as an observation."""
    try:
        status = os.stat(folder)  # noqa: PTH116 - as above
        with os.scandir(folder) as entries:
            names = sorted((one.name, _is_folder(one)) for one in entries)
    except OSError as error:
        yield Observation(folder, (folder,), fault=f"{folder} cannot be read: {error.strerror}.")
        return
    here = (status.st_dev, status.st_ino)
    if here in above:  # a link leads back
        return
    shown = [(name, is_folder) for name, is_folder in names if not name.startswith(".")]
    photos = [
        os.path.join(folder, name)  # noqa: PTH118 - as above
        for name, is_folder in shown
        if not is_folder and is_picture(name)
    ]
    if grouping.by == BY_FOLDER and photos:
        yield Observation(folder, tuple(photos))
    else:
        yield from _loose(photos, grouping)
    for name, is_folder in shown:
        if is_folder:
            yield from _of_folder(os.path.join(folder, name), grouping, (*above, here))  # noqa: PTH118


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def is_picture(name: str) -> bool:
    """Whether a name ends as those of pictures do."""
    return Path(name).suffix.lower() in PICTURE_SUFFIXES


def _is_archive(folder: str) -> bool:
    from plant_classification.data.darwin_core import is_darwin_core

    try:
        return is_darwin_core(Path(folder))
    except OSError:  # which may not be looked into
        return False


def _of_archive(path: Path, grouping: Grouping) -> Iterator[Observation]:
    from plant_classification.data.darwin_core import is_darwin_core, photos_of_occurrences

    if not is_darwin_core(path):
        raise DatasetError(
            f"{path} is no Darwin Core archive, or is damaged; if it holds photos, unpack it."
        )
    if grouping.by or grouping.column:
        raise ArgumentError(
            f"{path} is a Darwin Core archive: its occurrences are the observations; leave out "
            "'by' and 'column'.",
            field="by" if grouping.by else "column",
        )
    for occurrence, photos in photos_of_occurrences(path):
        addresses, organs = zip(*photos, strict=True)
        odd = next((one for one in addresses if not DATA_OR_HTTP.match(one)), None)
        fault = f"{odd} is no address on the web." if odd else None  # others' files name no files
        yield Observation(occurrence, addresses, _organs(organs), fault)


def _of_table(file: Path, grouping: Grouping) -> Iterator[Observation]:
    """The rows of a table; paths start from its folder."""
    from plant_classification.bulk.photo_tables import photos_of_table

    by_folder = grouping.by == BY_FOLDER
    rows = photos_of_table(file, grouping.column, None if by_folder else grouping.by)
    if grouping.by is None:
        for place, _, organ in rows:
            yield Observation(place, (_from(file, place),), (organ,) if organ else None)
        return
    groups: dict[str, list[tuple[str, str]]] = {}
    for place, group, organ in rows:
        name = _folder_of(place) if by_folder else group
        groups.setdefault(name, []).append((_from(file, place), organ))
    for name, members in groups.items():
        photos, organs = zip(*members, strict=True)
        yield Observation(name, photos, _organs(organs))


def _organs(organs: Sequence[str]) -> tuple[str, ...] | None:
    return tuple(organ or "auto" for organ in organs) if any(organs) else None


def _from(file: Path, place: str) -> str:
    return place if is_address(place) else str(file.parent / place)
