"""Where a photo comes from, and its bytes: an upload, a file, an address, a ``data:`` URI."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import os
import re
import stat
from pathlib import Path
from typing import TypeAlias, TypeGuard
from urllib.parse import unquote_to_bytes

import numpy as np
from numpy.typing import NDArray

from plant_classification.errors import ArgumentError, TooManyBytesError, UrlError
from plant_classification.files import at_once
from plant_classification.settings import Settings

SCHEME = re.compile(r"\s*([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
DATA_OR_HTTP = re.compile(r"\s*(data:|https?://)", re.IGNORECASE)

PICTURE_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".png", ".webp", ".gif", ".tif", ".tiff", ".avif", ".heic", ".heif")
)
"""By these, photos are found among other files; what they are is judged by their content."""


@dataclasses.dataclass(frozen=True)
class Upload:
    """A file that the server itself wrote, and the name that its sender gave it."""

    path: Path
    name: str


@dataclasses.dataclass(frozen=True)
class Url:
    """An ``http:``, ``https:`` or ``data:`` address; it never opens a path."""

    address: str


@dataclasses.dataclass(frozen=True)
class Fetched:
    """What an address held, and its name."""

    content: bytes
    name: str


Known: TypeAlias = "bytes | Path | Upload | Url | Fetched"
Source: TypeAlias = "Known | str | NDArray[np.uint8]"


def is_address(place: str) -> bool:
    """Whether a text is an address of any kind, and no path."""
    return bool(DATA_OR_HTTP.match(place) or SCHEME.match(place))


def as_source(source: object) -> Known | NDArray[np.uint8]:
    """Tell what a source is: a string is a ``data:`` URI, an http(s) address, or else a path.

    Raises:
        UrlError: A string with another scheme.
        ArgumentError: An object that no photo can be read from.
    """
    if isinstance(source, str):
        if DATA_OR_HTTP.match(source):
            return Url(source.strip())
        if scheme := SCHEME.match(source):
            raise UrlError(
                f"Addresses of the scheme {scheme[1].lower()!r} are not read; "
                "give a file's path, or an http:, https: or data: address."
            )
        return Path(source)
    if isinstance(source, (bytes, Path, Upload, Url, Fetched, np.ndarray)):
        return source
    raise ArgumentError(
        "A photo must be bytes, a path, an address or a uint8 array (H, W, 3), "
        f"not {type(source).__name__}."
    )


def display_name(source: Known | NDArray[np.uint8]) -> str:
    """What messages and answers call a photo: its file's name, or its address without query."""
    if isinstance(source, (Path, Upload, Fetched)):
        return source.name
    if isinstance(source, Url):
        if _holds_its_bytes(source):
            return "data: URI"
        return re.split(r"[?#]", source.address, maxsplit=1)[0]
    return "the photo"


def is_elsewhere(source: Source) -> TypeGuard[Url]:
    """Whether a source is an address that must be asked; a ``data:`` URI holds its bytes."""
    return isinstance(source, Url) and not _holds_its_bytes(source)


def fetch_first(source: Source, settings: Settings) -> Source:
    """What lies at an address, so that reading it waits for nobody; any other source as it is.

    Raises:
        UrlError: See ``fetching.fetch``.
        PhotoError: An address that delivers too many bytes.
    """
    if not is_elsewhere(source):
        return source
    name = display_name(source)
    return Fetched(read_bytes(source, name, settings), name)


def read_bytes(source: Known, name: str, settings: Settings) -> bytes:
    """The bytes of a photo, at most ``settings.max_photo_bytes`` of them.

    Raises:
        TooManyBytesError: More bytes than that; a file is measured before it is read.
        ArgumentError: No file there, or not a plain one.
        UrlError: See ``fetching.fetch``; also for a malformed ``data:`` URI.
        PhotoError: An address that delivers too many bytes.
    """
    if isinstance(source, bytes):
        content = source
    elif isinstance(source, Fetched):
        content = source.content
    elif isinstance(source, Path):
        content = _read_file(source, str(source), name, settings)
    elif isinstance(source, Upload):
        content = _read_file(source.path, name, name, settings)
    elif _holds_its_bytes(source):
        content = _decode_data_uri(source.address, name, settings)
    else:
        from plant_classification.fetching import fetch

        content = fetch(source.address, settings)
    check_size(len(content), name, settings)
    return content


def _holds_its_bytes(source: Url) -> bool:
    return source.address[:5].lower() == "data:"


def check_size(size: int, name: str, settings: Settings) -> None:
    """See that a photo may have so many bytes.

    Raises:
        TooManyBytesError: It may not.
    """
    if size > settings.max_photo_bytes:
        raise TooManyBytesError(
            f"{name} has more than the {settings.max_photo_bytes:,} bytes that a photo may have; "
            "send a smaller one."
        )


def check_total(size: int, settings: Settings) -> None:
    """See that all photos of a request together may have so many bytes.

    Raises:
        TooManyBytesError: They may not.
    """
    if size > settings.max_total_bytes:
        raise TooManyBytesError(
            f"All photos of a request may have {settings.max_total_bytes:,} bytes, and more came. "
            "Send fewer, or smaller ones.",
            field="photos",
        )


def _read_file(path: Path, shown: str, name: str, settings: Settings) -> bytes:
    try:
        with open(path, "rb", opener=at_once) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ArgumentError(f"{shown} is not a file; give the path of a photo.")
            check_size(status.st_size, name, settings)
            return file.read(status.st_size)
    except IsADirectoryError:
        raise ArgumentError(f"{shown} is a folder; give the path of a photo.") from None
    except FileNotFoundError:
        raise ArgumentError(f"{shown} does not exist; give the path of a photo.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ArgumentError(f"{shown} cannot be read: {reason}.") from None


def _decode_data_uri(address: str, name: str, settings: Settings) -> bytes:
    """RFC 2397, base64 or percent-encoded; the declared type says nothing."""
    if not address.isascii():
        raise UrlError(f"{name} may hold ASCII characters alone; escape the others with '%'.")
    declared, comma, payload = address.partition(",")
    if not comma:
        raise UrlError(f"{name} has no comma; it must be 'data:image/jpeg;base64,' and the bytes.")
    content = unquote_to_bytes(payload)
    if not declared.lower().rstrip().endswith(";base64"):
        return content
    # A plus sign that was not escaped in a query arrives as a space.
    content = content.translate(bytes.maketrans(b" -_", b"++/"), b"\r\n\t").rstrip(b"=")
    check_size(len(content) * 3 // 4, name, settings)
    try:
        return base64.b64decode(content + b"=" * (-len(content) % 4), validate=True)
    except binascii.Error:
        raise UrlError(f"{name} is not valid base64; send the bytes whole.") from None
