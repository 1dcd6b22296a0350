"""Photos in stores that fsspec knows, such as ``s3://bucket/park``; for the person's own runs.

A server never reads them: there, an address could name the server's own files.
"""

from __future__ import annotations

import glob
import importlib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any

from plant_classification.errors import ArgumentError, PlantClassificationError, UrlError
from plant_classification.photos.sources import DATA_OR_HTTP, PICTURE_SUFFIXES, SCHEME
from plant_classification.settings import Settings


def is_remote(place: str) -> bool:
    """Whether it is an address of such a store."""
    return bool(SCHEME.match(place)) and not DATA_OR_HTTP.match(place)


def photos_at(place: str) -> Iterator[str]:
    """The addresses of a place: a photo, a pattern, or a folder with what is in its folders.

    Raises:
        ArgumentError: It cannot be listed, holds no photo, or fsspec is missing.
    """
    head, chain, inside = place.partition("::")  # zip://bed/*.jpg::s3://bucket/all.zip
    try:
        store, path = _store(place)
        if glob.has_magic(path):
            found = store.glob(path)
        elif store.isdir(path):
            found = store.find(path)
        else:
            yield place
            return
        names = sorted(n for n in found if PurePosixPath(n).suffix.lower() in PICTURE_SUFFIXES)
    except PlantClassificationError:
        raise
    except Exception as error:  # noqa: BLE001 - each store has errors of its own
        raise ArgumentError(f"{place} cannot be listed: {_said(error)}", field="photos") from None
    if not names:
        raise ArgumentError(f"{place} holds no photo.", field="photos")
    bare = head if head.endswith("://") else head.rstrip("/")
    root = bare.removesuffix(path) if bare.endswith(path) else f"{head.partition('://')[0]}://"
    for name in names:
        yield f"{root}{name}{chain}{inside}"


def source_of(place: str, settings: Settings) -> bytes | str | Path:
    """What a photo is read from: a path or an address as it is, or what lies in a store.

    Raises:
        UrlError, ArgumentError: As :func:`read_remote`.
    """
    return read_remote(place, settings) if is_remote(place) else place


def read_remote(address: str, settings: Settings) -> bytes | Path:
    """The bytes of a photo, at most one more than it may have; or its file, where it has one.

    Raises:
        UrlError: It cannot be read.
        ArgumentError: fsspec is missing.
    """
    try:
        store, path = _store(address)
        if "file" in store.protocol:
            return Path(path)  # read as any file: a pipe is not waited for
        with store.open(path, "rb") as file:
            content: bytes = file.read(settings.max_photo_bytes + 1)
    except PlantClassificationError:
        raise
    except Exception as error:  # noqa: BLE001 - as above; one photo must not end a run
        raise UrlError(f"{address} cannot be read: {_said(error)}") from None
    return content


def _store(address: str) -> tuple[Any, str]:
    if not find_spec("fsspec"):
        raise ArgumentError(
            f"{address} is no web address (http, https), and as one of a store it needs fsspec: "
            "pip install 'plant-classification[remote]'.",
            field="photos",
        )
    store, path = importlib.import_module("fsspec.core").url_to_fs(address)
    return store, str(path)


def _said(error: Exception) -> str:
    return f"{str(error) or type(error).__name__}".rstrip(".") + "."
