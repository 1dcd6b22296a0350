"""Photos as small pictures within a page."""

from __future__ import annotations

import base64
import io
from pathlib import Path

from PIL import Image

from plant_classification import photos
from plant_classification.errors import PlantClassificationError
from plant_classification.settings import Settings

SIDE = 240
"""Longer side in pixels."""

MOST_BYTES = 15_000
"""Of the JPEG: 20 kB as a ``data:`` URI."""

_QUALITIES = (85, 75, 60, 45, 30)


def thumbnail(path: Path, settings: Settings) -> str | None:
    """The ``data:`` URI of a photo, upright and whole, or None where it cannot be read."""
    try:
        picture = Image.fromarray(photos.read(path, settings, shorter_side=SIDE).pixels)
    except PlantClassificationError:
        return None
    side = SIDE
    while True:
        picture.thumbnail((side, side))
        for quality in _QUALITIES:
            file = io.BytesIO()
            picture.save(file, "JPEG", quality=quality, optimize=True)
            if file.tell() <= MOST_BYTES:
                return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
        side //= 2
