"""A limit to what the tags of a TIFF or EXIF directory name, which Pillow has from version 13.

Many tags may name the same bytes, and Pillow 12, the last for Python 3.10, copies them for each:
4 MB become gigabytes. This module goes when Python 3.10 does.
"""

from __future__ import annotations

import functools
import io
from typing import IO

import PIL

SLACK = 1_000_000
"""Bytes that a directory may read beyond those that there are."""


class BoundedReader:
    """A file that can be read once over and no more, however often its reader goes back."""

    def __init__(self, file: IO[bytes]) -> None:
        here = file.tell()
        self._left = file.seek(0, io.SEEK_END) + SLACK
        file.seek(here)
        self._file = file
        self.seek = file.seek
        self.tell = file.tell

    def read(self, size: int = -1) -> bytes:
        """As a file does; raises ``ValueError`` when it was too much in all."""
        data = self._file.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise ValueError("tags that name more bytes than there are")
        return data


@functools.cache
def bound_tags() -> None:
    """Give Pillow's directories of tags this limit, for the whole process."""
    if int(PIL.__version__.partition(".")[0]) >= 13:
        return
    from PIL import TiffImagePlugin

    class BoundedDirectory(TiffImagePlugin.ImageFileDirectory_v2):
        def load(self, fp: IO[bytes]) -> None:
            super().load(BoundedReader(fp))  # type: ignore[arg-type]

    TiffImagePlugin.ImageFileDirectory_v2 = BoundedDirectory  # type: ignore[misc]
