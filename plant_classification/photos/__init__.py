"""From bytes, a path, an address, a ``data:`` URI or an array to one upright RGB photo."""

from __future__ import annotations

import dataclasses
import hashlib

import numpy as np
from numpy.typing import NDArray

from plant_classification.errors import ArgumentError
from plant_classification.photos.decoding import check_dimensions, decode
from plant_classification.photos.sources import (
    Fetched,
    Source,
    Upload,
    Url,
    as_source,
    display_name,
    fetch_first,
    read_bytes,
)
from plant_classification.settings import Settings

__all__ = ["Fetched", "Photo", "Source", "Upload", "Url", "fetch_first", "read"]


@dataclasses.dataclass(frozen=True)
class Photo:
    """One picture.

    Attributes:
        pixels: ``uint8 (H, W, 3)`` RGB, upright, contiguous; perhaps read-only.
        name: What messages and answers call it.
        width: Pixels of the upright file, before any reduction.
        height: The same.
        format: Judged by content: ``"JPEG"``, ``"PNG"``, ``"WEBP"``, ``"GIF"``, ``"TIFF"``,
            ``"AVIF"``, ``"HEIF"``, or ``"RGB array"``.
        sha256: Of the bytes as given, in hexadecimal; ``None`` for an array.
    """

    pixels: NDArray[np.uint8]
    name: str
    width: int
    height: int
    format: str
    sha256: str | None


def read(
    source: Source,
    settings: Settings,
    *,
    shorter_side: int | None = None,
    name: str | None = None,
) -> Photo:
    """Read one photo, within the limits of the settings.

    Args:
        source: Bytes, a path, an http(s) address or ``data:`` URI, or ``uint8 (H, W, 3)`` RGB.
        settings: For the limits, and the addresses that may be asked.
        shorter_side: Pixels that the network needs: a JPEG that has more is decoded at 1/2, 1/4
            or 1/8 of its size, as long as its shorter side keeps that many.
        name: What to call the photo; its file's name or its address where not given.

    Returns:
        The photo, upright: the EXIF orientation is applied, the first frame of an animation taken,
        transparency laid over white. Colour profiles are not applied: the networks were trained
        without, and a profile is one more thing that can be forged.

    Raises:
        ArgumentError: No such file, or not a kind of source.
        UnsupportedFormatError: The content is none of the formats that are read.
        TooManyBytesError: More bytes than ``settings.max_photo_bytes``.
        PhotoError: Truncated, corrupt, too small or too large.
        UrlError: An address that is refused, unreachable or slow.
    """
    known = as_source(source)
    name = name or display_name(known)
    if isinstance(known, np.ndarray):
        if known.dtype != np.uint8 or known.ndim != 3 or known.shape[2] != 3:
            raise ArgumentError(
                f"{name} must be a uint8 array of the shape (H, W, 3), "
                f"not {known.dtype} of {known.shape}."
            )
        height, width = known.shape[:2]
        check_dimensions(width, height, name, settings)
        return Photo(np.ascontiguousarray(known), name, width, height, "RGB array", None)
    content = read_bytes(known, name, settings)
    picture = decode(content, name, settings, shorter_side=shorter_side)
    return Photo(
        picture.pixels,
        name,
        picture.width,
        picture.height,
        picture.format,
        hashlib.sha256(content).hexdigest(),
    )
