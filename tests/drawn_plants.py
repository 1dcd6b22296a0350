"""A drawn data set: a folder for each species, its photos alike and unlike those of the others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from drawn_photos import encode

SPECIES = ("Acer rubrum", "Bellis perennis", "Crocus vernus", "Dianthus deltoides")


def draw_plants(folder: Path, species: int = 3, photos: int = 8, seed: int = 0) -> Path:
    """Make it, with stripes and blots of a colour for each species; 96x80 JPEGs."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[0:80, 0:96]
    for number, name in enumerate(SPECIES[:species]):
        (folder / name).mkdir(parents=True)
        for photo in range(photos):
            phase, noise = generator.uniform(0, 6), generator.normal(0, 12, (80, 96, 3))
            angle = number * np.pi / species + generator.normal(0, 0.05)
            stripes = np.sin((x * np.cos(angle) + y * np.sin(angle)) / (3 + number) + phase)
            colour = np.array([60 + 60 * number, 200 - 50 * number, 90])
            pixels = colour + 50 * stripes[..., np.newaxis] + noise
            content = encode(pixels.clip(0, 255).astype(np.uint8), "JPEG", quality=92)
            (folder / name / f"{photo}.jpg").write_bytes(content)
    return folder
