"""Batches for training and photos for validation, from real files."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from drawn_photos import FORMATS, difference, encode, ramp, turned
from numpy.typing import NDArray
from PIL import Image

from plant_classification import Classifier
from plant_classification.data import photo_memory, pipeline
from plant_classification.data.augmentation import Augmentation
from plant_classification.data.changed_photo import changed_photo
from plant_classification.data.photo_memory import PhotoMemory, free_memory
from plant_classification.data.photo_order import photo_order
from plant_classification.data.pipeline import (
    dataset_errors,
    training_batches,
    validation_pixels,
)
from plant_classification.data.records import Records
from plant_classification.data.transforms import augmented
from plant_classification.errors import ArgumentError, DatasetError, PhotoError
from plant_classification.photos import read
from plant_classification.photos.preprocessing import Preprocessing
from plant_classification.settings import Settings, load_settings
from plant_classification.training.config import training_options

DEFAULT = Augmentation.from_dict(training_options()["train_mode"].default)
STRONG = Augmentation(crop=0.9, zoom=0.6, rot=0.5, rot_lim=45, stretch=0.5, h_flip=0.5)
SIZE = 32
Batch = tuple[NDArray[np.uint8], NDArray[np.int32]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten photos of one colour each, by which they can be told: their red is 20 times the label."""
    folder = tmp_path_factory.mktemp("photos")
    for label in range(10):
        pixels = np.full((60 + label, 70, 3), (20 * label, 128, 128), np.uint8)
        (folder / f"{label}.jpg").write_bytes(encode(pixels, "JPEG", quality=95))
    return folder


@pytest.fixture
def records(folder: Path) -> Records:
    return Records(folder, [f"{n}.jpg" for n in range(10)], np.arange(10, dtype=np.int32))


def batches(
    records: Records,
    settings: Settings,
    *,
    batch: int = 4,
    steps: int = 5,
    augmentation: Augmentation = DEFAULT,
    seed: int = 7,
    **options: Any,
) -> list[Batch]:
    found = training_batches(
        records, SIZE, batch, augmentation, seed, steps=steps, settings=settings, **options
    )
    with dataset_errors():
        return list(found.as_numpy_iterator())


def same(one: list[Batch], other: list[Batch]) -> bool:
    """Whether two runs are equal, bit for bit."""
    pairs = zip(one, other, strict=True)
    return all(np.array_equal(a[0], b[0]) and np.array_equal(a[1], b[1]) for a, b in pairs)


def test_a_batch_is_pixels_and_labels(records: Records, settings: Settings) -> None:
    found = training_batches(records, SIZE, 4, DEFAULT, 0, steps=3, settings=settings)
    pixels, labels = found.element_spec
    assert (pixels.shape, pixels.dtype.name) == ((4, SIZE, SIZE, 3), "uint8")
    assert (labels.shape, labels.dtype.name) == ((4,), "int32")
    assert len(list(found)) == 3


def test_each_round_has_each_photo_once_with_its_label(
    records: Records, settings: Settings
) -> None:
    seen = batches(records, settings, steps=10, augmentation=Augmentation(h_flip=0.5))
    labels = np.concatenate([labels for _, labels in seen])
    pixels = np.concatenate([pixels for pixels, _ in seen])
    np.testing.assert_allclose(pixels[..., 0].mean((1, 2)), 20 * labels, atol=3)
    rounds = labels.reshape(4, 10)
    assert (np.sort(rounds) == np.arange(10)).all()
    assert len({tuple(order) for order in rounds}) == 4


def test_the_seed_and_the_step_alone_make_a_batch(records: Records, settings: Settings) -> None:
    run = batches(records, settings)
    assert same(run, batches(records, settings))
    assert not same(run, batches(records, settings, seed=8))
    assert len({pixels.tobytes() for pixels, _ in run}) == len(run)


def test_the_number_of_threads_changes_nothing(records: Records) -> None:
    one, four = load_settings(threads=1), load_settings(threads=4)
    assert same(batches(records, one, steps=12), batches(records, four, steps=12))


@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize("cache", [False, True])
def test_a_run_that_goes_on_is_an_unbroken_one(
    records: Records, settings: Settings, *, balanced: bool, cache: bool
) -> None:
    run = batches(records, settings, steps=8, balanced=balanced, cache=cache)
    for start in (1, 5, 7):
        rest = batches(records, settings, steps=8, start_step=start, balanced=balanced, cache=cache)
        assert same(run[start:], rest)


@pytest.mark.parametrize("workers", [2, 4])
def test_the_parts_of_all_workers_are_the_batch_of_one(
    records: Records, settings: Settings, workers: int
) -> None:
    parts = [
        batches(records, settings, batch=12, worker=worker, workers=workers)
        for worker in range(workers)
    ]
    together: list[Batch] = [
        (np.concatenate([pixels for pixels, _ in step]), np.concatenate([n for _, n in step]))
        for step in zip(*parts, strict=True)
    ]
    assert same(together, batches(records, settings, batch=12))


def test_a_batch_may_be_larger_than_the_data_set(records: Records, settings: Settings) -> None:
    ((pixels, labels),) = batches(records.take([3, 4, 5]), settings, batch=8, steps=1)
    assert len(pixels) == 8
    assert sorted(np.bincount(labels)[3:]) == [2, 3, 3]


def test_balanced_sampling_draws_each_label_alike() -> None:
    labels = np.repeat(np.array([5, 0, 9], np.int32), [1, 10, 989])
    choices = photo_order(labels, 3, balanced=True)
    photos = [next(choices(place, np.random.default_rng(place))) for place in range(3000)]
    drawn = labels[photos]
    for label in (0, 5, 9):
        assert np.mean(drawn == label) == pytest.approx(1 / 3, abs=0.03)
    assert {photo for photo in photos if labels[photo] == 0} == set(range(1, 11))
    assert len(set(photos)) > 500


def test_balanced_batches_draw_rare_labels_as_often(records: Records, settings: Settings) -> None:
    unequal = records.take([0] * 20 + [9])
    seen = batches(unequal, settings, batch=20, steps=5, balanced=True)
    labels = np.concatenate([labels for _, labels in seen])
    assert 30 < np.sum(labels == 9) < 70


def test_two_million_photos_of_many_labels_are_drawn_at_once(
    folder: Path, settings: Settings
) -> None:
    many = 2_500_000
    labels = np.random.default_rng(0).integers(0, 6182, many, dtype=np.int32)
    records = Records(folder, ["3.jpg"] * many, labels)
    for balanced in (False, True):
        ((pixels, drawn),) = batches(records, settings, steps=1, balanced=balanced)
        assert pixels.shape == (4, SIZE, SIZE, 3)
        assert len(set(drawn.tolist())) == 4


# A photo is seen as serving reads it.


def views(
    path: Path, settings: Settings, augmentation: Augmentation, count: int = 1
) -> list[NDArray[np.uint8]]:
    return [
        changed_photo(path, np.random.default_rng(seed), 64, augmentation, settings)
        for seed in range(count)
    ]


@pytest.mark.parametrize("side", [64, 100, 150, 256, 427])
def test_a_square_jpeg_is_seen_as_it_is_served(
    flower: Path, settings: Settings, tmp_path: Path, side: int
) -> None:
    path = tmp_path / "square.jpg"
    Image.open(flower).crop((100, 0, 527, 427)).resize((side, side)).save(path, quality=95)
    rule = Preprocessing(64)
    served = rule.apply(read(path, settings, shorter_side=rule.shorter_side()).pixels)[0]
    (view,) = views(path, settings, Augmentation())
    assert difference(view, served) < 1


def test_decoding_the_crop_alone_gives_what_decoding_all_would(
    flower: Path, settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "photo.jpg"
    Image.open(flower).resize((135, 90)).save(path, quality=90)
    whole = read(path, settings).pixels
    for seed, view in enumerate(views(path, settings, STRONG, 30)):
        expected = augmented(whole, 64, STRONG, np.random.default_rng(seed))
        assert difference(view, expected) < 0.3


@pytest.mark.parametrize("size", [(300, 200), (641, 427), (1500, 2003), (4000, 3000)])
def test_a_crop_decoded_at_less_than_its_size_is_the_same_crop(
    settings: Settings, tmp_path: Path, size: tuple[int, int]
) -> None:
    photo, path = ramp(*size), tmp_path / "photo.jpg"
    path.write_bytes(encode(photo, "JPEG", quality=95))
    for seed, view in enumerate(views(path, settings, STRONG, 20)):
        expected = augmented(photo, 64, STRONG, np.random.default_rng(seed))
        assert difference(view, expected) < 1.5  # a ramp has 4 levels a pixel


def sharp(view: NDArray[np.uint8]) -> float:
    return float(np.abs(np.diff(view.astype(int), axis=0)).mean())


XMP = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description
xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="{}"/></rdf:RDF></x:xmpmeta>"""


@pytest.mark.parametrize("where", ["exif", "xmp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_of_a_camera_is_obeyed(
    settings: Settings, tmp_path: Path, orientation: int, where: str
) -> None:
    path = tmp_path / "turned.jpg"
    tag = {"exif": _orientation(orientation), "xmp": XMP.format(orientation).encode()}
    stored = turned(ramp(160, 120), orientation)
    path.write_bytes(encode(stored, "JPEG", quality=95, **{where: tag[where]}))
    for seed, view in enumerate(views(path, settings, STRONG, 5)):
        expected = augmented(ramp(160, 120), 64, STRONG, np.random.default_rng(seed))
        assert difference(view, expected) < 3


def _orientation(number: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = number
    return exif


def pictures() -> Iterator[tuple[str, Image.Image, str, dict[str, Any]]]:
    picture = Image.fromarray(ramp(160, 120))
    for kind in FORMATS:
        yield kind, picture, kind, {}
    yield "progressive", picture, "JPEG", {"progressive": True}
    yield "CMYK", picture.convert("CMYK"), "JPEG", {}
    yield "palette", picture.quantize(255), "PNG", {}
    yield "transparent", picture.convert("RGBA"), "PNG", {}
    yield "4:2:0", picture, "JPEG", {"subsampling": 2}


@pytest.mark.parametrize(
    ("picture", "kind", "options"),
    [pytest.param(*rest, id=name) for name, *rest in pictures()],
)
def test_every_format_that_is_served_is_trained_on(
    settings: Settings, tmp_path: Path, picture: Image.Image, kind: str, options: dict[str, Any]
) -> None:
    path = tmp_path / "photo.anything"
    path.write_bytes(encode(picture, kind, **options))
    (view,) = views(path, settings, STRONG)
    expected = augmented(ramp(160, 120), 64, STRONG, np.random.default_rng(0))
    assert difference(view, expected) < 7


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_grey_photos_are_read(settings: Settings, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "grey"
    path.write_bytes(encode(Image.fromarray(ramp(160, 120)).convert("L"), kind))
    (view,) = views(path, settings, STRONG)
    assert (view == view[..., :1]).all()
    assert np.ptp(view) > 50


def test_photos_of_16_bits_are_read(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "deep.png"
    path.write_bytes(encode(Image.fromarray(ramp(90, 90)[..., 0].astype(np.uint16) * 257), "PNG"))
    (view,) = views(path, settings, Augmentation())
    assert int(view[32, -1, 0]) - view[32, 0, 0] > 240


def test_the_limits_of_serving_hold(flower: Path, tmp_path: Path) -> None:
    with pytest.raises(PhotoError, match="640x427; a photo may have 100,000 pixels"):
        views(flower, load_settings(max_pixels=100_000), STRONG)
    with pytest.raises(PhotoError, match="more than the 1,000 bytes"):
        views(flower, load_settings(max_photo_bytes=1000), STRONG)


# Photos that cannot be read.


@pytest.fixture
def damaged(records: Records, flower: Path, tmp_path: Path) -> Records:
    """Ten photos, of which 2 is cut, 5 is a text, 8 is missing, and 9 has a broken middle."""
    for n in (0, 1, 3, 4, 6, 7):
        (tmp_path / f"{n}.jpg").write_bytes(records.path(n).read_bytes())
    content = flower.read_bytes()
    (tmp_path / "2.jpg").write_bytes(content[: len(content) // 2])
    (tmp_path / "5.jpg").write_text("no photo")
    (tmp_path / "9.jpg").write_bytes(content[:300] + content[-300:])
    return Records(tmp_path, records.paths, records.labels)


def test_unreadable_photos_are_replaced_and_told_once(damaged: Records, settings: Settings) -> None:
    told: list[tuple[Path, str]] = []
    lock = threading.Lock()

    def tell(path: Path, sentence: str) -> None:
        with lock:
            told.append((path, sentence))

    seen = batches(damaged, settings, steps=10, on_unreadable=tell)
    labels = np.concatenate([labels for _, labels in seen])
    assert set(labels.tolist()) == {0, 1, 3, 4, 6, 7}
    assert same(seen, batches(damaged, settings, steps=10))
    sentences = {path.name: sentence for path, sentence in told}
    assert sorted(path.name for path, _ in told) == ["2.jpg", "5.jpg", "8.jpg", "9.jpg"]
    assert sentences["2.jpg"].startswith("2.jpg looks like JPEG but is truncated")
    assert "not a picture" in sentences["5.jpg"]
    assert "does not exist" in sentences["8.jpg"]


def test_a_photo_that_goes_away_meanwhile_is_replaced(damaged: Records, settings: Settings) -> None:
    told: list[str] = []
    good = damaged.take([0, 1, 3])
    found = training_batches(
        *(good, SIZE, 3, DEFAULT, 0),
        steps=20,
        settings=settings,
        on_unreadable=lambda path, _: told.append(path.name),
    )
    run = found.as_numpy_iterator()
    next(run)
    good.path(1).unlink()
    later = np.concatenate([labels for _, labels in run][-10:])
    assert set(later.tolist()) == {0, 3}
    assert told == ["1.jpg"]


def test_strict_stops_at_the_first_one_and_names_it(damaged: Records, settings: Settings) -> None:
    with pytest.raises(DatasetError, match=r"/\d\.jpg: .*(truncated|not a picture|not exist)"):
        batches(damaged, settings, steps=10, strict=True)


def test_no_readable_photo_at_all_is_an_error(damaged: Records, settings: Settings) -> None:
    with pytest.raises(DatasetError, match=r"None of 100 photos can be read; the last was .*jpg: "):
        batches(damaged.take([2, 5, 8, 9]), settings)


def test_no_photos_and_parts_of_a_photo_are_refused(records: Records, settings: Settings) -> None:
    with pytest.raises(DatasetError, match="no photos to train on"):
        batches(records.take([]), settings)
    with pytest.raises(ArgumentError, match="a multiple of the 3 workers, not 4") as caught:
        batches(records, settings, workers=3)
    assert caught.value.field == "batch_size"


def test_other_errors_of_tensorflow_stay_what_they_are() -> None:
    import tensorflow as tf

    with pytest.raises(tf.errors.InvalidArgumentError), dataset_errors():
        tf.io.decode_jpeg(b"nothing")


# A cache.


def test_a_cache_reads_each_photo_once(damaged: Records, settings: Settings) -> None:
    good = damaged.take([0, 1, 3, 4])
    found = training_batches(
        *(good, SIZE, 4, DEFAULT, 0), steps=6, cache=True, strict=True, settings=settings
    )
    expected = list(found.as_numpy_iterator())
    again = training_batches(
        *(good, SIZE, 4, DEFAULT, 0), steps=6, cache=True, strict=True, settings=settings
    )
    run = again.prefetch(1).as_numpy_iterator()
    first = [next(run)]
    for n in range(4):
        good.path(n).unlink()
    assert same(first + list(run), expected)


def test_a_cached_photo_is_nearly_as_sharp(flower: Path, settings: Settings) -> None:
    memory = PhotoMemory(1, 64, Augmentation(crop=0.9), settings)
    for seed, view in enumerate(views(flower, settings, Augmentation(crop=0.9), 10)):
        cached = memory(flower, np.random.default_rng(seed))
        assert difference(cached, view) < 6
        assert sharp(cached) > 0.8 * sharp(view)


def test_a_cache_that_memory_cannot_hold_is_refused(records: Records, settings: Settings) -> None:
    free = free_memory()
    assert free is None or free > 2**20
    huge = Records(records.root, ["0.jpg"] * 10**7, np.zeros(10**7, np.int32))
    with pytest.raises(ArgumentError, match=r"A cache of 10,000,000 photos needs 9031\.\d GB") as e:
        training_batches(huge, 224, 4, DEFAULT, 0, steps=1, cache=True, settings=settings)
    assert e.value.field == "cache"


def test_a_container_has_what_is_left_of_its_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(photo_memory, "CONTAINER", tmp_path)
    without = free_memory()
    files = {"max": "5000\n", "current": "3000\n", "stat": "anon 10\ninactive_file 500\nfile 1\n"}
    for name, text in files.items():
        (tmp_path / f"memory.{name}").write_text(text)
    assert free_memory() == 5000 - 3000 + 500
    (tmp_path / "memory.max").write_text("max\n")
    assert free_memory() == pytest.approx(without, rel=0.5)


def test_a_cache_keeps_no_more_than_it_said(tmp_path: Path, settings: Settings) -> None:
    for n in range(4):
        (tmp_path / f"{n}.png").write_bytes(encode(ramp(300, 64), "PNG"))
    memory = PhotoMemory(4, 32, DEFAULT, settings)
    for _ in range(2):
        for n in range(4):
            memory(tmp_path / f"{n}.png", np.random.default_rng(n))
    kept = sum(pixels.nbytes for pixels in memory._photos.values())
    assert 0 < kept <= 4 * 3 * 1.5 * 64**2


# Validation.


def test_validation_sees_what_the_classifier_sees(
    flower: Path, settings: Settings, tmp_path: Path
) -> None:
    classifier = Classifier.load(settings=settings)
    engine, seen = classifier._engine, []

    def look(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        seen.append(pixels[np.newaxis])
        return engine.brief(pixels)

    classifier._engine = SimpleNamespace(brief=look)  # type: ignore[assignment]
    (tmp_path / "turned.jpg").write_bytes(
        encode(turned(ramp(900, 700), 6), "JPEG", exif=_orientation(6))
    )
    (tmp_path / "small.png").write_bytes(encode(ramp(90, 130), "PNG"))
    paths = [str(flower), "turned.jpg", "small.png"]
    for path in paths:
        classifier.identify(tmp_path / path)
    records = Records(tmp_path, paths, np.array([4, 2, 7], np.int32))
    rule = classifier.folder.preprocessing
    ((pixels, labels),) = validation_pixels(records, rule, settings, 4)
    np.testing.assert_array_equal(pixels, np.concatenate(seen))
    np.testing.assert_array_equal(labels, [4, 2, 7])


def test_validation_keeps_the_order_and_leaves_out_what_cannot_be_read(
    damaged: Records, settings: Settings
) -> None:
    parts = list(validation_pixels(damaged, Preprocessing(SIZE), settings, 4))
    assert [len(labels) for _, labels in parts] == [4, 2]
    labels = np.concatenate([labels for _, labels in parts])
    pixels = np.concatenate([pixels for pixels, _ in parts])
    assert pixels.shape == (6, SIZE, SIZE, 3)
    np.testing.assert_array_equal(labels, [0, 1, 3, 4, 6, 7])
    np.testing.assert_allclose(pixels[..., 0].mean((1, 2)), 20 * labels, atol=3)


def test_where_nothing_can_be_read_there_is_nothing_to_validate_with(
    damaged: Records, settings: Settings
) -> None:
    assert not list(validation_pixels(damaged.take([2, 8]), Preprocessing(SIZE), settings, 4))
    assert not list(validation_pixels(damaged.take([]), Preprocessing(SIZE), settings, 4))


def test_validation_may_be_left_early(records: Records, settings: Settings) -> None:
    before = set(threading.enumerate())  # those of other tests may end at any time
    parts = validation_pixels(records, Preprocessing(SIZE), settings, 2)
    next(parts)
    begun = set(threading.enumerate()) - before
    assert begun
    del parts
    assert not any(thread.is_alive() for thread in begun)


def test_a_batch_is_asked_for_when_it_is_needed(
    records: Records, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    batch = pipeline._Ahead.batch

    def told(ahead: pipeline._Ahead, step: int) -> pipeline.Batch:
        asked.append(int(step))
        return batch(ahead, step)

    monkeypatch.setattr(pipeline._Ahead, "batch", told)
    run = iter(training_batches(records, SIZE, 4, DEFAULT, 0, steps=10, settings=settings))
    next(run)
    time.sleep(0.5)
    assert asked == [0]
    next(run)
    time.sleep(0.5)
    assert asked == [0, 1]


LEFT = """
import sys
import numpy as np
from pathlib import Path
from plant_classification.data.augmentation import Augmentation
from plant_classification.data.pipeline import training_batches
from plant_classification.data.records import Records
from plant_classification.settings import load_settings
records = Records(Path(), [sys.argv[1]], np.zeros(1, np.int32))
run = iter(training_batches(
    records, 64, 8, Augmentation(rot=1, rot_lim=9), 0, steps=9**9, settings=load_settings(threads=4)
))
next(run)
print("left", flush=True)
"""


@pytest.mark.slow
def test_a_process_that_ends_in_the_middle_ends_well(flower: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LEFT, str(flower)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2"},
    )
    assert (done.returncode, done.stdout) == (0, "left\n"), done.stderr
    assert "Traceback" not in done.stderr
