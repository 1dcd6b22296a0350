"""Photos drawn for the tests, and their bytes in every format that is read."""

from __future__ import annotations

import functools
import io
from typing import Any

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image

pillow_heif.register_heif_opener()

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "AVIF", "HEIF")


@functools.cache
def ramp(width: int = 128, height: int = 96) -> NDArray[np.uint8]:
    """Red grows to the right, green downwards, blue to both: no two corners are alike."""
    y, x = np.mgrid[0:height, 0:width]
    red, green = x * 255 // (width - 1), y * 255 // (height - 1)
    pixels = np.stack([red, green, (red + green) // 2], axis=-1).astype(np.uint8)
    pixels.flags.writeable = False
    return pixels


def grey_ramp(largest: int) -> NDArray[np.int64]:
    """Grey that grows to the right, ``int64 (96, 128)``."""
    return np.tile(np.arange(128) * largest // 127, (96, 1))


def encode(picture: Image.Image | NDArray[Any], kind: str, **options: Any) -> bytes:
    """The bytes of a file."""
    if not isinstance(picture, Image.Image):
        picture = Image.fromarray(picture)
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def turned(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Pixels as a camera stores them that writes this EXIF orientation for an upright photo."""
    stored = {
        1: pixels,
        2: pixels[:, ::-1],
        3: pixels[::-1, ::-1],
        4: pixels[::-1],
        5: pixels.transpose(1, 0, 2),
        6: pixels.transpose(1, 0, 2)[::-1],
        7: pixels.transpose(1, 0, 2)[::-1, ::-1],
        8: pixels.transpose(1, 0, 2)[:, ::-1],
    }
    return np.ascontiguousarray(stored[orientation])


def difference(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Mean absolute difference in steps of 1/255; the shapes must be the same."""
    assert one.shape == other.shape
    return float(np.abs(one.astype(float) - other.astype(float)).mean())
