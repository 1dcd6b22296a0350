"""What is no photo, or not a whole one, or too much of one, is refused with the right status."""

from __future__ import annotations

import dataclasses
import functools
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from drawn_photos import FORMATS, encode, ramp
from PIL import Image

from plant_classification import photos
from plant_classification.errors import (
    PhotoError,
    TooManyBytesError,
    UnsupportedFormatError,
)
from plant_classification.settings import Settings

NO_PHOTOS = {
    "empty": b"",
    "text": b"a rose is a rose",
    "zeros": bytes(1000),
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="100" height="100"/>',
    "html": b"<!DOCTYPE html><html><body>404</body></html>",
    "pdf": b"%PDF-1.7\n1 0 obj\n",
    "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n",
    "eps with a preview": b"\xc5\xd0\xd3\xc6" + bytes(60),
    "zip": b"PK\x03\x04" + bytes(100),
    "mp4": b"\x00\x00\x00\x18ftypisom\x00\x00\x00\x00isommp41",
    "wav": b"RIFF\x00\x00\x00\x00WAVEfmt ",
    "bmp": encode(ramp(), "BMP"),
    "ppm": encode(ramp(), "PPM"),
    "ico": encode(ramp(), "ICO"),
    "jpeg 2000": encode(ramp(), "JPEG2000"),
}


@pytest.mark.parametrize("what", NO_PHOTOS)
def test_what_is_no_photo_is_refused_with_415_and_the_formats(
    what: str, settings: Settings
) -> None:
    with pytest.raises(UnsupportedFormatError, match=r"photo 2 is .*JPEG, PNG, WebP") as caught:
        photos.read(NO_PHOTOS[what], settings, name="photo 2")
    assert caught.value.status == 415


def test_an_eps_never_starts_ghostscript(tmp_path: Path, settings: Settings) -> None:
    """A ``gs`` in front of all others would leave its mark."""
    mark = tmp_path / "mark"
    ghostscript = tmp_path / "gs"
    ghostscript.write_text(f"#!/bin/sh\ntouch {mark}\n")
    ghostscript.chmod(0o755)
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(encode(ramp(), "EPS"))
    program = (
        "from plant_classification import photos, settings\n"
        f"photos.read({str(photo)!r}, settings.load_settings())"
    )
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    ended = subprocess.run(
        [sys.executable, "-c", program],
        check=False,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert "UnsupportedFormatError" in ended.stderr
    assert not mark.exists()


@functools.cache
def encoded(photo: Path, kind: str) -> bytes:
    return encode(Image.open(photo), kind)


@pytest.mark.parametrize("share", [0.02, 0.2, 0.5, 0.8, 0.95])
@pytest.mark.parametrize("kind", FORMATS)
def test_a_truncated_photo_is_refused_with_422(
    kind: str, share: float, flower: Path, settings: Settings
) -> None:
    content = encoded(flower, kind)
    with pytest.raises(PhotoError, match=r"cut\.jpg .*truncated or damaged") as caught:
        photos.read(content[: int(len(content) * share)], settings, name="cut.jpg")
    assert type(caught.value) is PhotoError
    assert caught.value.status == 422


@pytest.mark.parametrize("kind", FORMATS)
def test_noise_behind_a_true_beginning_is_refused_with_422(kind: str, settings: Settings) -> None:
    noise = np.random.default_rng(7).bytes(5000)
    beginning = {"WEBP": 16, "AVIF": 40, "HEIF": 40}.get(kind, 8)
    content = encode(ramp(), kind)[:beginning] + noise
    with pytest.raises(PhotoError) as caught:
        photos.read(content, settings)
    assert caught.value.status == 422


@pytest.mark.parametrize("kind", FORMATS)
def test_too_many_pixels_are_refused_with_422_and_both_numbers(
    kind: str, settings: Settings
) -> None:
    small = dataclasses.replace(settings, max_pixels=128 * 96 - 1)
    with pytest.raises(PhotoError, match=r"big\.png is 128x96; .*12,287 pixels") as caught:
        photos.read(encode(ramp(), kind), small, name="big.png")
    assert caught.value.status == 422
    exact = dataclasses.replace(settings, max_pixels=128 * 96)
    assert photos.read(encode(ramp(), kind), exact).width == 128


@pytest.mark.parametrize(("width", "height"), [(15, 200), (200, 15), (1, 1)])
def test_a_side_that_is_too_short_is_refused_with_422(
    width: int, height: int, settings: Settings
) -> None:
    for source in (
        encode(Image.new("RGB", (width, height)), "PNG"),
        np.zeros((height, width, 3), np.uint8),
    ):
        with pytest.raises(PhotoError, match=f"{width}x{height}; .*at least 16 pixels"):
            photos.read(source, settings)


def test_a_side_of_the_least_length_is_read(settings: Settings) -> None:
    assert photos.read(encode(Image.new("RGB", (16, 16)), "PNG"), settings).width == 16


def test_bytes_over_the_limit_are_refused_with_413(tmp_path: Path, settings: Settings) -> None:
    content = encode(ramp(), "PNG")
    path = tmp_path / "photo.png"
    path.write_bytes(content)
    small = dataclasses.replace(settings, max_photo_bytes=len(content) - 1)
    for source in (content, path, photos.Upload(path, "photo.png")):
        with pytest.raises(TooManyBytesError, match=f"{len(content) - 1:,} bytes") as caught:
            photos.read(source, small)
        assert caught.value.status == 413
        exact = dataclasses.replace(settings, max_photo_bytes=len(content))
        assert photos.read(source, exact).width == 128


def test_a_huge_file_is_measured_and_not_read(tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "huge.jpg"
    with path.open("wb") as file:
        file.truncate(10**12)
    with pytest.raises(TooManyBytesError):
        photos.read(path, settings)


def test_a_webp_canvas_of_the_largest_size_is_refused_with_422(settings: Settings) -> None:
    with pytest.raises(PhotoError) as caught:
        photos.read(webp_canvas(16383, 16383), settings)
    assert caught.value.status == 422


def repeated_scans(count: int) -> bytes:
    """A progressive JPEG of 128 by 96 pixels whose last scan comes so many times more."""
    content = encode(ramp(), "JPEG", progressive=True)
    start = content.rindex(b"\xff\xda")
    return content[:start] + content[start:-2] * (count + 1) + content[-2:]


def test_scans_that_would_take_long_are_refused_with_422(settings: Settings) -> None:
    """At 98 megapixels each repetition is 139 bytes and a tenth of a second."""
    small = dataclasses.replace(settings, max_pixels=128 * 96 * 2)
    assert photos.read(repeated_scans(10), small).width == 128
    with pytest.raises(PhotoError, match="too long to decode"):
        photos.read(repeated_scans(40), small)


def zeros_deflated(count: int) -> bytes:
    """What ``count`` zeros are compressed to, without holding them."""
    compressor = zlib.compressobj(9)
    pieces = [compressor.compress(bytes(1_000_000)) for _ in range(count // 1_000_000)]
    return b"".join(pieces) + compressor.flush()


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of 64 by 64 pixels unless the chunks begin with another header."""
    if chunks[0][0] != b"IHDR":
        chunks = (png_header(64, 64), *chunks)
    framed = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in (*chunks, (b"IEND", b""))
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


def png_header(width: int, height: int) -> tuple[bytes, bytes]:
    return b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)


def png_texts(kind: bytes, prefix: bytes) -> list[tuple[bytes, bytes]]:
    text = zeros_deflated(200_000_000)
    return [(kind, b"k%d" % i + prefix + text) for i in range(3)]


PNG_DATA = (b"IDAT", zlib.compress(bytes(64 * (64 * 3 + 1)), 9))


def tiff(*entries: tuple[int, int, int, int], behind: bytes = b"") -> bytes:
    """A little-endian TIFF of one directory: tag, type, count, value or offset."""
    directory = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return struct.pack("<2sHIH", b"II", 42, 8, len(entries)) + directory + bytes(4) + behind


def tiff_picture(compression: int) -> list[tuple[int, int, int, int]]:
    """The tags of 64 by 64 grey pixels."""
    grey = [(258, 3, 1, 8), (259, 3, 1, compression), (262, 3, 1, 1), (277, 3, 1, 1)]
    return [(256, 4, 1, 64), (257, 4, 1, 64), *grey]


def tiff_with_one_huge_tile(side: int) -> bytes:
    data = zeros_deflated(400_000_000)
    offset = 8 + 2 + 12 * 10 + 4
    tile = [(322, 4, 1, side), (323, 4, 1, side), (324, 4, 1, offset), (325, 4, 1, len(data))]
    return tiff(*tiff_picture(compression=8), *tile, behind=data)


def tiff_of_the_same_data_many_times(tags: int) -> bytes:
    offset = 8 + 2 + 12 * (8 + tags) + 4
    strip = [(273, 4, 1, offset), (279, 4, 1, 64 * 64)]
    repeated = [(40000 + i, 7, 4_000_000, offset) for i in range(tags)]
    return tiff(*tiff_picture(compression=1), *strip, *repeated, behind=bytes(4_000_000))


def exif_of_the_same_data_many_times(tags: int) -> bytes:
    offset = 8 + 2 + 12 * tags + 4
    repeated = [(40000 + i, 7, 4_000_000, offset) for i in range(tags)]
    return tiff(*repeated, behind=bytes(4_000_000))


def webp_canvas(width: int, height: int) -> bytes:
    sides = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    inside = encode(ramp(), "WEBP", lossless=True)[12:]
    body = b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + sides + inside
    return b"RIFF" + struct.pack("<I", len(body)) + body


def gif_with_a_frame_beyond_its_screen() -> bytes:
    content = bytearray(encode(Image.new("P", (16, 16)), "GIF"))
    start = content.index(b"\x2c\x00\x00\x00\x00")
    content[start + 5 : start + 9] = struct.pack("<HH", 65535, 65535)
    return bytes(content)


BOMBS: dict[str, Callable[[], bytes]] = {
    "png of 4 gigapixels": lambda: png(png_header(65000, 65000), PNG_DATA),
    "png text": lambda: png(*png_texts(b"zTXt", b"\0\0"), PNG_DATA),
    "png late text": lambda: png(PNG_DATA, *png_texts(b"iTXt", b"\0\1\0\0\0")),
    "png profile": lambda: png((b"iCCP", b"icc\0\0" + zeros_deflated(200_000_000)), PNG_DATA),
    "png data": lambda: png((b"IDAT", zeros_deflated(200_000_000))),
    "png exif": lambda: png((b"eXIf", exif_of_the_same_data_many_times(2000)), PNG_DATA),
    "tiff tile": lambda: tiff_with_one_huge_tile(32768),
    "tiff tags": lambda: tiff_of_the_same_data_many_times(2000),
    "webp canvas": lambda: webp_canvas(12000, 14000),
    "gif frame": gif_with_a_frame_beyond_its_screen,
}

MEMORY_PROGRAM = """
import pathlib, sys
from plant_classification import errors, photos, settings
folder = pathlib.Path(sys.argv[1])
chosen = settings.load_settings()
def peak():  # ru_maxrss would begin with the parent's
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024
def read(path):
    try:
        photos.read(path, chosen)
    except errors.PhotoError:
        pass
read(folder / "plain.png"), read(folder / "plain.webp"), read(folder / "plain.tiff")
before = peak()
read(folder / "bomb")
print(peak() - before)
"""


@pytest.mark.parametrize("what", BOMBS)
def test_a_bomb_takes_no_memory(what: str, tmp_path: Path) -> None:
    """Peak memory, in a process of its own: at most 100 MB, where the bombs mean far more."""
    for kind in ("PNG", "WEBP", "TIFF"):
        (tmp_path / f"plain.{kind.lower()}").write_bytes(encode(ramp(), kind))
    (tmp_path / "bomb").write_bytes(BOMBS[what]())
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", MEMORY_PROGRAM, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(ended.stdout) < 100_000_000
