"""Pictures that are no photos of plants, drawn by seed: easy ones, and ones that look like some."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

SIDE = 240
Random = np.random.Generator
Draw = Callable[[Random], Image.Image]
Colour = tuple[int, int, int]

SCRAPS: tuple[Colour, ...] = (
    (70, 130, 40),
    (110, 160, 60),
    (150, 180, 90),
    (190, 50, 40),
    (230, 220, 180),
)
OFTEN = (0.35, 0.25, 0.2, 0.1, 0.1)
"""Colours of what is in a salad, and how often each comes."""


def pictures(kinds: Mapping[str, Draw], each: int, seed: int) -> Iterator[NDArray[np.uint8]]:
    """So many pictures of each kind, ``uint8 (SIDE, SIDE, 3)``."""
    random = np.random.default_rng(seed)
    for draw in kinds.values():
        for _ in range(each):
            picture = draw(random).filter(ImageFilter.GaussianBlur(random.uniform(0, 1.5)))
            yield np.asarray(picture.convert("RGB"))


def noise(random: Random) -> Image.Image:
    """Coloured squares or clouds."""
    cells = int(random.choice([4, 8, 16, 32, 64]))
    values = random.integers(0, 256, (cells, cells, 3), np.uint8)
    smooth = random.choice([Image.Resampling.NEAREST, Image.Resampling.BICUBIC])
    return Image.fromarray(values).resize((SIDE, SIDE), int(smooth))


def stripes(random: Random) -> Image.Image:
    """Stripes or a chequered pattern in two colours."""
    place = np.arange(SIDE) // random.integers(4, 40)
    grid = place[np.newaxis] + (place[:, np.newaxis] if random.random() < 0.5 else 0)
    pair = random.integers(0, 256, (2, 3))
    return Image.fromarray(np.uint8(pair[np.broadcast_to(grid, (SIDE, SIDE)) % 2]))


def shapes(random: Random) -> Image.Image:
    """Discs and boxes."""
    sheet = _ground(random, (0, 255))
    draw = ImageDraw.Draw(sheet)
    for _ in range(random.integers(3, 40)):
        x, y = random.integers(-30, SIDE, 2)
        width, height = random.integers(5, 120, 2)
        form = draw.ellipse if random.random() < 0.5 else draw.rectangle
        form((int(x), int(y), int(x + width), int(y + height)), fill=_colour(random, (0, 255)))
    return sheet


def text(random: Random) -> Image.Image:
    """A printed page."""
    sheet = _ground(random, (200, 255))
    draw = ImageDraw.Draw(sheet)
    for line in range(4, SIDE, 14):
        letters = random.integers(97, 123, random.integers(10, 40))
        draw.text((6, line), "".join(map(chr, letters)), fill=_colour(random, (0, 90)))
    return sheet


def textile(random: Random) -> Image.Image:
    """A printed cloth: the same flower again and again over a weave."""
    sheet = _ground(random, (20, 240))
    petals, size = int(random.integers(4, 9)), float(random.uniform(10, 24))
    colours = _colour(random, (60, 255)), _colour(random, (60, 255))
    step = int(size * random.uniform(2.2, 3))
    for row, y in enumerate(range(0, SIDE + step, step)):
        for x in range((row % 2) * step // 2, SIDE + step, step):
            _flower(sheet, (x, y), size, petals, colours, 0.0)
    threads = 10 * np.sin(np.arange(SIDE))[:, np.newaxis, np.newaxis]
    weave = random.normal(scale=8, size=(SIDE, SIDE, 1)) + threads
    return Image.fromarray(np.uint8(np.clip(np.asarray(sheet) + weave, 0, 255)))


def painted_flower(random: Random) -> Image.Image:
    """A flower as children paint it, or a plastic one: flat colours, the same petals."""
    sheet = _ground(random, (120, 255))
    draw = ImageDraw.Draw(sheet)
    x, y = random.uniform(80, 160, 2)
    draw.line((x, y, x + random.uniform(-30, 30), SIDE), fill=(30, 140, 40), width=7)
    colours = _colour(random, (80, 255)), _colour(random, (150, 255))
    petals, turn = int(random.integers(5, 13)), float(random.uniform(0, 6))
    _flower(sheet, (x, y), float(random.uniform(40, 75)), petals, colours, turn)
    return sheet


def salad(random: Random) -> Image.Image:
    """Green, red and white scraps on a plate."""
    sheet = _ground(random, (60, 200))
    draw = ImageDraw.Draw(sheet)
    draw.ellipse((10, 10, SIDE - 10, SIDE - 10), fill=(235, 235, 230))
    for _ in range(160):
        angle, far = random.uniform(0, 2 * math.pi), 90 * math.sqrt(random.uniform())
        centre = SIDE / 2 + far * math.cos(angle), SIDE / 2 + far * math.sin(angle)
        corners = [
            (centre[0] + random.normal(scale=11), centre[1] + random.normal(scale=11))
            for _ in range(6)
        ]
        draw.polygon(corners, fill=_near(random, SCRAPS[random.choice(5, p=OFTEN)]))
    return sheet


def fungus(random: Random) -> Image.Image:
    """Caps and stems on brown ground."""
    sheet = _speckled(random, (90, 70, 45), 22)
    draw = ImageDraw.Draw(sheet)
    for _ in range(random.integers(1, 5)):
        x, y, width = random.uniform(50, 190), random.uniform(70, 170), random.uniform(25, 60)
        stem = _near(random, (225, 215, 190))
        draw.rectangle((x - width / 6, y, x + width / 6, y + width), fill=stem)
        cap = _near(random, [(170, 60, 40), (140, 100, 60), (220, 200, 160)][random.integers(3)])
        draw.pieslice((x - width, y - width / 1.5, x + width, y + width / 1.5), 180, 360, fill=cap)
        for _ in range(random.integers(0, 12)):
            a, b = x + random.uniform(-0.7, 0.7) * width, y - random.uniform(0.05, 0.4) * width
            draw.ellipse((a - 3, b - 3, a + 3, b + 3), fill=(240, 235, 225))
    return sheet


def coral(random: Random) -> Image.Image:
    """Branches without leaves in blue water."""
    sheet = _speckled(random, (20, 70, 120), 10)
    draw = ImageDraw.Draw(sheet)
    colour = _near(random, [(230, 130, 110), (235, 200, 150), (200, 90, 160)][random.integers(3)])

    def branch(x: float, y: float, angle: float, length: float, width: float) -> None:
        to = x + length * math.cos(angle), y - length * math.sin(angle)
        draw.line((x, y, *to), fill=colour, width=max(2, int(width)))
        if length > 9:
            for side in (-1, 1):
                turn = angle + side * random.uniform(0.25, 0.7)
                branch(*to, turn, length * random.uniform(0.65, 0.85), width * 0.75)

    branch(SIDE / 2, SIDE - 10.0, math.pi / 2, 55.0, 14.0)
    return sheet


def lawn(random: Random) -> Image.Image:
    """Grass from afar under the sky, perhaps with a path."""
    horizon = int(random.uniform(0.15, 0.5) * SIDE)
    sheet = _speckled(random, (75, 125, 50), 18)
    draw = ImageDraw.Draw(sheet)
    draw.rectangle((0, 0, SIDE, horizon), fill=_near(random, (150, 190, 230)))
    if random.random() < 0.5:
        draw.polygon(
            [(110, horizon), (125, horizon), (190, SIDE), (60, SIDE)], fill=(180, 170, 150)
        )
    return sheet


EASY: Mapping[str, Draw] = {"noise": noise, "stripes": stripes, "shapes": shapes, "text": text}
HARD: Mapping[str, Draw] = {
    "textiles": textile,
    "painted and plastic flowers": painted_flower,
    "salads": salad,
    "fungi": fungus,
    "corals": coral,
    "lawns from afar": lawn,
}


def _colour(random: Random, between: tuple[int, int]) -> Colour:
    red, green, blue = (int(value) for value in random.integers(*between, 3))
    return red, green, blue


def _near(random: Random, colour: Colour) -> Colour:
    red, green, blue = (int(np.clip(value + random.normal(scale=15), 0, 255)) for value in colour)
    return red, green, blue


def _ground(random: Random, between: tuple[int, int]) -> Image.Image:
    return Image.new("RGB", (SIDE, SIDE), _colour(random, between))


def _speckled(random: Random, colour: Colour, scale: float) -> Image.Image:
    values = np.array(colour) + random.normal(scale=scale, size=(SIDE, SIDE, 1))
    return Image.fromarray(np.uint8(np.clip(values, 0, 255)))


def _flower(
    sheet: Image.Image,
    centre: tuple[float, float],
    size: float,
    petals: int,
    colours: tuple[Colour, Colour],
    turn: float,
) -> None:
    draw = ImageDraw.Draw(sheet)
    x, y = centre
    for petal in range(petals):
        angle = turn + 2 * math.pi * petal / petals
        a, b = x + 0.6 * size * math.cos(angle), y + 0.6 * size * math.sin(angle)
        wide = size * min(0.45, 1.6 / petals)
        draw.ellipse((a - wide, b - wide, a + wide, b + wide), fill=colours[0])
    core = 0.3 * size
    draw.ellipse((x - core, y - core, x + core, y + core), fill=colours[1])
