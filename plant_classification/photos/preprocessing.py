"""From an upright photo to the pixels that a network takes: one rule for training and serving."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from plant_classification.question import CROP_COUNTS

MOST_SIZE = 4096
FIXED_POINT = 2048
MULTI_CROP_FRACTION = 0.875
"""Side of each of several crops, as a fraction of the photo's: the ten crops of Krizhevsky 2012."""


@dataclasses.dataclass(frozen=True)
class Preprocessing:
    """How a model folder wants its photos.

    Attributes:
        size: Side of the square input in pixels.
        resize: ``"crop"`` keeps the aspect and takes the middle; ``"stretch"`` ignores the aspect.
        crop_fraction: Side of the middle crop as a fraction of the shorter side (``"crop"`` alone).
        mean: Per channel, in the order of ``channels``, subtracted from values in 0..255.
        scale: Per channel, the divisor after that.
        channels: ``"RGB"`` or ``"BGR"``, the order in which the network takes them.
        antialias: Whether a pixel of the input is the mean of those that it covers. Without, it
            lies between four of them, however large the photo: OpenCV's ``INTER_LINEAR``, with
            which the old service trained.
    """

    size: int
    resize: str = "crop"
    crop_fraction: float = 1.0
    mean: tuple[float, float, float] = (127.5, 127.5, 127.5)
    scale: tuple[float, float, float] = (127.5, 127.5, 127.5)
    channels: str = "RGB"
    antialias: bool = True

    def __post_init__(self) -> None:
        if type(self.size) is not int or not 1 <= self.size <= MOST_SIZE:
            raise ValueError(f"size must be a whole number from 1 to {MOST_SIZE}, not {self.size}")
        if self.resize not in ("crop", "stretch"):
            raise ValueError(f"resize must be 'crop' or 'stretch', not {self.resize!r}")
        if not 0 < self.crop_fraction <= 1 or self.channels not in ("RGB", "BGR"):
            raise ValueError(f"crop_fraction must be in (0, 1] and channels RGB or BGR, not {self}")
        if type(self.antialias) is not bool:
            raise ValueError(f"antialias must be true or false, not {self.antialias}")
        if len(self.mean) != 3 or len(self.scale) != 3 or 0 in self.scale:
            raise ValueError(f"mean and scale must be three numbers, scale not zero, not {self}")
        if not all(map(math.isfinite, (*self.mean, *self.scale))):
            raise ValueError(f"mean and scale must be finite, not {self.mean}, {self.scale}")

    def shorter_side(self, crops: int = 1) -> int | None:
        """Pixels that the shorter side of a photo needs; None where a smaller photo is another."""
        if not self.antialias:
            return None
        fraction = self.crop_fraction if self.resize == "crop" else 1.0
        if crops > 1:
            fraction = min(fraction, MULTI_CROP_FRACTION)
        return math.ceil(self.size / fraction)

    def crop_boxes(
        self, width: int, height: int, crops: int = 1
    ) -> list[tuple[float, float, float, float]]:
        """Boxes ``(left, top, right, bottom)`` in pixels: the middle, then the four corners."""
        if self.resize == "crop":
            box_width = box_height = min(width, height) * self.crop_fraction
        else:
            box_width, box_height = float(width), float(height)
        if crops > 1:
            box_width = min(box_width, width * MULTI_CROP_FRACTION)
            box_height = min(box_height, height * MULTI_CROP_FRACTION)
            if self.resize == "crop":
                box_width = box_height = min(box_width, box_height)
        right, bottom = width - box_width, height - box_height
        corners = [(right / 2, bottom / 2)]
        if crops > 1:
            corners += [(0.0, 0.0), (right, 0.0), (0.0, bottom), (right, bottom)]
        return [(x, y, x + box_width, y + box_height) for x, y in corners]

    def apply(self, pixels: NDArray[np.uint8], crops: int = 1) -> NDArray[np.uint8]:
        """Crop and resize, with antialiasing where ``antialias`` says so.

        Args:
            pixels: ``uint8 (H, W, 3)`` RGB, upright.
            crops: 1, 5 (middle and corners) or 10 (these and their mirror images).

        Returns:
            ``uint8 (crops, size, size, 3)`` RGB.
        """
        if crops not in CROP_COUNTS:
            raise ValueError(f"crops must be one of {CROP_COUNTS}, not {crops}")
        height, width = pixels.shape[:2]
        boxes = self.crop_boxes(width, height, crops)
        if boxes == [(0.0, 0.0, self.size, self.size)]:
            return pixels[np.newaxis]
        views = np.stack([self._resize(pixels, box) for box in boxes])
        return np.concatenate([views, views[:, :, ::-1]]) if crops == 10 else views

    def _resize(
        self, pixels: NDArray[np.uint8], box: tuple[float, float, float, float]
    ) -> NDArray[np.uint8]:
        if self.antialias:
            side = (self.size, self.size)
            image = Image.fromarray(pixels).resize(side, Image.Resampling.BILINEAR, box=box)
            return np.asarray(image)
        return _bilinear(pixels, box, self.size)

    def normalize(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """``uint8 (..., 3)`` RGB to the ``float32`` values that the network was trained on."""
        ordered = pixels if self.channels == "RGB" else pixels[..., ::-1]
        mean, scale = np.array(self.mean, np.float32), np.array(self.scale, np.float32)
        return np.asarray((ordered.astype(np.float32) - mean) / scale, np.float32)

    def to_dict(self) -> dict[str, Any]:
        """As it stands in model.json."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Preprocessing:
        """From model.json; ``ValueError`` or ``TypeError`` for values that cannot be used."""
        mean, scale = (tuple(float(v) for v in values[key]) for key in ("mean", "scale"))
        return cls(**values | {"mean": mean, "scale": scale})


def _bilinear(
    pixels: NDArray[np.uint8], box: tuple[float, float, float, float], size: int
) -> NDArray[np.uint8]:
    """What OpenCV's ``resize`` with ``INTER_LINEAR`` makes of a box, to the last bit.

    It computes in fixed point, and rounds down twice on the way: a network can tell the difference.
    """
    left, top, right, bottom = box
    above, below, down = _neighbours(top, bottom, pixels.shape[0], size)
    before, after, across = _neighbours(left, right, pixels.shape[1], size)
    across = np.where((before == after)[:, np.newaxis], [FIXED_POINT, 0], across)  # at the edges
    rows = [
        pixels[np.ix_(y, before)] * across[:, :1] + pixels[np.ix_(y, after)] * across[:, 1:]
        for y in (above, below)
    ]
    sums = [
        ((row >> 4) * weight[:, np.newaxis, np.newaxis]) >> 16
        for row, weight in zip(rows, down.T, strict=True)
    ]
    return np.asarray((sums[0] + sums[1] + 2) >> 2, np.uint8)


def _neighbours(
    start: float, end: float, length: int, size: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.int32]]:
    """For each of ``size`` pixels the two that it lies between, and their weights ``(size, 2)``."""
    place = np.float32(start + (np.arange(size) + 0.5) * ((end - start) / size) - 0.5)
    first = np.floor(place).astype(np.intp)
    share = place - first
    weights = np.rint(np.stack([1 - share, share], -1) * np.float32(FIXED_POINT)).astype(np.int32)
    return np.clip(first, 0, length - 1), np.clip(first + 1, 0, length - 1), weights
