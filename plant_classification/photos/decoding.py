"""From the bytes of a file to upright RGB: judged by content, measured before it is decoded."""

from __future__ import annotations

import dataclasses
import importlib
import io

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageFile

from plant_classification.errors import PhotoError, UnsupportedFormatError
from plant_classification.photos.tiff_tags import bound_tags
from plant_classification.settings import Settings

DECODERS = {
    "JPEG": ("PIL.JpegImagePlugin", "JpegImageFile"),
    "PNG": ("PIL.PngImagePlugin", "PngImageFile"),
    "WEBP": ("PIL.WebPImagePlugin", "WebPImageFile"),
    "GIF": ("PIL.GifImagePlugin", "GifImageFile"),
    "TIFF": ("PIL.TiffImagePlugin", "TiffImageFile"),
    "AVIF": ("PIL.AvifImagePlugin", "AvifImageFile"),
    "HEIF": ("pillow_heif", "HeifImageFile"),
}
"""The only decoders that bytes can reach: ``Image.open`` would try others, and warn of large photos
long before ``max_pixels``."""

FORMATS_READ = "JPEG, PNG, WebP, GIF, TIFF, AVIF or HEIC"
SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),
    (b"MM\x00+", "TIFF"),
)
AVIF_BRANDS = {b"avif", b"avis"}
HEIF_BRANDS = {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs"}
HEIF_BRANDS |= {b"mif1", b"msf1"}

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What turns a photo upright, by its EXIF orientation (CIPA DC-008, tag 0x0112)."""

SIDES_SWAPPED = {5, 6, 7, 8}
START_OF_SCAN = b"\xff\xda"
MOST_SCANS = 20
"""Scans of a JPEG that has the most pixels; a smaller one may have more. Encoders write 10."""

FULL_SCALES = (1.0, 255.0, 65535.0)
"""Largest values that grey photos of 32 bits may be scaled to; 1 is for floating point alone."""


@dataclasses.dataclass(frozen=True)
class Picture:
    """``uint8 (H, W, 3)`` upright RGB, the size of the upright file in pixels, and its format."""

    pixels: NDArray[np.uint8]
    width: int
    height: int
    format: str


def decode(
    content: bytes, name: str, settings: Settings, *, shorter_side: int | None = None
) -> Picture:
    """Decode the first frame of a picture.

    Args:
        content: The whole file.
        name: What messages call it.
        settings: For ``max_pixels`` and ``min_side``.
        shorter_side: Pixels that are needed: a larger JPEG is decoded at 1/2, 1/4 or 1/8.

    Raises:
        UnsupportedFormatError: The content is none of the formats that are read.
        PhotoError: Truncated, corrupt, too small or too large.
    """
    kind = sniff(content)
    if kind is None:
        raise UnsupportedFormatError(
            f"{name} {'is empty' if not content else 'is not a picture that is read'}; "
            f"send a {FORMATS_READ} file."
        )
    try:
        return _decode(content, kind, name, settings, shorter_side)
    except PhotoError:
        raise
    except (MemoryError, Image.DecompressionBombError):
        raise PhotoError(f"{name} needs too much memory; send a smaller one.") from None
    except Exception:  # noqa: BLE001 - decoders raise anything at all for damaged bytes
        raise PhotoError(
            f"{name} looks like {kind} but is truncated or damaged; send the whole file."
        ) from None


def sniff(content: bytes) -> str | None:
    """The format that the first bytes announce, one of ``DECODERS``, or ``None``."""
    for signature, kind in SIGNATURES:
        if content.startswith(signature):
            return kind
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "WEBP"
    if content[4:8] == b"ftyp":
        end = min(int.from_bytes(content[:4], "big"), 256)
        brands = {content[i : i + 4] for i in (8, *range(16, end - 3, 4))}
        if brands & AVIF_BRANDS:
            return "AVIF"
        if brands & HEIF_BRANDS:
            return "HEIF"
    return None


def check_dimensions(width: int, height: int, name: str, settings: Settings) -> None:
    """Raise ``PhotoError`` for a photo that is larger or smaller than the settings allow."""
    if width * height > settings.max_pixels:
        raise PhotoError(
            f"{name} is {width}x{height}; a photo may have {settings.max_pixels:,} pixels. "
            "Send a smaller one."
        )
    if min(width, height) < settings.min_side:
        raise PhotoError(
            f"{name} is {width}x{height}; each side must have at least {settings.min_side} pixels. "
            "Send a larger one."
        )


def _decode(
    content: bytes, kind: str, name: str, settings: Settings, shorter_side: int | None
) -> Picture:
    bound_tags()
    module, decoder = DECODERS[kind]
    with getattr(importlib.import_module(module), decoder)(io.BytesIO(content)) as image:
        width, height = image.size
        check_dimensions(width, height, name, settings)
        _check_tiles(image, name, settings)
        if kind == "JPEG":
            _check_scans(content, width * height, name, settings)
            if shorter_side:
                image.draft(None, (shorter_side, shorter_side))
        image.load()
        orientation = _orientation(image)
        upright = _to_rgb(image)
    if orientation in TURNS:
        upright = upright.transpose(TURNS[orientation])
    if orientation in SIDES_SWAPPED:
        width, height = height, width
    return Picture(np.asarray(upright), width, height, kind)


def _check_tiles(image: ImageFile.ImageFile, name: str, settings: Settings) -> None:
    """A small TIFF may declare one tile of gigabytes, which is decoded whole."""
    tags = getattr(image, "tag_v2", {})
    sides = (tags.get(ExifTags.Base.TileWidth, 1), tags.get(ExifTags.Base.TileLength, 1))
    if sides[0] * sides[1] > settings.max_pixels:
        check_dimensions(*sides, name, settings)


def _check_scans(content: bytes, pixels: int, name: str, settings: Settings) -> None:
    """A few hundred bytes may repeat the scan of a progressive JPEG, and each goes over it all."""
    if content.count(START_OF_SCAN) * pixels > MOST_SCANS * settings.max_pixels:
        raise PhotoError(f"{name} would take too long to decode; save it as a plain JPEG.")


def _orientation(image: ImageFile.ImageFile) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # noqa: BLE001 - EXIF is written by everything, and a photo without is a good photo
        return 1


def _to_rgb(image: ImageFile.ImageFile) -> Image.Image:
    """Any mode of Pillow to RGB; transparency over white."""
    if image.mode == "RGB" and not image.has_transparency_data:
        return image
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_to_8_bits(np.asarray(image))).convert("RGB")
    if image.mode == "LAB":
        from PIL import ImageCms

        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        return ImageCms.buildTransform(lab, srgb, "LAB", "RGB").apply(image)
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(layer, mask=layer)
        return white
    return image.convert("RGB")


def _to_8_bits(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Grey of 16 or 32 bits or floats to ``uint8``, by the smallest full scale that holds them."""
    wide = np.float32 if values.dtype.itemsize == 2 else np.float64
    grey = np.nan_to_num(values.astype(wide), copy=False, posinf=0, neginf=0)
    low, high = float(grey.min()), float(grey.max())
    if values.dtype.itemsize == 2:
        full_scale = 65535.0
    elif low >= 0 and high <= FULL_SCALES[-1]:
        smallest = 0 if values.dtype.kind == "f" else 1
        full_scale = next(scale for scale in FULL_SCALES[smallest:] if high <= scale)
    else:
        grey -= low
        full_scale = high - low or 1.0
    grey *= 255 / full_scale
    return np.rint(grey, out=grey).astype(np.uint8)
