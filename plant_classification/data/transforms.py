"""How one photo is changed: from its pixels and random numbers to a view of the network's size.

Cropping, resizing, perspective and rotation are one projective transformation, so that pixels are
interpolated once and a changed photo is as sharp as one that is served. It needs OpenCV, not
TensorFlow.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from plant_classification.data.augmentation import Augmentation
from plant_classification.data.pixel_changes import blurred, cut_out, grey, noisy, recoloured

REACH = 0.1
"""How far a corner moves inwards at most for another perspective, as a fraction of the side."""

LARGEST_SCALE = math.sqrt(5)
"""Pixels for one of the view that three equal weights make up for."""

cv2.setNumThreads(0)  # whole photos go side by side, not parts of one

Pixels = NDArray[np.uint8]
Random = np.random.Generator


class Box(NamedTuple):
    """A rectangle in whole pixels; it may reach beyond the photo."""

    left: int
    top: int
    width: int
    height: int

    def fewer(self, by: int) -> Box:
        """The pixels that it touches of the photo reduced to one of ``by`` pixels each way."""
        left, top = self.left // by, self.top // by
        right, bottom = -(-(self.left + self.width) // by), -(-(self.top + self.height) // by)
        return Box(left, top, right - left, bottom - top)

    def within(self, width: int, height: int) -> tuple[int, int, int, int]:
        """The part of it that the photo has: left, top, right, bottom."""
        right, bottom = min(self.left + self.width, width), min(self.top + self.height, height)
        return max(self.left, 0), max(self.top, 0), right, bottom


def crop_box(augmentation: Augmentation, width: int, height: int, random: Random) -> Box:
    """Draw what of a photo is seen, anywhere in it.

    Args:
        augmentation: For ``crop``, ``zoom``, ``zoom_out`` and ``aspect``.
        width: Of the upright photo, in pixels.
        height: The same.
        random: The source of chance.
    """
    fraction = augmentation.crop - augmentation.zoom * random.random()
    fraction /= 1 - augmentation.zoom_out * random.random()
    longer = fraction * min(width, height)
    shorter = longer * (1 - augmentation.aspect * random.random())
    across, down = (longer, shorter) if random.random() < 0.5 else (shorter, longer)
    across, down = max(round(across), 1), max(round(down), 1)
    left, top = random.random() * (width - across), random.random() * (height - down)
    return Box(round(left), round(top), across, down)


def shorter_side(augmentation: Augmentation, size: int) -> int:
    """Pixels of a photo's shorter side that give every crop as many as the network takes."""
    smallest = (augmentation.crop - augmentation.zoom) * (1 - augmentation.aspect)
    return math.ceil(size / smallest)


def augmented(pixels: Pixels, size: int, augmentation: Augmentation, random: Random) -> Pixels:
    """A changed view of a photo.

    Args:
        pixels: ``uint8 (H, W, 3)`` RGB, upright.
        size: Side of the view.
        augmentation: What is changed, and how often.
        random: The source of chance: the same state gives the same view.

    Returns:
        ``uint8 (size, size, 3)`` RGB.
    """
    height, width = pixels.shape[:2]
    box = crop_box(augmentation, width, height, random)
    return view(pixels, box, size, augmentation, random)


def shrunk(pixels: Pixels, side: int) -> Pixels:
    """A photo whose shorter side has at most so many pixels, the aspect kept."""
    height, width = pixels.shape[:2]
    if min(height, width) <= side:
        return pixels
    factor = side / min(height, width)
    smaller = round(width * factor), round(height * factor)
    return np.asarray(cv2.resize(pixels, smaller, interpolation=cv2.INTER_AREA), np.uint8)


def view(pixels: Pixels, box: Box, size: int, augmentation: Augmentation, random: Random) -> Pixels:
    """The rest of :func:`augmented`, once the box is drawn; what lies beyond mirrors the pixels.

    Args:
        pixels: ``uint8 (H, W, 3)`` RGB, upright; enough that they cover the part of the photo that
            lies in the box.
        box: In pixels of these.
        size: Side of the view.
        augmentation: What is changed, and how often.
        random: The source of chance.

    Returns:
        ``uint8 (size, size, 3)`` RGB.
    """
    height, width = pixels.shape[:2]
    left, top, right, bottom = box.within(width, height)
    box = box._replace(left=box.left - left, top=box.top - top)
    part, box = _reduced(pixels[top:bottom, left:right], box, size)
    part = _softened(part, box, size)
    seen = _placed(part, box, _change_of_place(augmentation, random), size)
    for axis, share in ((1, augmentation.h_flip), (0, augmentation.v_flip)):
        if random.random() < share:
            seen = np.asarray(cv2.flip(seen, axis), np.uint8)
    for share, change in (
        (augmentation.blur, blurred),
        (augmentation.pixel_noise, noisy),
        (augmentation.pixel_sat, recoloured),
        (augmentation.grey, grey),
        (augmentation.cutout, cut_out),
    ):
        if random.random() < share:
            seen = change(seen, random)
    return seen


def _reduced(pixels: Pixels, box: Box, size: int) -> tuple[Pixels, Box]:
    """Take the means of whole pixels until three weights are enough for the rest."""
    by = math.ceil(min(box.width, box.height) / size / LARGEST_SCALE)
    if by < 2:
        return pixels, box
    height, width = pixels.shape[:2]
    fewer = -(-width // by), -(-height // by)
    smaller = cv2.resize(pixels, fewer, interpolation=cv2.INTER_AREA)
    return np.asarray(smaller, np.uint8), box.fewer(by)


def _softened(pixels: Pixels, box: Box, size: int) -> Pixels:
    """What serving's filter does before pixels are left out.

    Serving weighs the pixels by a triangle as wide as two of the view's: its variance is a sixth of
    the squared scale. Interpolation has a sixth of one pixel; three weights add the rest.
    """
    across, down = (
        min(max((side / size) ** 2 - 1, 0.0) / 12, 1 / 3) for side in (box.width, box.height)
    )
    if max(across, down) < 0.02:
        return pixels
    weights = [np.array([w, 1 - 2 * w, w], np.float32) for w in (across, down)]
    return np.asarray(cv2.sepFilter2D(pixels, -1, weights[0], weights[1]), np.uint8)


def _change_of_place(augmentation: Augmentation, random: Random) -> NDArray[np.float64] | None:
    """Where each place of the view comes from: a ``(3, 3)`` matrix of the unit square, or None."""
    matrix = None
    if random.random() < augmentation.stretch:
        square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
        inwards = REACH * random.random((4, 2)).astype(np.float32) * (1 - 2 * square)
        matrix = np.asarray(cv2.getPerspectiveTransform(square, square + inwards), np.float64)
    if random.random() < augmentation.rot:
        angle = math.radians(augmentation.rot_lim * random.uniform(-1, 1))
        c, s = math.cos(angle), math.sin(angle)
        turn = np.array([[c, -s, (1 - c + s) / 2], [s, c, (1 - c - s) / 2], [0.0, 0.0, 1.0]])
        matrix = turn if matrix is None else matrix @ turn
    return matrix


def _placed(pixels: Pixels, box: Box, matrix: NDArray[np.float64] | None, size: int) -> Pixels:
    height, width = pixels.shape[:2]
    if matrix is None and box == (0, 0, width, height):
        return np.asarray(cv2.resize(pixels, (size, size)), np.uint8)
    to_square = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, size]]) / size
    to_pixels = np.array(
        [[box.width, 0, box.left - 0.5], [0, box.height, box.top - 0.5], [0, 0, 1]]
    )
    seen = cv2.warpPerspective(
        cv2.cvtColor(pixels, cv2.COLOR_RGB2RGBA),  # four channels take less time than three
        to_pixels @ (np.eye(3) if matrix is None else matrix) @ to_square,
        (size, size),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    return np.asarray(cv2.cvtColor(seen, cv2.COLOR_RGBA2RGB), np.uint8)
