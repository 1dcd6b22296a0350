"""How pixels are changed where they are: blur, noise, colour, black squares.

Each function takes ``uint8 (H, W, 3)`` RGB and a source of chance, and gives the same shape; what
it is given may be changed.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

BLUR_SIDES = (3, 5, 7)
MEDIAN_SIDES = (3, 5)
"""A median of 7 pixels takes twelve times as long as one of 5."""

CLIP_LIMITS = (1.0, 4.0)
TILES = (8, 8)
SQUARES = 8
SQUARE_SIDES = (0.05, 0.25)
YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
"""Red, green and blue to luma and two axes of colour (NTSC 1953): hue is an angle between these."""

FROM_YIQ = np.linalg.inv(YIQ)

Pixels = NDArray[np.uint8]
Random = np.random.Generator
Change = Callable[[Pixels, Random], Pixels]


def blurred(pixels: Pixels, random: Random) -> Pixels:
    """Give each pixel the median, the mean, or the mean along a line, of its neighbourhood."""
    kind = random.integers(3)
    if kind == 0:
        return np.asarray(cv2.medianBlur(pixels, MEDIAN_SIDES[random.integers(2)]), np.uint8)
    side = BLUR_SIDES[random.integers(3)]
    if kind == 1:
        return np.asarray(cv2.blur(pixels, (side, side)), np.uint8)
    middle, angle = side // 2, random.uniform(0, math.pi)
    x, y = round(middle * math.cos(angle)), round(middle * math.sin(angle))
    line = np.zeros((side, side), np.float32)
    cv2.line(line, (middle - x, middle - y), (middle + x, middle + y), 1.0)
    return np.asarray(cv2.filter2D(pixels, -1, line / line.sum()), np.uint8)


def noisy(pixels: Pixels, random: Random) -> Pixels:
    """One of seven: local contrast, sharpness, relief, brightness, contrast, cast or gamma."""
    return NOISES[random.integers(len(NOISES))](pixels, random)


def _equalized(pixels: Pixels, random: Random) -> Pixels:
    """Contrast-limited adaptive histogram equalization of the luma (Zuiderveld 1994)."""
    parts = cv2.cvtColor(pixels, cv2.COLOR_RGB2YCrCb)
    parts[..., 0] = cv2.createCLAHE(random.uniform(*CLIP_LIMITS), TILES).apply(parts[..., 0])
    return np.asarray(cv2.cvtColor(parts, cv2.COLOR_YCrCb2RGB), np.uint8)


def _sharpened(pixels: Pixels, random: Random) -> Pixels:
    light = random.uniform(0.5, 1.0)
    return _mixed_with(pixels, [[-1, -1, -1], [-1, 8 + light, -1], [-1, -1, -1]], random)


def _embossed(pixels: Pixels, random: Random) -> Pixels:
    s = random.uniform(0.2, 0.7)
    return _mixed_with(pixels, [[-1 - s, -s, 0], [-s, 1, s], [0, s, 1 + s]], random)


def _mixed_with(pixels: Pixels, kernel: list[list[float]], random: Random) -> Pixels:
    """A fifth to a half of what a kernel makes of the pixels, and the rest as they are."""
    share = random.uniform(0.2, 0.5)
    mixed = share * np.array(kernel)
    mixed[1, 1] += 1 - share
    return np.asarray(cv2.filter2D(pixels, -1, mixed), np.uint8)


def _brighter(pixels: Pixels, random: Random) -> Pixels:
    return _linear(pixels, np.eye(3) * random.uniform(0.8, 1.2))


def _contrasted(pixels: Pixels, random: Random) -> Pixels:
    factor, mean = random.uniform(0.8, 1.2), np.mean(cv2.mean(pixels)[:3])
    return _linear(pixels, np.eye(3) * factor, (1 - factor) * mean)


def _cast(pixels: Pixels, random: Random) -> Pixels:
    return _linear(pixels, np.eye(3), random.uniform(-20, 20, 3))


def _with_gamma(pixels: Pixels, random: Random) -> Pixels:
    levels = np.rint(255 * np.linspace(0, 1, 256) ** random.uniform(0.8, 1.25)).astype(np.uint8)
    return np.asarray(cv2.LUT(pixels, levels), np.uint8)


NOISES: tuple[Change, ...] = (
    _equalized,
    _sharpened,
    _embossed,
    _brighter,
    _contrasted,
    _cast,
    _with_gamma,
)


def recoloured(pixels: Pixels, random: Random) -> Pixels:
    """Turn the hue by up to 40 degrees, change the colour by up to 30 %, the luma by 20 of 255."""
    angle, factor = math.radians(random.uniform(-40, 40)), random.uniform(0.7, 1.3)
    turn = np.eye(3)
    turn[1:, 1:] = factor * np.array(
        [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    )
    return _linear(pixels, FROM_YIQ @ turn @ YIQ, random.uniform(-20, 20))


def grey(pixels: Pixels, _random: Random) -> Pixels:
    """Take all colour away, the luma stays."""
    return _linear(pixels, np.repeat(YIQ[:1], 3, axis=0))


def _linear(
    pixels: Pixels, matrix: NDArray[np.float64], shift: float | NDArray[np.float64] = 0.0
) -> Pixels:
    """``matrix`` times red, green and blue, plus ``shift``."""
    shifts = np.broadcast_to(shift, 3)
    return np.asarray(cv2.transform(pixels, np.column_stack([matrix, shifts])), np.uint8)


def cut_out(pixels: Pixels, random: Random) -> Pixels:
    """Black squares around any places of the view; some reach beyond it (DeVries & Taylor 2017)."""
    size = len(pixels)
    halves = random.uniform(*SQUARE_SIDES, (SQUARES, 1)) * size / 2
    places = random.uniform(0, size, (SQUARES, 2))
    edges = np.rint(np.maximum(np.hstack([places - halves, places + halves]), 0)).astype(int)
    for top, left, bottom, right in edges.tolist():
        pixels[top:bottom, left:right] = 0
    return pixels
