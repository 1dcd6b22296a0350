"""Near-duplicates: copies of a photo are found, other photos are not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from drawn_photos import encode
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from plant_classification import photos
from plant_classification.data import Records
from plant_classification.data import duplicates as module
from plant_classification.data.duplicates import (
    groups_of,
    kept_together,
    near_duplicates,
    thumbnail,
    thumbnails,
)
from plant_classification.data.reading import read_dataset
from plant_classification.settings import Settings

Change = Callable[[Image.Image], Image.Image]


def cropped(left: float, top: float, right: float, bottom: float) -> Change:
    def crop(image: Image.Image) -> Image.Image:
        width, height = image.size
        return image.crop(
            (int(left * width), int(top * height), int(right * width), int(bottom * height))
        )

    return crop


CHANGES: dict[str, Change] = {
    "half": lambda image: image.resize((image.width // 2, image.height // 2)),
    "larger": lambda image: image.resize((int(image.width * 1.7), int(image.height * 1.7))),
    "square": lambda image: image.resize((240, 240)),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.2),
    "less contrast": lambda image: ImageEnhance.Contrast(image).enhance(0.8),
    "paler": lambda image: ImageEnhance.Color(image).enhance(0.8),
    "cropped around": cropped(0.025, 0.025, 0.975, 0.975),
}


def blobs(seed: int) -> Image.Image:
    """A picture like no other: soft patches of colour."""
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return Image.fromarray(pixels).resize((320, 240), Image.Resampling.BICUBIC)


def seen(image: Image.Image) -> NDArray[np.uint8]:
    return thumbnail(np.asarray(image))


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_copy_of_a_photo_is_found(flower: Path, settings: Settings, change: Change) -> None:
    photo = Image.fromarray(photos.read(flower, settings).pixels)
    copy = photos.read(encode(change(photo), "JPEG", quality=50), settings, shorter_side=32)
    compared = [seen(photo), *(seen(blobs(seed)) for seed in range(50)), thumbnail(copy.pixels)]
    assert near_duplicates(np.stack(compared)).tolist() == [[0, 51]]


def test_another_photo_is_none(flower: Path, settings: Settings) -> None:
    photo = Image.fromarray(photos.read(flower, settings).pixels)
    china = Image.open(flower.with_name("china.jpg"))
    half = cropped(0, 0, 0.5, 1)(photo)
    compared = [seen(image) for image in (photo, china, half, *(blobs(seed) for seed in range(99)))]
    assert len(near_duplicates(np.stack(compared))) == 0


def test_small_things_on_a_black_ground_are_told_apart() -> None:
    def on_black(seed: int) -> Image.Image:
        ground = Image.new("RGB", (320, 240))
        ground.paste(blobs(seed).resize((120, 90)), (100, 75))
        return ground

    compared = [seen(on_black(seed)) for seed in range(40)]
    assert len(near_duplicates(np.stack(compared))) == 0
    smaller = seen(on_black(7).resize((130, 100)))
    assert near_duplicates(np.stack([*compared, smaller])).tolist() == [[7, 40]]


def test_pictures_of_one_colour_are_like_none() -> None:
    plain = [np.full((12, 12, 3), value, np.uint8) for value in (0, 0, 255, 255)]
    assert len(near_duplicates(np.stack(plain))) == 0


def test_exact_copies_are_paired_with_the_first() -> None:
    one, other = seen(blobs(1)), seen(blobs(2))
    pairs = near_duplicates(np.stack([other, one, one, other, one]))
    assert pairs.tolist() == [[0, 3], [1, 2], [1, 4]]
    assert groups_of(5, pairs).tolist() == [0, 1, 1, 0, 1]


def test_none_and_one_have_no_duplicates() -> None:
    assert near_duplicates(np.zeros((0, 12, 12, 3), np.uint8)).shape == (0, 2)
    assert near_duplicates(seen(blobs(1))[np.newaxis]).shape == (0, 2)


def test_of_many_photos_the_copies_are_found_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neighbourhoods find what comparing each with each finds, but for one in a hundred."""
    monkeypatch.setattr(module, "MOST_COMPARED_DIRECTLY", 100)
    originals = [blobs(seed) for seed in range(400)]
    copies = [CHANGES["half"](image) for image in originals]
    pairs = near_duplicates(np.stack([seen(image) for image in originals + copies]))
    assert {other - one for one, other in pairs.tolist()} == {400}
    assert len(pairs) >= 396


def test_groups_hold_whatever_is_joined_by_any_way() -> None:
    chain = np.array([[3, 4], [1, 2], [2, 3], [6, 7], [0, 4]])
    assert groups_of(8, chain).tolist() == [0, 0, 0, 0, 0, 5, 6, 6]
    long = np.random.default_rng(0).permutation(1000)
    chain = np.stack([long[:-1], long[1:]], 1)
    assert (groups_of(1000, chain) == 0).all()
    assert groups_of(3, np.zeros((0, 2), np.int64)).tolist() == [0, 1, 2]


def test_observations_and_copies_are_kept_together(tmp_path: Path, settings: Settings) -> None:
    for seed in range(5):
        blobs(seed).save(tmp_path / f"{seed}.jpg")
    blobs(3).resize((160, 120)).save(tmp_path / "copy of 3.png")
    (tmp_path / "damaged.jpg").write_bytes(b"\xff\xd8\xff damaged")
    names = ["0.jpg", "1.jpg", "2.jpg", "3.jpg", "4.jpg", "copy of 3.png", "damaged.jpg", "no.jpg"]
    observations = ["a", "b", "a", None, "b", "c", None, None]
    records = Records(tmp_path, names, np.zeros(8, np.int32), observations=observations)
    assert kept_together(records, settings).tolist() == [0, 1, 0, 3, 1, 3, 6, 7]


@pytest.mark.slow
def test_the_photos_of_flora119_are_few_each_others_copies(
    shared: Path, settings: Settings
) -> None:
    """Of its 14 million pairs 7 are taken for the same photo, and a person agrees."""
    records = read_dataset(shared / "data/flora119").splits["train"]
    compared = thumbnails(records, settings)
    assert compared.any((1, 2, 3)).all()
    assert len(near_duplicates(compared)) <= 10
