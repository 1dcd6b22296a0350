"""What in the photos speaks for a taxon, as arrays and as a picture."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from plant_classification.inference.answer import Answer

GREY = 0.35
"""Brightness of what does not speak for the taxon, as a share of the photo's."""

GAP = 8
"""Pixels of white between two photos."""


@dataclasses.dataclass(frozen=True)
class Explanation:
    """An answer, and where in the photos it comes from.

    Attributes:
        answer: The answer.
        taxon: The species, genus or family that is explained.
        members: ``bool (labels,)``, the labels of that taxon.
        views: What the network saw of each photo: ``uint8 (size, size, 3)`` RGB.
        maps: For each photo ``float32 (h, w)`` in [0, 1], over the same square: 1 at the place that
            speaks most for the taxon, 0 where nothing does.
    """

    answer: Answer
    taxon: str
    members: NDArray[np.bool_]
    views: tuple[NDArray[np.uint8], ...]
    maps: tuple[NDArray[np.float32], ...]

    def picture(self) -> bytes:
        """The views beside each other as a PNG: bright and in colour where they speak for it."""
        shown = [_lit(view, heat) for view, heat in zip(self.views, self.maps, strict=True)]
        side = shown[0].width
        sheet = Image.new("RGB", (len(shown) * (side + GAP) - GAP, side), "white")
        for place, picture in enumerate(shown):
            sheet.paste(picture, (place * (side + GAP), 0))
        content = io.BytesIO()
        sheet.save(content, "PNG", compress_level=1)
        return content.getvalue()


def _lit(view: NDArray[np.uint8], heat: NDArray[np.float32]) -> Image.Image:
    photo = Image.fromarray(view)
    mask = Image.fromarray(np.uint8(255 * heat)).resize(photo.size, Image.Resampling.BICUBIC)
    dim = photo.convert("L").point(lambda value: value * GREY).convert("RGB")
    return Image.composite(photo, dim, mask)
