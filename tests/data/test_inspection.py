"""What a data set is like: every photo is looked at, and what is wrong with one is told."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_dataset import blocks, dataset_of, write_photos
from drawn_photos import encode, turned

from plant_classification.data.inspection import Inspection, cautions, inspect
from plant_classification.data.long_tail import long_tail
from plant_classification.settings import Settings


def rows_of(names: list[str], labels: str) -> list[tuple[str, int]]:
    return list(zip(names, map(int, labels), strict=True))


def test_photos_are_counted_by_label_and_split(tmp_path: Path, settings: Settings) -> None:
    names = write_photos(tmp_path, 6)
    splits = {"train": rows_of(names[:4], "0012"), "val": rows_of(names[4:], "02")}
    found = inspect(dataset_of(tmp_path, splits), settings)
    assert found.counts("train").tolist() == [2, 1, 1, 0]
    assert found.counts("val").tolist() == [1, 0, 1, 0]
    assert found.counts().tolist() == [3, 1, 2, 0]
    assert found.record(0)[0] == "train"
    split, record = found.record(5)
    assert (split, record.path, record.label) == ("val", tmp_path / names[5], 2)
    with pytest.raises(IndexError):
        found.record(6)


def test_sizes_are_those_of_the_upright_file_and_formats_are_judged_by_content(
    tmp_path: Path, settings: Settings
) -> None:
    wide = blocks(1, 640, 320)
    (tmp_path / "a.png").write_bytes(encode(wide, "JPEG"))
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    (tmp_path / "b.jpg").write_bytes(encode(turned(blocks(2, 640, 320), 6), "JPEG", exif=exif))
    (tmp_path / "c.jpg").write_bytes(encode(blocks(3, 40, 50), "WEBP"))
    rows = rows_of(["a.png", "b.jpg", "c.jpg"], "000")
    found = inspect(dataset_of(tmp_path, {"train": rows}), settings)
    assert found.widths.tolist() == [640, 640, 40]
    assert found.heights.tolist() == [320, 320, 50]
    assert dict(found.formats) == {"JPEG": 2, "WEBP": 1}


def test_photos_that_cannot_be_read_are_told_with_the_reason(
    tmp_path: Path, settings: Settings
) -> None:
    names = write_photos(tmp_path, 3)
    cut = tmp_path / names[1]
    cut.write_bytes(cut.read_bytes()[:-200])
    (tmp_path / "notes.jpg").write_text("not a photo")
    rows = rows_of([*names, "notes.jpg", "nowhere.jpg"], "00000")
    found = inspect(dataset_of(tmp_path, {"train": rows}), settings)
    places, reasons = zip(*found.unreadable, strict=True)
    assert places == (1, 3, 4)
    assert "1.jpeg looks like JPEG but is truncated or damaged" in reasons[0]
    assert "notes.jpg is not a picture that is read" in reasons[1]
    assert "nowhere.jpg does not exist" in reasons[2]
    assert (found.widths > 0).tolist() == [True, False, True, False, False]
    assert found.formats == {"JPEG": 2}
    assert "Photos that cannot be read: 3; training leaves them out." in cautions(found)


def test_copies_are_told_from_photos_that_only_look_the_same(
    tmp_path: Path, settings: Settings
) -> None:
    names = write_photos(tmp_path, 5)
    (tmp_path / "copy.jpeg").write_bytes((tmp_path / names[1]).read_bytes())
    (tmp_path / "small.png").write_bytes(encode(blocks(2)[::2, ::2], "PNG"))
    rows = rows_of([*names, "copy.jpeg", "small.png"], "0000000")
    found = inspect(dataset_of(tmp_path, {"train": rows}), settings)
    assert found.copies == ((1, 5),)
    assert found.look_alikes == ((1, 5), (2, 6))


def test_photos_without_any_detail_are_copies_but_not_look_alikes(
    tmp_path: Path, settings: Settings
) -> None:
    for name, grey in (("a.png", 10), ("b.png", 10), ("c.png", 200)):
        (tmp_path / name).write_bytes(encode(np.full((50, 50, 3), grey, np.uint8), "PNG"))
    rows = rows_of(["a.png", "b.png", "c.png"], "000")
    found = inspect(dataset_of(tmp_path, {"train": rows}), settings)
    assert found.copies == found.look_alikes == ((0, 1),)


def test_the_same_photo_in_two_splits_or_under_two_labels_is_a_caution(
    tmp_path: Path, settings: Settings
) -> None:
    names = write_photos(tmp_path, 4)
    for name, number in (("across.jpeg", 0), ("relabelled.jpeg", 1)):
        (tmp_path / name).write_bytes(encode(blocks(number), "JPEG", quality=90))
    splits = {
        "train": rows_of([*names[:3], "relabelled.jpeg", "relabelled.jpeg"], "00001"),
        "val": rows_of([names[3], "across.jpeg"], "00"),
    }
    found = inspect(dataset_of(tmp_path, splits), settings)
    assert found.across_splits(found.look_alikes) == [(0, 6)]
    assert found.across_labels(found.look_alikes) == [(1, 3, 4)]
    told = cautions(found)
    assert any(sentence.startswith("Photos in several splits: 1;") for sentence in told)
    assert any(sentence.startswith("Photos under several labels: 1;") for sentence in told)


def test_labels_with_few_photos_or_none_are_a_caution(tmp_path: Path, settings: Settings) -> None:
    names = write_photos(tmp_path, 12)
    found = inspect(dataset_of(tmp_path, {"train": rows_of(names, "0" * 10 + "12")}), settings)
    assert cautions(found) == [
        "Labels without a photo in train: 1; they cannot be learned.",
        "Labels with fewer than 10 photos in train: 2; too few to be learned well.",
    ]


def test_a_data_set_without_faults_has_no_caution(tmp_path: Path, settings: Settings) -> None:
    rows = rows_of(write_photos(tmp_path, 10), "0" * 10)
    found = inspect(dataset_of(tmp_path, {"train": rows}, names=["Bellis perennis"]), settings)
    assert cautions(found) == []


def test_organs_sources_and_observations_are_counted(tmp_path: Path, settings: Settings) -> None:
    names = write_photos(tmp_path, 5)
    data = dataset_of(
        tmp_path,
        {"train": rows_of(names[:3], "000"), "val": rows_of(names[3:], "00")},
        organs={"train": ["leaf", None, "leaf"], "val": ["flower", "leaf"]},
        observations={"train": ["1", "1", "2"], "val": ["2", None]},
        sources={"train": [None] * 3, "val": [None] * 2},
    )
    found = inspect(data, settings)
    assert list(found.tally("organs").items()) == [("leaf", 3), ("flower", 1), ("unknown", 1)]
    assert found.tally("sources") == {}
    assert found.observations() == (2, 1)
    assert any(
        sentence.startswith("Observations in several splits: 1;") for sentence in cautions(found)
    )


def test_many_photos_are_read_in_order_and_progress_is_told(
    tmp_path: Path, settings: Settings
) -> None:
    names = write_photos(tmp_path, 4)
    for name, width in zip(names, (20, 30, 40, 50), strict=True):
        (tmp_path / name).write_bytes(encode(blocks(width, width, 20), "PNG"))
    rows = [(names[number % 4], 0) for number in range(300)]
    told: list[tuple[int, int, str]] = []
    found = inspect(
        dataset_of(tmp_path, {"train": rows}), settings, lambda *state: told.append(state)
    )
    assert found.widths.tolist() == [20, 30, 40, 50] * 75
    assert [done for done, _, _ in told] == [*range(1, 301), 300]
    assert told[-1] == (300, 300, "comparing")
    assert found.photos_per_second > 0


def test_an_inspection_that_is_interrupted_ends_soon(tmp_path: Path, settings: Settings) -> None:
    rows = [(name, 0) for name in write_photos(tmp_path, 2)] * 10_000

    def interrupt(done: int, _total: int, _stage: str) -> None:
        if done == 100:
            raise KeyboardInterrupt

    read: list[int] = []
    data = dataset_of(tmp_path, {"train": rows})

    class Counted(list[str]):
        def __getitem__(self, index: Any) -> Any:
            read.append(index)
            return super().__getitem__(index)

    records = dataclasses.replace(data.splits["train"], paths=Counted(data.splits["train"].paths))
    with pytest.raises(KeyboardInterrupt):
        inspect(dataclasses.replace(data, splits={"train": records}), settings, interrupt)
    assert len(read) < 2_000


@pytest.mark.parametrize(
    ("counts", "fewer_than", "bars"),
    [
        ([0, 3, 7, 12], {5: 2, 10: 3, 30: 4}, {"0": 1, "1-4": 1, "5-9": 1, "10-29": 1}),
        ([40, 45, 300], {5: 0, 10: 0, 30: 0}, {"30-99": 2, "100-299": 0, "300-999": 1}),
        ([20_000, 5_000], {5: 0, 10: 0, 30: 0}, {"3,000-9,999": 1, "10,000 or more": 1}),
        ([5], {5: 0, 10: 1, 30: 1}, {"5-9": 1}),
    ],
)  # fmt: skip
def test_the_long_tail_is_counted(
    counts: list[int], fewer_than: dict[int, int], bars: dict[str, int]
) -> None:
    tail = long_tail(np.array(counts))
    assert tail.fewer_than == fewer_than
    assert list(tail.bars.items()) == list(bars.items())


@pytest.mark.parametrize(
    ("counts", "gini", "top_tenth"),
    [
        ([7] * 20, 0, 0.1),
        ([0] * 19 + [100], 0.95, 1),
        ([1, 3], 0.25, 0.75),
        (list(range(1, 11)), 0.3, 10 / 55),
    ],
)
def test_how_uneven_labels_are(counts: list[int], gini: float, top_tenth: float) -> None:
    tail = long_tail(np.array(counts))
    assert tail.gini == pytest.approx(gini)
    assert tail.top_tenth == pytest.approx(top_tenth)


def test_the_gini_coefficient_is_the_mean_difference_of_two_labels() -> None:
    """By its definition: half of it, over the mean."""
    counts = np.random.default_rng(0).integers(0, 500, 80)
    expected = np.abs(np.subtract.outer(counts, counts)).mean() / (2 * counts.mean())
    assert long_tail(counts).gini == pytest.approx(expected)
    assert long_tail(counts[::-1]).gini == pytest.approx(expected)


def test_the_photos_of_the_starter_are_read_whole(shared: Path, settings: Settings) -> None:
    folder = shared / "data" / "flora119"
    lines = (folder / "val.txt").read_text("utf-8").splitlines()[::10]
    rows = [(line.split("\t")[0], 0) for line in lines]
    found: Inspection = inspect(dataset_of(folder, {"train": rows}), settings)
    assert found.unreadable == ()
    assert found.copies == ()
    assert np.minimum(found.widths, found.heights).tolist() == [240] * len(rows)
