"""The one rule from an upright photo to what a network takes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from plant_classification.photos.preprocessing import Preprocessing


@pytest.fixture
def gradient() -> np.ndarray:
    """A photo of 400x300 whose red rises to the right and whose green rises downwards."""
    y, x = np.mgrid[0:300, 0:400]
    return np.stack([x * 255 // 399, y * 255 // 299, np.zeros_like(x)], -1).astype(np.uint8)


def test_crop_keeps_the_aspect_and_takes_the_middle(gradient: np.ndarray) -> None:
    (view,) = Preprocessing(100, "crop", 1.0).apply(gradient)
    assert view.shape == (100, 100, 3)
    assert view.dtype == np.uint8
    assert abs(int(view[50, 0, 0]) - 50 * 255 // 399) <= 2
    assert abs(int(view[50, -1, 0]) - 349 * 255 // 399) <= 2
    assert view[0, 50, 1] <= 2
    assert view[-1, 50, 1] >= 253


def test_stretch_shows_the_whole_photo(gradient: np.ndarray) -> None:
    (view,) = Preprocessing(100, "stretch").apply(gradient)
    assert view[50, 0, 0] <= 2
    assert view[50, -1, 0] >= 253


def test_a_photo_of_the_right_size_is_passed_on_as_it_is(gradient: np.ndarray) -> None:
    square = np.ascontiguousarray(gradient[:224, :224])
    np.testing.assert_array_equal(Preprocessing(224).apply(square)[0], square)
    np.testing.assert_array_equal(Preprocessing(224, "stretch").apply(square)[0], square)


@pytest.mark.parametrize("resize", ["crop", "stretch"])
def test_five_crops_are_the_middle_and_the_corners(gradient: np.ndarray, resize: str) -> None:
    views = Preprocessing(100, resize).apply(gradient, crops=5).astype(int)
    assert views.shape == (5, 100, 100, 3)
    middle, top_left, top_right, bottom_left, bottom_right = views[:, 50, 50, :2]
    assert top_left[0] < middle[0] < top_right[0]
    assert top_left[1] < middle[1] < bottom_left[1]
    np.testing.assert_allclose(bottom_right, [top_right[0], bottom_left[1]], atol=2)


def test_ten_crops_are_five_and_their_mirror_images(gradient: np.ndarray) -> None:
    rule = Preprocessing(100)
    views = rule.apply(gradient, crops=10)
    np.testing.assert_array_equal(views[:5], rule.apply(gradient, crops=5))
    np.testing.assert_array_equal(views[5:], views[:5, :, ::-1])


def test_the_shorter_side_is_enough_for_every_crop() -> None:
    for rule in (
        Preprocessing(224),
        Preprocessing(224, "crop", 0.9),
        Preprocessing(224, "stretch"),
    ):
        for crops in (1, 5, 10):
            side = rule.shorter_side(crops)
            assert side is not None
            for left, top, right, bottom in rule.crop_boxes(side, 2 * side, crops):
                assert min(right - left, bottom - top) >= rule.size - 1e-9
                assert left >= 0
                assert top >= 0
                assert right <= side + 1e-9
                assert bottom <= 2 * side + 1e-9


def test_without_antialias_only_the_nearest_four_pixels_count() -> None:
    stripes = np.zeros((100, 100, 3), np.uint8)
    stripes[:, 2::5] = 255
    rule = Preprocessing(20, "stretch", antialias=False)
    assert (rule.apply(stripes) == 255).all()  # the middle of every five columns
    assert (Preprocessing(20, "stretch").apply(stripes)[0, 10] < 128).all()
    assert rule.shorter_side() is None


@pytest.mark.parametrize(
    ("height", "width", "size"),
    [(213, 320, 224), (448, 448, 224), (1500, 2000, 224), (16, 16, 71), (600, 500, 299)],
)
def test_without_antialias_it_is_opencvs_linear_resize_to_the_last_bit(
    height: int, width: int, size: int
) -> None:
    photo = np.random.default_rng(7).integers(0, 256, (height, width, 3), np.uint8)
    (view,) = Preprocessing(size, "stretch", antialias=False).apply(photo)
    np.testing.assert_array_equal(view, cv2.resize(photo, (size, size)))


def test_crops_without_antialias_are_where_those_with_it_are(gradient: np.ndarray) -> None:
    plain = Preprocessing(500, "stretch", antialias=False).apply(gradient, crops=5)
    smooth = Preprocessing(500, "stretch").apply(gradient, crops=5)
    assert np.abs(plain.astype(int) - smooth).max() <= 1  # the same where nothing shrinks


def test_normalize_subtracts_divides_and_orders_the_channels() -> None:
    pixels = np.array([[[10, 20, 30]]], np.uint8)
    lite = Preprocessing(224, mean=(127.0, 127.0, 127.0), scale=(128.0, 128.0, 128.0))
    np.testing.assert_allclose(lite.normalize(pixels)[0, 0], np.array([-117, -107, -97]) / 128)
    caffe = Preprocessing(224, mean=(3.0, 2.0, 1.0), scale=(1.0, 1.0, 1.0), channels="BGR")
    np.testing.assert_allclose(caffe.normalize(pixels)[0, 0], [27, 18, 9])


def test_it_survives_model_json() -> None:
    rule = Preprocessing(
        240, "stretch", 0.9, (1.0, 2.0, 3.0), (4.0, 5.0, 6.0), "BGR", antialias=False
    )
    assert Preprocessing.from_dict(rule.to_dict()) == rule


@pytest.mark.parametrize(
    "values",
    [
        {"size": 0},
        {"size": 8, "resize": "fit"},
        {"size": 8, "crop_fraction": 0.0},
        {"size": 8, "crop_fraction": 1.1},
        {"size": 8, "channels": "RBG"},
        {"size": 8, "scale": (0.0, 1.0, 1.0)},
        {"size": 8, "mean": (1.0,)},
        {"size": 8, "antialias": 1},
    ],
)
def test_a_rule_that_cannot_be_followed_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Preprocessing(**values)  # type: ignore[arg-type]


def test_another_number_of_crops_is_refused(gradient: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"crops must be one of \(1, 5, 10\), not 2"):
        Preprocessing(100).apply(gradient, crops=2)
