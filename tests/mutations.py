"""Photos with something wrong: the same seed gives the same ones."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from drawn_photos import FORMATS, encode, ramp
from PIL import Image

SIDES = (0, 1, 15, 16, 255, 4096, 16383, 65535, 2**24 - 1, 2**31 - 1, 2**32 - 1)
"""Widths and heights that a header is made to tell."""

ORDERS: tuple[Literal["big", "little"], ...] = ("big", "little")

VARIANTS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("JPEG", "RGB", {"progressive": True}),
    ("JPEG", "CMYK", {}),
    ("PNG", "P", {"transparency": 3}),
    ("PNG", "LA", {}),
    ("PNG", "I;16", {}),
    ("WEBP", "RGBA", {"lossless": True}),
    ("TIFF", "RGB", {"compression": "tiff_lzw"}),
    ("TIFF", "RGB", {"compression": "tiff_deflate"}),
    ("TIFF", "RGB", {"compression": "jpeg"}),
    ("TIFF", "CMYK", {"compression": "packbits"}),
    ("TIFF", "1", {"compression": "group4"}),
    ("TIFF", "F", {}),
    ("TIFF", "I", {}),
)


def mutated_photos(count: int, seed: int, flower: Path) -> Iterator[tuple[str, bytes]]:
    """Draw photos of every format and a real one, and damage each in one to three ways.

    Args:
        count: How many.
        seed: Of the choice.
        flower: A real JPEG.

    Yields:
        What was done, and the bytes.
    """
    chance = random.Random(seed)
    originals = list(_originals(flower))
    for number in range(count):
        name, content = originals[number % len(originals)]
        damages = chance.choices(DAMAGES, k=chance.randint(1, 3))
        for damage in damages:
            other = chance.choice(originals)[1]
            content = damage(content, other, chance)
        done = ", ".join(damage.__name__ for damage in damages)
        yield f"{seed}:{number} {name}: {done}", content


def _originals(flower: Path) -> Iterator[tuple[str, bytes]]:
    yield "flower", flower.read_bytes()
    real = Image.open(flower).resize((320, 214))
    drawn = Image.fromarray(ramp())
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "a plant"
    frames = [Image.fromarray(np.roll(ramp(), 9 * i, axis=1)) for i in range(3)]
    for kind in FORMATS:
        yield f"real {kind}", encode(real, kind, exif=exif)
        yield f"drawn {kind}", encode(drawn, kind)
        if kind != "JPEG":
            yield f"animated {kind}", encode(drawn, kind, save_all=True, append_images=frames)
    for kind, mode, options in VARIANTS:
        grey = drawn.convert("L") if mode.startswith("I") else drawn
        yield f"{mode} {kind}", encode(grey.convert(mode), kind, **options)


def bits_flipped(content: bytes, _: bytes, chance: random.Random) -> bytes:
    """Up to 64 bits, more often in the first bytes, where the structure is."""
    damaged = bytearray(content)
    end = chance.choice((64, 512, len(damaged)))
    for _count in range(chance.randint(1, 64)):
        if damaged:
            damaged[chance.randrange(min(end, len(damaged)))] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def end_cut(content: bytes, _: bytes, chance: random.Random) -> bytes:
    return content[: chance.randint(0, len(content))]


def middle_cut(content: bytes, _: bytes, chance: random.Random) -> bytes:
    start, end = sorted(chance.randint(0, len(content)) for _ in range(2))
    return content[:start] + content[end:]


def middle_doubled(content: bytes, _: bytes, chance: random.Random) -> bytes:
    start, end = sorted(chance.randint(0, len(content)) for _ in range(2))
    return content[:end] + content[start:]


def run_overwritten(content: bytes, _: bytes, chance: random.Random) -> bytes:
    start, length = chance.randint(0, len(content)), chance.randint(1, 200)
    filling = chance.choice((bytes(length), b"\xff" * length, chance.randbytes(length)))
    return content[:start] + filling + content[start + length :]


def number_overwritten(content: bytes, _: bytes, chance: random.Random) -> bytes:
    """A length, count or offset near the beginning."""
    start = chance.randint(0, min(400, len(content)))
    width = chance.choice((1, 2, 4, 8))
    value = chance.choice((0, 1, 2 ** (8 * width) - 1, 2 ** (8 * width - 1), len(content) % 256))
    return content[:start] + value.to_bytes(width, "big") + content[start + width :]


def size_changed(content: bytes, _: bytes, chance: random.Random) -> bytes:
    """Another width or height where the header tells the true one, in either order of bytes."""
    places = [
        (place, width, order)
        for side in (128, 96, 320, 214, 640, 427, 127, 95, 319, 213)
        for width in (4, 3, 2)
        for order in ORDERS
        if (place := content.find(side.to_bytes(width, order), 0, 600)) >= 0
    ]
    if not places:
        return content
    place, width, order = chance.choice(places)
    told = (chance.choice(SIDES) % (1 << 8 * width)).to_bytes(width, order)
    return content[:place] + told + content[place + width :]


def formats_spliced(content: bytes, other: bytes, chance: random.Random) -> bytes:
    """The beginning of one photo, the end of another."""
    return content[: chance.randint(0, len(content))] + other[chance.randint(0, len(other)) :]


DAMAGES: tuple[Callable[[bytes, bytes, random.Random], bytes], ...] = (
    bits_flipped,
    bits_flipped,
    end_cut,
    middle_cut,
    middle_doubled,
    run_overwritten,
    number_overwritten,
    size_changed,
    size_changed,
    formats_spliced,
)
