"""Every format, mode and orientation comes out as the same upright RGB."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import warnings
from pathlib import Path

import numpy as np
import pytest
from drawn_photos import FORMATS, difference, encode, grey_ramp, ramp, turned
from PIL import Image, ImageCms

from plant_classification import photos
from plant_classification.settings import Settings

LOSSY = 6.0
"""Largest mean difference, in steps of 1/255, that the lossy formats may make of the ramp."""


@pytest.mark.parametrize("kind", FORMATS)
def test_each_format_is_read_by_its_content(kind: str, settings: Settings) -> None:
    content = encode(ramp(), kind)
    photo = photos.read(content, settings, name="ramp.txt")
    assert difference(photo.pixels, ramp()) < LOSSY
    assert (photo.width, photo.height, photo.format) == (128, 96, kind)
    assert photo.name == "ramp.txt"
    assert photo.sha256 == hashlib.sha256(content).hexdigest()
    assert photo.pixels.dtype == np.uint8
    assert photo.pixels.flags.c_contiguous


@pytest.mark.parametrize("kind", FORMATS)
def test_the_first_frame_of_an_animation_is_taken(kind: str, settings: Settings) -> None:
    others = [Image.fromarray(255 - ramp()) for _ in range(3)]
    options = {} if kind == "JPEG" else {"save_all": True, "append_images": others}
    photo = photos.read(encode(ramp(), kind, **options), settings)
    assert difference(photo.pixels, ramp()) < LOSSY


def test_the_first_picture_of_a_multi_picture_jpeg_is_taken(settings: Settings) -> None:
    other = Image.fromarray(255 - ramp())
    content = encode(ramp(), "MPO", save_all=True, append_images=[other])
    photo = photos.read(content, settings)
    assert photo.format == "JPEG"
    assert difference(photo.pixels, ramp()) < LOSSY


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind != "GIF"])
def test_the_exif_orientation_is_applied(kind: str, orientation: int, settings: Settings) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(turned(ramp(), orientation))
    stored.info["exif"] = exif.tobytes()  # from here, pillow-heif writes the turn of HEIF itself
    options = {} if kind == "HEIF" else {"exif": exif}
    photo = photos.read(encode(stored, kind, **options), settings)
    assert (photo.width, photo.height) == (128, 96)
    assert difference(photo.pixels, ramp()) < LOSSY


def test_the_exif_orientation_of_heif_says_nothing(settings: Settings) -> None:
    """ISO/IEC 23008-12: the file's own ``irot`` and ``imir`` turn it, and EXIF repeats them."""
    exif = Image.Exif()
    exif[0x0112] = 6
    photo = photos.read(encode(ramp(), "HEIF", exif=exif), settings)
    assert difference(photo.pixels, ramp()) < LOSSY


@pytest.mark.parametrize("compression", ["raw", "tiff_deflate"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_compressed_tiff_is_turned_like_a_plain_one(
    compression: str, orientation: int, settings: Settings
) -> None:
    stored = turned(ramp(), orientation)
    content = encode(stored, "TIFF", compression=compression, tiffinfo={0x0112: orientation})
    photo = photos.read(content, settings)
    assert (photo.width, photo.height) == (128, 96)
    assert difference(photo.pixels, ramp()) == 0


@pytest.mark.filterwarnings("ignore:.*EXIF:UserWarning:PIL")
@pytest.mark.parametrize("exif", [b"Exif\0\0", b"Exif\0\0MM\0*\0\0\xff\xff", b"Exif\0\0junk" * 9])
def test_broken_exif_is_ignored(exif: bytes, settings: Settings) -> None:
    photo = photos.read(encode(ramp(), "JPEG", exif=exif), settings)
    assert difference(photo.pixels, ramp()) < LOSSY


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_unknown_orientation_is_ignored(orientation: int, settings: Settings) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = photos.read(encode(ramp(), "PNG", exif=exif), settings)
    assert difference(photo.pixels, ramp()) == 0


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_keeps_its_colours(kind: str, settings: Settings) -> None:
    content = encode(Image.fromarray(ramp()).convert("CMYK"), kind)
    assert difference(photos.read(content, settings).pixels, ramp()) < LOSSY


def test_ycbcr_keeps_its_colours(settings: Settings) -> None:
    content = encode(Image.fromarray(ramp()).convert("YCbCr"), "TIFF", compression="jpeg")
    assert difference(photos.read(content, settings).pixels, ramp()) < LOSSY


def test_lab_keeps_its_colours(settings: Settings) -> None:
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    picture = ImageCms.profileToProfile(Image.fromarray(ramp()), srgb, lab, outputMode="LAB")
    assert picture is not None
    assert difference(photos.read(encode(picture, "TIFF"), settings).pixels, ramp()) < LOSSY


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (grey_ramp(65535).astype(np.uint16), "PNG"),
        (grey_ramp(65535).astype(np.uint16), "TIFF"),
        (grey_ramp(65535).astype(">u2"), "TIFF"),
        (grey_ramp(65535).astype(np.int32), "TIFF"),
        (grey_ramp(255).astype(np.int32), "TIFF"),
        (grey_ramp(255).astype(np.uint8), "JPEG"),
        (grey_ramp(65535).astype(np.float32), "TIFF"),
        (grey_ramp(255).astype(np.float32), "TIFF"),
        ((grey_ramp(255) / 255).astype(np.float32), "TIFF"),
        ((grey_ramp(255) * 1e30 - 1e32).astype(np.float32), "TIFF"),
        ((grey_ramp(255) * 8_000_000 - 1_000_000_000).astype(np.int32), "TIFF"),
    ],
)
def test_grey_of_any_depth_is_scaled_and_not_clipped(
    values: np.ndarray, kind: str, settings: Settings
) -> None:
    pixels = photos.read(encode(values, kind), settings).pixels
    assert difference(pixels, np.repeat(grey_ramp(255)[..., None], 3, axis=-1)) < 1


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -7.0, 1e-45, 3e38])
def test_floats_of_any_value_are_read(value: float, settings: Settings) -> None:
    values = np.full((32, 32), value, np.float32)
    values[0, 0] = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert photos.read(encode(values, "TIFF"), settings).pixels.shape == (32, 32, 3)


def test_16_bit_colour_is_read(settings: Settings) -> None:
    """Pillow writes no such file; pillow-heif does, and it is converted to 8 bits."""
    import pillow_heif

    file = io.BytesIO()
    deep = np.ascontiguousarray(ramp().astype(np.uint16) * 257)
    pillow_heif.from_bytes("RGB;16", (128, 96), deep.tobytes()).save(file, quality=-1)
    assert difference(photos.read(file.getvalue(), settings).pixels, ramp()) < LOSSY


def half_clear(mode: str) -> Image.Image:
    """The ramp, its left half wholly transparent, its right half opaque."""
    picture = Image.fromarray(ramp()).convert(mode)
    picture.putalpha(
        Image.fromarray(np.where(np.arange(128) < 64, 0, 255).astype(np.uint8)[None].repeat(96, 0))
    )
    return picture


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "AVIF", "HEIF", "GIF"])
def test_transparency_lies_over_white(kind: str, settings: Settings) -> None:
    pixels = photos.read(encode(half_clear("RGBA"), kind), settings).pixels
    assert difference(pixels[:, :56], np.full((96, 56, 3), 255)) < LOSSY
    assert difference(pixels[:, 72:], ramp()[:, 72:]) < LOSSY


def test_half_transparent_black_is_grey(settings: Settings) -> None:
    content = encode(Image.new("RGBA", (32, 32), (0, 0, 0, 128)), "PNG")
    assert np.all(photos.read(content, settings).pixels == 127)


def test_grey_with_transparency_lies_over_white(settings: Settings) -> None:
    pixels = photos.read(encode(half_clear("L").convert("LA"), "PNG"), settings).pixels
    grey = np.asarray(Image.fromarray(ramp()).convert("L").convert("RGB"))
    assert np.all(pixels[:, :64] == 255)
    assert np.all(pixels[:, 64:] == grey[:, 64:])


@pytest.mark.parametrize("transparency", [1, bytes([255, 0])])
def test_a_transparent_palette_entry_is_white(
    transparency: int | bytes, settings: Settings
) -> None:
    picture = Image.new("P", (32, 32), 0)
    picture.putpalette([200, 0, 0, 0, 0, 200])
    picture.paste(1, (0, 0, 16, 32))
    pixels = photos.read(encode(picture, "PNG", transparency=transparency), settings).pixels
    assert np.all(pixels[:, :16] == 255)
    assert np.all(pixels[:, 16:] == (200, 0, 0))


def test_a_transparent_colour_is_white(settings: Settings) -> None:
    picture = Image.new("RGB", (32, 32), (9, 9, 9))
    picture.paste((200, 0, 0), (0, 0, 16, 32))
    pixels = photos.read(encode(picture, "PNG", transparency=(200, 0, 0)), settings).pixels
    assert np.all(pixels[:, :16] == 255)
    assert np.all(pixels[:, 16:] == 9)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "GIF"])
def test_black_and_white_stays_so(kind: str, settings: Settings) -> None:
    picture = Image.fromarray(ramp()).convert("1")
    pixels = photos.read(encode(picture, kind), settings).pixels
    assert np.array_equal(pixels, np.asarray(picture.convert("RGB")))


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_large_jpeg_is_decoded_at_the_scale_that_is_needed(
    mode: str, orientation: int, progressive: bool, settings: Settings
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(turned(ramp(1000, 750), orientation)).convert(mode)
    content = encode(stored, "JPEG", quality=95, exif=exif, progressive=progressive)
    upright = Image.fromarray(ramp(1000, 750)).convert(mode).convert("RGB")
    for shorter_side, height in [
        (751, 750),
        (376, 750),
        (375, 375),
        (188, 375),
        (93, 94),
        (20, 94),
    ]:
        photo = photos.read(content, settings, shorter_side=shorter_side)
        assert (photo.width, photo.height) == (1000, 750)
        assert photo.pixels.shape[0] == height
        small = upright.resize(photo.pixels.shape[1::-1], Image.Resampling.BOX)
        assert difference(photo.pixels, np.asarray(small)) < LOSSY


def test_a_photo_of_90_megapixels_is_read_without_a_warning(settings: Settings) -> None:
    content = encode(Image.new("L", (9500, 9500), 80), "JPEG")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        photo = photos.read(content, settings, shorter_side=224)
    assert (photo.width, photo.height) == (9500, 9500)
    assert photo.pixels.shape[0] == 1188


def test_a_real_photo_is_read_whole(flower: Path, settings: Settings) -> None:
    photo = photos.read(flower, settings)
    assert np.array_equal(photo.pixels, np.asarray(Image.open(flower)))
    assert photo.name == "flower.jpg"


def test_an_array_is_taken_as_it_is(settings: Settings) -> None:
    photo = photos.read(ramp(), settings)
    assert np.array_equal(photo.pixels, ramp())
    assert (photo.width, photo.height) == (128, 96)
    assert (photo.format, photo.sha256) == ("RGB array", None)


def test_a_photo_cannot_be_changed(settings: Settings) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        photos.read(ramp(), settings).name = "other"  # type: ignore[misc]
