"""What is to be identified: photos in folders, tables and archives, grouped by plant."""

from __future__ import annotations

import dataclasses
import glob
import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from plant_classification.bulk.photo_tables import TABLES, photos_of_table
from plant_classification.bulk.remote import is_remote, photos_at
from plant_classification.data.darwin_core import is_darwin_core, photos_of_occurrences
from plant_classification.data.files import PICTURE_SUFFIXES, list_folder
from plant_classification.errors import ArgumentError, DatasetError
from plant_classification.photos.sources import DATA_OR_HTTP, is_address

STANDARD_INPUT = "-"
BY_FOLDER = "folder"
MOST_DEEP = 100
"""Folders in folders: more are a link that leads back."""


@dataclasses.dataclass(frozen=True)
class Observation:
    """Photos of one plant.

    Attributes:
        name: What the answer is found by: the photo's path or address as given, the folder, the
            value of the column, or the occurrence's identifier.
        photos: Paths and addresses, at least one.
        organs: What each shows, where a table says so.
    """

    name: str
    photos: tuple[str, ...]
    organs: tuple[str, ...] | None = None


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
        ArgumentError: A pattern that fits nothing, or a grouping that the place has no means for.
        DatasetError: A folder, table or archive that cannot be read, with its line.
    """
    for place in places:
        if place == STANDARD_INPUT:
            named = (line.rstrip("\r\n") for line in lines)
            yield from _of_paths((line for line in named if line), grouping)
        elif is_remote(place):
            yield from _of_paths(photos_at(place), grouping)
        elif DATA_OR_HTTP.match(place):
            yield from _of_paths([place], grouping)
        else:
            yield from _of_path(Path(place), place, grouping)


def check_places(places: Sequence[str]) -> None:
    """See that what is named is there, before anything is done for it.

    Raises:
        ArgumentError: A file or folder that is not there.
    """
    for place in places:
        is_name = not (place == STANDARD_INPUT or is_address(place) or glob.has_magic(place))
        if is_name and not os.path.exists(place):  # noqa: PTH110 - a Path raises for a long name
            raise ArgumentError(f"{place} does not exist.", field="photos")


def _of_path(path: Path, place: str, grouping: Grouping) -> Iterator[Observation]:
    is_folder, suffix = os.path.isdir(place), path.suffix.lower()  # noqa: PTH112 - as above
    if (is_folder or suffix == ".zip") and is_darwin_core(path):
        yield from _of_archive(path, grouping)
    elif is_folder:
        yield from _of_folder(path, grouping)
    elif suffix in TABLES:
        yield from _of_table(path, grouping)
    elif os.path.exists(place) or not glob.has_magic(place):  # noqa: PTH110 - as above
        yield from _of_paths([place], grouping)
    else:
        found = sorted(glob.glob(place, recursive=True))  # noqa: PTH207 - Path.glob takes no absolute pattern
        if not found:
            raise ArgumentError(f"No file fits the pattern {place!r}.", field="photos")
        pictures = (name for name in found if Path(name).suffix.lower() in PICTURE_SUFFIXES)
        yield from _of_paths(pictures, grouping)


def _of_paths(paths: Iterable[str], grouping: Grouping) -> Iterator[Observation]:
    """Single paths and addresses; those of one folder that follow each other are of one plant."""
    if grouping.by is None:
        for path in paths:
            yield Observation(path, (path,))
    elif grouping.by == BY_FOLDER:
        for folder, members in itertools.groupby(paths, lambda path: str(Path(path).parent)):
            yield Observation(folder, tuple(members))
    else:
        raise ArgumentError(
            f"There is no column {grouping.by!r} to group photos by: only tables have columns. "
            f"Group them by {BY_FOLDER!r}, or give a table.",
            field="by",
        )


def _of_folder(folder: Path, grouping: Grouping, deep: int = 0) -> Iterator[Observation]:
    if deep > MOST_DEEP:
        raise DatasetError(
            f"{folder} lies in more than {MOST_DEEP} folders: a link leads back. Remove it."
        )
    listing = list_folder(folder)
    yield from _of_paths((str(folder / name) for name in listing.pictures), grouping)
    for name in listing.folders:
        if not _leads_back(folder / name):
            yield from _of_folder(folder / name, grouping, deep + 1)


def _leads_back(folder: Path) -> bool:
    """Whether a link names a folder that it lies in."""
    return folder.is_symlink() and folder.resolve() in folder.parent.resolve().joinpath("_").parents


def _of_archive(path: Path, grouping: Grouping) -> Iterator[Observation]:
    if grouping.by or grouping.column:
        raise ArgumentError(
            f"{path} is a Darwin Core archive: its occurrences are the observations; leave out "
            "'by' and 'column'.",
            field="by" if grouping.by else "column",
        )
    for occurrence, photos in photos_of_occurrences(path):
        addresses, organs = zip(*photos, strict=True)
        yield Observation(occurrence, addresses, _organs(organs))


def _of_table(file: Path, grouping: Grouping) -> Iterator[Observation]:
    """The rows of a table; paths start from its folder."""
    by_folder = grouping.by == BY_FOLDER
    rows = photos_of_table(file, grouping.column, None if by_folder else grouping.by)
    if grouping.by is None:
        for place, _, organ in rows:
            yield Observation(place, (_from(file, place),), (organ,) if organ else None)
        return
    groups: dict[str, list[tuple[str, str]]] = {}
    for place, group, organ in rows:
        name = str(Path(place).parent) if by_folder else group
        groups.setdefault(name, []).append((_from(file, place), organ))
    for name, members in groups.items():
        photos, organs = zip(*members, strict=True)
        yield Observation(name, photos, _organs(organs))


def _organs(organs: Sequence[str]) -> tuple[str, ...] | None:
    return tuple(organ or "auto" for organ in organs) if any(organs) else None


def _from(file: Path, place: str) -> str:
    return place if is_address(place) else str(file.parent / place)
