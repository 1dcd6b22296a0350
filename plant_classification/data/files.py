"""The files and folders of a data set; what is wrong with one is told with its line."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import stat
from collections.abc import Iterator, Sequence
from io import BufferedReader
from pathlib import Path
from typing import Any

from plant_classification.errors import ArgumentError, DatasetError
from plant_classification.files import at_once, decoded
from plant_classification.photos.sources import PICTURE_SUFFIXES

IMAGE_FOLDERS = (".", "images", "data/images")
"""Where photos are looked for, from the folder of the data set, when nothing is said."""

PATHS_LOOKED_FOR = 10
"""Some of the first paths, for one photo may be missing."""


def fault(file: Path, line: int, rule: str) -> DatasetError:
    """The error for a line of a file."""
    return DatasetError(f"{file}, line {line}: {rule}")


def others(count: int) -> str:
    """What a message about one line says when it is not the only one of its kind."""
    return f" There are {count:,} such lines." if count > 1 else ""


@contextlib.contextmanager
def open_file(file: Path) -> Iterator[tuple[BufferedReader, int]]:
    """Open a plain file of a data set; gives it and its size in bytes.

    Raises:
        DatasetError: It is not there, or cannot be read.
    """
    try:
        with open(file, "rb", opener=at_once) as f:
            status = os.fstat(f.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise DatasetError(f"{file} is not a plain file.")
            yield f, status.st_size
    except OSError as error:
        raise DatasetError(f"{file} cannot be read: {error.strerror}.") from None


def read_text(file: Path) -> str:
    """The content of a file in UTF-8, with or without byte order mark.

    Raises:
        DatasetError: It cannot be read, or is not UTF-8, with the line.
    """
    with open_file(file) as (opened, _):
        content = opened.read()
    try:
        return decoded(content, str(file))
    except ValueError as error:
        raise DatasetError(str(error)) from None


def read_json(file: Path) -> dict[str, Any]:
    """The object that a JSON file holds.

    Raises:
        DatasetError: It cannot be read, or holds something else.
    """
    try:
        values = json.loads(read_text(file))
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{file} is not JSON: {error}.") from None
    if not isinstance(values, dict):
        raise DatasetError(f"{file} must hold a JSON object.")
    return values


@dataclasses.dataclass(frozen=True)
class Listing:
    """What lies in a folder, but for what is hidden: names in ascending order."""

    pictures: tuple[str, ...]
    other_files: tuple[str, ...]
    folders: tuple[str, ...]


def list_folder(folder: Path) -> Listing:
    """Look into a folder.

    Raises:
        DatasetError: It cannot be read, or a name in it is not UTF-8.
    """
    pictures, others, folders = [], [], []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not _is_utf8(entry.name):
                    raise DatasetError(
                        f"{folder} holds {entry.name!a}, which is not UTF-8; rename it."
                    )
                if entry.name.startswith("."):
                    continue
                if entry.is_dir():
                    folders.append(entry.name)
                elif Path(entry.name).suffix.lower() in PICTURE_SUFFIXES:
                    pictures.append(entry.name)
                else:
                    others.append(entry.name)
    except OSError as error:
        raise DatasetError(f"{folder} cannot be read: {error.strerror}.") from None
    return Listing(*(tuple(sorted(names)) for names in (pictures, others, folders)))


def _is_utf8(name: str) -> bool:
    """Python reads bytes of a name that are no UTF-8 as surrogates, which nothing can write."""
    return not any("\ud800" <= character <= "\udfff" for character in name)


def leaves_folder(path: str) -> bool:
    """Whether a path leads out of the folder that it starts from."""
    return path.startswith("/") or ".." in path.split("/")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name that is too long, a folder that may not be looked into
        return False


def find_images(folder: Path, images: str | None, paths: Sequence[str], file: Path) -> Path:
    """The folder that the paths of photos start from.

    Args:
        folder: That of the data set.
        images: What the person who reads it says: relative to ``folder``, or None.
        paths: Relative paths of photos, at least one.
        file: Where they stand.

    Raises:
        ArgumentError: ``images`` leads out of the data set, or is no folder.
        DatasetError: No folder is given, and none of those looked into holds the first photos.
    """
    if images is not None:
        if leaves_folder(images) or not (folder / images).is_dir():
            raise ArgumentError(
                f"images_directory must be a folder inside {folder}; {images!r} is not.",
                field="images_directory",
            )
        return folder / images
    first = [paths[index] for index in range(min(len(paths), PATHS_LOOKED_FOR))]
    for place in IMAGE_FOLDERS:
        if any(_exists(folder / place / path) for path in first):
            return folder / place
    raise DatasetError(
        f"{first[0]!r}, which {file} names, is in none of these folders of {folder}: "
        f"{', '.join(IMAGE_FOLDERS)}; give images_directory, the folder that the paths start from."
    )
