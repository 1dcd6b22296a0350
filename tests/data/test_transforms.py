"""How one photo is changed: each augmentation alone, by what can be seen of it."""

from __future__ import annotations

import copy
import dataclasses
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn_photos import difference, ramp
from numpy.typing import NDArray
from PIL import Image

from plant_classification.data import pixel_changes
from plant_classification.data.augmentation import Augmentation
from plant_classification.data.transforms import augmented, crop_box, shorter_side, shrunk
from plant_classification.photos.preprocessing import Preprocessing

EVERYTHING = Augmentation(
    *(0.5, 0.5, 0.7, 90, 0.5, 1.0, 0.5, 0.3, 0.3, 0.3, 0.5), zoom_out=0.3, aspect=0.3, grey=0.2
)
Pixels = NDArray[np.uint8]


@pytest.fixture(scope="module")
def photo(flower: Path) -> Pixels:
    """A photo of 427x640."""
    return np.asarray(Image.open(flower))


@pytest.fixture(scope="module")
def square(photo: Pixels) -> Pixels:
    return np.ascontiguousarray(photo[:, 100:527])


def views(
    pixels: Pixels, augmentation: Augmentation, count: int = 1, size: int = 96
) -> list[Pixels]:
    return [augmented(pixels, size, augmentation, np.random.default_rng(n)) for n in range(count)]


def sharpness(pixels: Pixels) -> float:
    return float(
        np.abs(cv2.Laplacian(pixels[24:-24, 24:-24].astype(np.float32), cv2.CV_32F)).mean()
    )


def slopes(view: Pixels) -> NDArray[np.float64]:
    """Of a view of the square ramp: how red and green grow across and down, ``(2, 2)``.

    In sides of the photo for a side of the view.
    """
    inner = view[8:-8, 8:-8, :2].astype(np.float64) * len(view) / 255
    across, down = np.diff(inner, axis=1), np.diff(inner, axis=0)
    return np.stack([across.mean((0, 1)), down.mean((0, 1))], axis=-1)


@pytest.mark.parametrize(
    ("size", "levels", "softer"),
    [
        *[(100, 1, 0.1), (149, 1, 0.1)],  # where pixels are averaged first
        *[(213, 0.5, 0.03), (224, 0.5, 0.03), (299, 0.5, 0.06), (500, 0.5, 0.03)],
        (427, 0, 0),
    ],
)
def test_without_augmentation_a_square_photo_is_seen_as_it_is_served(
    square: Pixels, size: int, levels: float, softer: float
) -> None:
    (view,) = views(square, Augmentation(), size=size)
    served = Preprocessing(size).apply(square)[0]
    assert difference(view, served) <= levels
    assert np.percentile(np.abs(view.astype(int) - served), 99) <= 10 * levels
    assert sharpness(view) == pytest.approx(sharpness(served), rel=softer)


def test_a_large_photo_is_averaged_as_it_is_served(photo: Pixels) -> None:
    large = cv2.resize(photo[:, 100:527], (3000, 3000), interpolation=cv2.INTER_CUBIC)
    large[::2] = large[::2] // 2  # what is left out without averaging
    (view,) = views(np.asarray(large, np.uint8), Augmentation(), size=128)
    served = Preprocessing(128).apply(np.asarray(large, np.uint8))[0]
    assert difference(view, served) < 1


def test_turned_photos_are_as_sharp_as_served_ones(square: Pixels) -> None:
    served = sharpness(Preprocessing(224).apply(square)[0])
    turned = views(square, Augmentation(rot=1, rot_lim=180), 20, size=224)
    assert np.mean([sharpness(view) for view in turned]) == pytest.approx(served, rel=0.1)


def test_a_mirror_image_is_exact(square: Pixels) -> None:
    (plain,) = views(square, Augmentation())
    np.testing.assert_array_equal(views(square, Augmentation(h_flip=1))[0], plain[:, ::-1])
    np.testing.assert_array_equal(views(square, Augmentation(v_flip=1))[0], plain[::-1])


def test_probabilities_are_kept(square: Pixels) -> None:
    small = shrunk(square, 32)
    (plain,) = views(small, Augmentation(), size=16)
    for field in ("h_flip", "v_flip", "stretch", "blur", "pixel_noise", "pixel_sat", "cutout"):
        changed = views(small, Augmentation(**{field: 0.3}), 400, size=16)
        share = np.mean([not np.array_equal(view, plain) for view in changed])
        assert 0.2 < share < 0.4, field


def test_crops_are_squares_of_the_sides_asked_for_anywhere_in_the_photo() -> None:
    augmentation = Augmentation(crop=0.9, zoom=0.4)
    boxes = [crop_box(augmentation, 600, 400, np.random.default_rng(seed)) for seed in range(500)]
    sides = np.array([box.width for box in boxes])
    assert all(box.width == box.height for box in boxes)
    assert 0.5 * 400 <= sides.min() < 0.52 * 400
    assert 0.88 * 400 < sides.max() <= 0.9 * 400
    lefts, tops = np.array([box.left for box in boxes]), np.array([box.top for box in boxes])
    assert (lefts >= 0).all()
    assert (tops >= 0).all()
    assert (lefts + sides <= 600).all()
    assert (tops + sides <= 400).all()
    assert (lefts / (600 - sides)).mean() == pytest.approx(0.5, abs=0.05)
    assert (tops / (400 - sides)).mean() == pytest.approx(0.5, abs=0.05)


def test_a_crop_shows_its_part_of_the_photo() -> None:
    photo = ramp(200, 200)
    for seed in range(20):
        box = crop_box(Augmentation(zoom=0.5), 200, 200, np.random.default_rng(seed))
        (view,) = [augmented(photo, 64, Augmentation(zoom=0.5), np.random.default_rng(seed))]
        part = photo[box.top : box.top + box.height, box.left : box.left + box.width]
        assert difference(view, Preprocessing(64).apply(part)[0]) < 1


def test_a_rotation_turns_by_angles_up_to_the_limit_to_either_side() -> None:
    angles = []
    for view in views(ramp(200, 200), Augmentation(rot=1, rot_lim=30), 100, size=64):
        matrix = slopes(view[16:-16, 16:-16])
        np.testing.assert_allclose(matrix @ matrix.T, np.eye(2) / 4, atol=0.05)  # half a side
        angles.append(math.degrees(math.atan2(matrix[1, 0], matrix[0, 0])))
    assert -30.5 < min(angles) < -25
    assert 25 < max(angles) < 30.5


def test_what_a_rotation_brings_in_is_the_mirror_image_of_the_photo() -> None:
    photo = np.full((100, 100, 3), 200, np.uint8)
    for view in views(photo, Augmentation(rot=1, rot_lim=180, stretch=1), 20):
        assert (view == 200).all()


def test_another_perspective_moves_the_corners_inwards_by_a_tenth_at_most() -> None:
    starts = []
    for view in views(ramp(200, 200), Augmentation(stretch=1), 100):
        red, green = view[..., 0].astype(float) / 255, view[..., 1].astype(float) / 255
        corners = [red[0, 0], 1 - red[0, -1], red[-1, 0], 1 - red[-1, -1]]
        corners += [green[0, 0], green[0, -1], 1 - green[-1, 0], 1 - green[-1, -1]]
        starts.append(corners)
    assert np.min(starts) >= 0
    assert 0.09 < np.max(starts) < 0.115
    assert np.std(starts, axis=1).min() > 0.002  # each corner by itself


def test_zooming_out_shows_a_smaller_photo_among_its_mirror_images() -> None:
    scales = []
    for view in views(ramp(200, 200), Augmentation(zoom_out=0.5), 50):
        red = view[..., 0].astype(int)
        assert red.max() - red.min() > 245  # the whole photo is there
        scales.append(np.abs(np.diff(red, axis=1)).sum(1).mean() / 255)
    assert 0.97 < min(scales) < 1.1  # rows of the mirrored photo, from end to end
    assert 1.8 < max(scales) < 2.01


def test_zooming_out_of_a_long_photo_shows_more_of_it() -> None:
    photo = ramp(400, 200)
    boxes = [
        crop_box(Augmentation(zoom_out=0.5), 400, 200, np.random.default_rng(n)) for n in range(200)
    ]
    assert all(200 <= box.width <= 400 and 0 <= box.left <= 400 - box.width for box in boxes)
    widest = max(range(200), key=lambda n: boxes[n].width)
    view = augmented(photo, 96, Augmentation(zoom_out=0.5), np.random.default_rng(widest))
    assert int(view[..., 0].max()) - int(view[..., 0].min()) > 235


def test_another_aspect_shortens_one_side() -> None:
    ratios = []
    for view in views(ramp(200, 200), Augmentation(aspect=0.5), 100):
        matrix = slopes(view)
        assert max(matrix[0, 0], matrix[1, 1]) == pytest.approx(1, abs=0.02)
        ratios.append(matrix[0, 0] / matrix[1, 1])
    assert 0.48 < min(ratios) < 0.6
    assert 1.6 < max(ratios) < 2.1


def test_a_blur_takes_sharpness_and_leaves_the_mean(square: Pixels) -> None:
    (plain,) = views(square, Augmentation(), size=224)
    for view in views(square, Augmentation(blur=1), 30, size=224):
        assert sharpness(view) < 0.95 * sharpness(plain)
        assert abs(view.mean() - plain.mean()) < 1.5


@pytest.mark.parametrize("change", pixel_changes.NOISES, ids=lambda change: change.__name__)
def test_each_noise_changes_a_photo_a_little(square: Pixels, change: pixel_changes.Change) -> None:
    (plain,) = views(square, Augmentation())
    for seed in range(10):
        changed = change(plain.copy(), np.random.default_rng(seed))
        assert changed.shape == plain.shape
        assert changed.dtype == np.uint8
        assert 0.1 < difference(changed, plain) < 45


def test_a_noise_is_one_of_all_of_them(square: Pixels) -> None:
    (plain,) = views(square, Augmentation())
    drawn = set()
    for seed in range(60):
        noisy = pixel_changes.noisy(plain.copy(), np.random.default_rng(seed))
        random = np.random.default_rng(seed)
        random.integers(len(pixel_changes.NOISES))
        (found,) = [
            change.__name__
            for change in pixel_changes.NOISES
            if np.array_equal(change(plain.copy(), copy.deepcopy(random)), noisy)
        ]
        drawn.add(found)
    assert len(drawn) == len(pixel_changes.NOISES) == 7


def test_another_colour_leaves_the_luma_in_its_order(square: Pixels) -> None:
    (plain,) = views(square, Augmentation())
    hues = []
    for view in views(square, Augmentation(pixel_sat=1), 40):
        before, after = (cv2.cvtColor(p, cv2.COLOR_RGB2HSV) for p in (plain, view))
        coloured = (before[..., 1] > 80) & (before[..., 2] > 80) & (after[..., 2] > 80)
        turned = (after[..., 0].astype(int) - before[..., 0] + 90) % 180 - 90
        hues.append(float(np.median(turned[coloured])) * 2)
        lumas = [cv2.cvtColor(p, cv2.COLOR_RGB2GRAY).astype(float) for p in (plain, view)]
        assert abs(np.median(lumas[1] - lumas[0])) < 21
        assert np.corrcoef(lumas[0].ravel(), lumas[1].ravel())[0, 1] > 0.97
    assert min(hues) < -20
    assert max(hues) > 20


def test_grey_is_the_luma(square: Pixels) -> None:
    (plain,), (grey,) = views(square, Augmentation()), views(square, Augmentation(grey=1))
    assert (grey == grey[..., :1]).all()
    luma = np.asarray(Image.fromarray(plain).convert("L"))
    assert np.abs(grey[..., 0].astype(int) - luma).max() <= 1


def test_cutout_lays_black_squares_over_the_view() -> None:
    white = np.full((200, 200, 3), 255, np.uint8)
    shares = []
    for view in views(white, Augmentation(cutout=1), 200, size=200):
        black = (view == 0).all(-1)
        assert (black | (view == 255).all(-1)).all()
        count, *_ = cv2.connectedComponents(black.astype(np.uint8), connectivity=4)
        assert 1 <= count - 1 <= 8
        shares.append(black.mean())
    # Eight squares of a mean area of (0.25**3 - 0.05**3) / 0.6, less what overlaps or sticks out.
    assert 0.1 < np.mean(shares) < 8 * (0.25**3 - 0.05**3) / 0.6


def test_the_same_chance_gives_the_same_view(photo: Pixels) -> None:
    once, again = views(photo, EVERYTHING, 20), views(photo, EVERYTHING, 20)
    np.testing.assert_array_equal(once, again)
    assert len({view.tobytes() for view in once}) == 20


def test_the_photo_itself_is_not_changed(photo: Pixels) -> None:
    before = photo.copy()
    for size in (96, 427):
        views(photo[:, :427], dataclasses.replace(EVERYTHING, cutout=1), 5, size)
    np.testing.assert_array_equal(photo, before)


def test_the_shorter_side_is_enough_for_every_crop() -> None:
    for augmentation in (
        Augmentation(),
        Augmentation(zoom=0.5),
        Augmentation(zoom=0.3, aspect=0.4),
    ):
        side = shorter_side(augmentation, 224)
        for seed in range(200):
            box = crop_box(augmentation, side, 2 * side, np.random.default_rng(seed))
            assert min(box.width, box.height) >= 223


@pytest.mark.parametrize(("width", "height"), [(16, 16), (17, 900), (900, 17), (2000, 31)])
def test_small_and_narrow_photos_fill_the_view(width: int, height: int) -> None:
    for view in views(ramp(width, height), EVERYTHING, 20, size=71):
        assert view.shape == (71, 71, 3)
        assert view.any()


def test_a_photo_is_shrunk_to_its_shorter_side(photo: Pixels) -> None:
    assert shrunk(photo, 200).shape == (200, 300, 3)
    assert shrunk(photo, 427) is photo
    assert shrunk(photo, 500) is photo
