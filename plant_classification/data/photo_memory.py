"""Photos kept in memory while a network is trained, where it holds them."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from plant_classification import photos
from plant_classification.data.augmentation import Augmentation
from plant_classification.data.transforms import augmented, shrunk
from plant_classification.errors import ArgumentError
from plant_classification.settings import Settings

TIMES = 2
"""The shorter side of a kept photo over the network's."""

ASPECT = 1.5
"""The longer side over the shorter one: that of most cameras."""

SHARE = 0.8
"""Of the memory that is free."""

MEMORY = Path("/proc/meminfo")
CONTAINER = Path("/sys/fs/cgroup")


class PhotoMemory:
    """Gives changed views of photos, each of which is read once.

    Args:
        count: How many photos there are.
        size: Side of the view in pixels; the shorter side of what is kept has twice as many.
        augmentation: How photos are changed.
        settings: For the limits of a photo.

    Raises:
        ArgumentError: There is not enough memory.
    """

    def __init__(
        self, count: int, size: int, augmentation: Augmentation, settings: Settings
    ) -> None:
        self._left = needed_memory(count, size)
        free = free_memory()
        if free is not None and self._left > SHARE * free:
            raise ArgumentError(
                f"A cache of {count:,} photos needs {self._left / 1e9:.1f} GB of memory, and "
                f"{free / 1e9:.1f} GB are free; set cache to false.",
                field="cache",
            )
        self._size, self._augmentation, self._settings = size, augmentation, settings
        self._photos: dict[Path, NDArray[np.uint8]] = {}

    def __call__(self, path: Path, random: np.random.Generator) -> NDArray[np.uint8]:
        """A changed view, ``uint8 (size, size, 3)``; raises what ``photos.read`` raises."""
        pixels = self._photos.get(path)
        if pixels is None:
            side = TIMES * self._size
            photo = photos.read(path, self._settings, shorter_side=side)
            pixels = shrunk(photo.pixels, side)
            if self._left >= pixels.nbytes:  # more only where photos are longer than most
                self._left -= pixels.nbytes
                self._photos[path] = pixels
        return augmented(pixels, self._size, self._augmentation, random)


def needed_memory(count: int, size: int) -> int:
    """Bytes that so many photos take, for a network of so many pixels a side."""
    return int(count * 3 * ASPECT * (TIMES * size) ** 2)


def free_memory() -> int | None:
    """Bytes that this process may still take, or None where that is not known."""
    known = []
    with contextlib.suppress(OSError, ValueError):
        known.append(_left_in(CONTAINER))
    with contextlib.suppress(OSError, AttributeError):
        found = re.search(r"MemAvailable: *(\d+) kB", MEMORY.read_text("ascii"))
        known.append(int(found[1]) * 1024)  # type: ignore[index]
    return min(known, default=None)


def _left_in(container: Path) -> int:
    """Bytes up to a container's limit; what its files have in memory counts as free.

    Raises:
        OSError, ValueError: It has no limit.
    """
    limit, used = (
        int((container / name).read_text("ascii")) for name in ("memory.max", "memory.current")
    )
    found = re.search(
        r"^inactive_file (\d+)$", (container / "memory.stat").read_text(), re.MULTILINE
    )
    return limit - used + int(found[1] if found else 0)
