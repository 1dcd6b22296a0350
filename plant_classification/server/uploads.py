"""The photos of a multipart form, held in memory, within limits that hold while it is read."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
from typing import cast

import aiohttp
from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from plant_classification.errors import ArgumentError, SlowRequestError, UnsupportedFormatError
from plant_classification.photos.sources import check_size, check_total
from plant_classification.settings import Settings

PHOTOS = "images"
FORM_BYTES = 2**20
"""What a body may have beside the bytes of its photos."""

MOST_HELD = 2**30
"""Bytes that all requests together may hold, of their bodies; and once more, of what is fetched."""

MOST_PARTS = 50
MOST_TEXT_BYTES = 1000
CHUNK_BYTES = 2**16
READING_FAILS = (
    ValueError,
    RuntimeError,
    HttpProcessingError,
    aiohttp.ClientError,
    web.RequestPayloadError,
    ConnectionError,
)
PLAIN = ("", "7bit", "8bit", "binary", "identity")


@dataclasses.dataclass(frozen=True)
class UploadedPhoto:
    """A photo that came in a form.

    Attributes:
        content: Its bytes, as sent.
        md5: Of them, in hexadecimal: a name, and no proof of anything.
    """

    content: bytes
    md5: str


@dataclasses.dataclass(frozen=True)
class Form:
    """What a form holds.

    Attributes:
        photos: In the order in which they came.
        texts: The other fields, each with its values in order.
    """

    photos: tuple[UploadedPhoto, ...]
    texts: dict[str, list[str]]


def most_bytes(settings: Settings) -> int:
    """How many the body of a request may have, whatever it asks."""
    return settings.max_total_bytes + FORM_BYTES


async def read_form(request: web.Request, settings: Settings) -> Form:
    """Read the body of a request; what is over a limit is not read to its end.

    Raises:
        UnsupportedFormatError: The body, or a part of it, is compressed or otherwise encoded.
        ArgumentError: The body is no multipart form, is broken off, or has too many parts.
        SlowRequestError: It did not come within ``deadline_seconds``.
        TooManyBytesError: A photo, or all of them, have more bytes than the settings allow.
    """
    _check_encodings(*request.headers.getall(hdrs.CONTENT_ENCODING, []))
    if request.content_type != "multipart/form-data":
        raise ArgumentError("The body must be multipart/form-data.")
    try:
        content = cast("aiohttp.StreamReader", _Bounded(request.content, settings))
        reading = _read_parts(aiohttp.MultipartReader(request.headers, content), settings)
        return await asyncio.wait_for(reading, settings.deadline_seconds)
    except asyncio.TimeoutError:
        raise SlowRequestError(
            f"The form did not come within {settings.deadline_seconds:g} seconds."
        ) from None
    except READING_FAILS:
        raise ArgumentError("The form cannot be read: it is malformed or broken off.") from None


class _Bounded:
    """The stream of a body that ends with an error where it has too many bytes.

    The reader of multipart forms bounds no text before, between and after their parts.
    """

    def __init__(self, content: aiohttp.StreamReader, settings: Settings) -> None:
        self._content = content
        self._most_bytes = most_bytes(settings)
        self._settings = settings
        self.at_eof = content.at_eof
        self.unread_data = content.unread_data

    async def read(self, size: int) -> bytes:
        return self._checked(await self._content.read(size))

    async def readline(self, *, max_line_length: int | None = None) -> bytes:
        return self._checked(await self._content.readline(max_line_length=max_line_length))

    def _checked(self, chunk: bytes) -> bytes:
        if self._content.total_bytes > self._most_bytes:
            check_total(self._content.total_bytes, self._settings)
        return chunk


async def _read_parts(reader: aiohttp.MultipartReader, settings: Settings) -> Form:
    photos: list[UploadedPhoto] = []
    texts: dict[str, list[str]] = {}
    size = 0
    for _ in range(MOST_PARTS + 1):  # the last one is the end
        part = await reader.next()
        if part is None:
            return Form(tuple(photos), texts)
        if not isinstance(part, aiohttp.BodyPartReader):
            raise ArgumentError("A form cannot hold another form.")
        _check_encodings(
            part.headers.get(hdrs.CONTENT_ENCODING, ""),
            part.headers.get(hdrs.CONTENT_TRANSFER_ENCODING, ""),
        )
        if part.name == PHOTOS:
            if len(photos) == settings.max_photos:
                raise ArgumentError(
                    f"{PHOTOS} may have {settings.max_photos} photos; more came.", field=PHOTOS
                )
            photos.append(await _read_photo(part, len(photos), size, settings))
            size += len(photos[-1].content)
        elif part.name:
            texts.setdefault(part.name, []).append(await _read_text(part, part.name))
    raise ArgumentError(f"A form may have {MOST_PARTS} parts; more came.")


async def _read_photo(
    part: aiohttp.BodyPartReader, place: int, before: int, settings: Settings
) -> UploadedPhoto:
    content = bytearray()
    while chunk := await part.read_chunk(CHUNK_BYTES):
        content += chunk
        check_size(len(content), f"{PHOTOS}[{place}]", settings)
        check_total(before + len(content), settings)
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return UploadedPhoto(bytes(content), digest)


async def _read_text(part: aiohttp.BodyPartReader, name: str) -> str:
    content = bytearray()
    while chunk := await part.read_chunk():
        content += chunk
        if len(content) > MOST_TEXT_BYTES:
            raise ArgumentError(
                f"{name} may have {MOST_TEXT_BYTES:,} bytes; more came. Photos go into {PHOTOS}.",
                field=name,
            )
    return content.decode()


def _check_encodings(*encodings: str) -> None:
    for encoding in encodings:
        if encoding.strip().lower() not in PLAIN:
            raise UnsupportedFormatError(
                "The form must be sent as it is: not compressed, no base64."
            )
