"""The folder that photos are downloaded into: a table of those that came, and one of the others.

``photos.csv`` grows as the photos come, each with its licence and author, and ``failures.csv`` says
which did not, and why. So the two are the journal as well: what stands in them is not asked again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path

from plant_classification import photos
from plant_classification.data.darwin_core import PHOTO_TABLE, ListedPhoto
from plant_classification.data.downloading.growing_table import (
    GrowingTable,
    Row,
    open_table,
)
from plant_classification.errors import DatasetError
from plant_classification.files import PARTIAL, locked
from plant_classification.settings import Settings

FAILURES, FOLDER = "failures.csv", "photos"
PHOTO_COLUMNS = (
    "path", "label", "family", "organ", "observation", "source", "licence", "author",
    "rights_holder", "url", "sha256",
)  # fmt: skip
FAILURE_COLUMNS = ("url", "observation", "reason", "try_again")
YES, NO = "yes", "no"

SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "GIF": ".gif", "TIFF": ".tif"}
SUFFIXES |= {"AVIF": ".avif", "HEIF": ".heic"}
ENOUGH_PIXELS = 64
"""Shorter side at which a photo is decoded, to see whether it can be."""


class DownloadFolder:
    """The folder, held by one process; :func:`open_folder` opens it. Threads may share it.

    Attributes:
        done: Addresses that need not be asked again.
        there: Photos that are there.
        failed: Photos that did not come.
    """

    def __init__(self, path: Path, settings: Settings) -> None:
        self._path = path
        self._settings = settings
        self._photos: GrowingTable
        self._failures: GrowingTable
        self._writing = threading.Lock()
        self._is_closed = False
        self._families: dict[str, str] = {}
        self.done: set[str] = set()
        self.there = 0
        self.failed = 0

    def keep(self, photo: ListedPhoto, content: bytes) -> None:
        """Write a photo and its row.

        Raises:
            PhotoError: It is none that can be read.
            OSError: It cannot be written.
        """
        seen = photos.read(content, self._settings, shorter_side=ENOUGH_PIXELS, name="what came")
        path = photo_path(photo, SUFFIXES[seen.format])
        row = {
            "path": path,
            "label": photo.species,
            "organ": photo.organ or "",
            "observation": photo.occurrence,
            "source": photo.source,
            "licence": photo.licence,
            "author": photo.author,
            "rights_holder": photo.rights_holder,
            "url": photo.url,
            "sha256": seen.sha256 or "",
        }
        _write(self._path / path, content)
        with self._writing:
            # Providers disagree; in one table a species is of one family.
            family = self._families.setdefault(photo.species, photo.family or "")
            if not self._is_closed:
                self._photos.append(row | {"family": family})
                self.there += 1

    def fail(self, photo: ListedPhoto, reason: str, *, try_again: bool) -> None:
        """Write down why a photo did not come, and whether the next download should try again.

        Raises:
            OSError: It cannot be written.
        """
        row = {
            "url": photo.url,
            "observation": photo.occurrence,
            "reason": reason,
            "try_again": YES if try_again else NO,
        }
        with self._writing:
            if not self._is_closed:
                self._failures.append(row)
                self.failed += 1

    @contextlib.contextmanager
    def opened(self) -> Iterator[DownloadFolder]:
        """Read what is there, and hold it."""
        with (
            _held(self._path),
            open_table(self._path / PHOTO_TABLE, PHOTO_COLUMNS, self._stays) as self._photos,
            open_table(self._path / FAILURES, FAILURE_COLUMNS, self._is_final) as self._failures,
        ):
            try:
                yield self
            finally:
                with self._writing:
                    self._is_closed = True

    def _stays(self, row: Row) -> bool:
        if not (self._path / row["path"]).is_file():
            return False
        self._families.setdefault(row["label"], row["family"])
        self.done.add(row["url"])
        self.there += 1
        return True

    def _is_final(self, row: Row) -> bool:
        if row["try_again"] != NO:
            return False
        self.done.add(row["url"])
        self.failed += 1
        return True


@contextlib.contextmanager
def open_folder(path: Path, settings: Settings) -> Iterator[DownloadFolder]:
    """Open a folder, made if it is not there, and read what it has.

    Args:
        path: The folder.
        settings: For the limits of a photo.

    Raises:
        DatasetError: Another process writes there, another table is there, or it cannot be written.
    """
    try:
        with DownloadFolder(path, settings).opened() as folder:
            yield folder
    except OSError as error:
        raise DatasetError(
            f"{path} cannot be written: {error.strerror}. What has come stays; "
            "the same command goes on from there."
        ) from None


@contextlib.contextmanager
def _held(path: Path) -> Iterator[None]:
    """Hold the folder for this process alone."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locked(path, wait=False))
        except BlockingIOError:
            raise DatasetError(
                f"{path} is being written by another process; wait until it has ended."
            ) from None
        yield


def photo_path(photo: ListedPhoto, suffix: str) -> str:
    """Where a photo is written: the same at each call, another one for each address."""
    species = re.sub(r"\W+", "_", photo.species)[:60]
    occurrence = re.sub(r"[^A-Za-z0-9]+", "-", photo.occurrence)[:60]
    digest = hashlib.sha256(photo.url.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{FOLDER}/{species}/{occurrence}_{digest}{suffix}"


def _write(path: Path, content: bytes) -> None:
    """Write a photo whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + PARTIAL)
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
