"""From a file to a changed view: of most photos, no more is decoded than the crop needs."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from PIL import ExifTags
from PIL.JpegImagePlugin import JpegImageFile

from plant_classification import photos
from plant_classification.data.augmentation import Augmentation
from plant_classification.data.transforms import augmented, crop_box, shorter_side, view
from plant_classification.photos.decoding import check_dimensions
from plant_classification.photos.sources import read_bytes
from plant_classification.photos.tiff_tags import bound_tags
from plant_classification.settings import Settings

Pixels = NDArray[np.uint8]
Random = np.random.Generator


def changed_photo(
    path: Path, random: Random, size: int, augmentation: Augmentation, settings: Settings
) -> Pixels:
    """Read a photo and change it.

    Args:
        path: The file.
        random: The source of chance.
        size: Side of the view in pixels.
        augmentation: What is changed.
        settings: For the limits of a photo.

    Returns:
        ``uint8 (size, size, 3)`` RGB.

    Raises:
        PlantClassificationError: As ``photos.read``.
    """
    content = read_bytes(path, path.name, settings)
    sides = _sides_of_plain_jpeg(content)
    if sides:
        check_dimensions(*sides, path.name, settings)
        with contextlib.suppress(tf.errors.InvalidArgumentError):  # the reader below has the words
            return _changed_jpeg(content, sides, random, size, augmentation)
    enough = shorter_side(augmentation, size)
    photo = photos.read(content, settings, shorter_side=enough, name=path.name)
    return augmented(photo.pixels, size, augmentation, random)


def _sides_of_plain_jpeg(content: bytes) -> tuple[int, int] | None:
    """Width and height of a whole, upright JPEG of one scan in grey or colour, else None."""
    if not (content.startswith(b"\xff\xd8\xff") and content.endswith(b"\xff\xd9")):
        return None
    bound_tags()
    try:
        with JpegImageFile(io.BytesIO(content)) as image:
            upright = image.getexif().get(ExifTags.Base.Orientation, 1) == 1
            plain = image.mode in ("RGB", "L") and "progressive" not in image.info
            return image.size if upright and plain else None
    except Exception:  # noqa: BLE001 - a damaged header raises anything; the reader has the words
        return None


def _changed_jpeg(
    content: bytes, sides: tuple[int, int], random: Random, size: int, augmentation: Augmentation
) -> Pixels:
    """Decode the crop alone, at 1/2, 1/4 or 1/8 where that still has the pixels of the view."""
    width, height = sides
    box = crop_box(augmentation, width, height, random)
    by = next((by for by in (8, 4, 2) if min(box.width, box.height) >= by * size), 1)
    box = box.fewer(by)
    left, top, right, bottom = box.within(-(-width // by), -(-height // by))
    pixels = tf.raw_ops.DecodeAndCropJpeg(
        contents=tf.constant(content),
        crop_window=tf.constant((top, left, bottom - top, right - left)),
        channels=3,
        ratio=by,
        fancy_upscaling=True,
        try_recover_truncated=False,
        acceptable_fraction=1.0,
        dct_method="INTEGER_ACCURATE",
    )
    box = box._replace(left=box.left - left, top=box.top - top)
    return view(np.asarray(pixels), box, size, augmentation, random)
