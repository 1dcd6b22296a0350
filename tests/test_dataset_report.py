"""The report of a data set: what a person reads, and that it stays small and safe."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from drawn_dataset import NAMES, blocks, dataset_of, write_photos
from drawn_photos import encode
from evaluation.web_page import WebPage, read_page
from PIL import Image

from plant_classification.data import Dataset
from plant_classification.data.inspection import Inspection, inspect
from plant_classification.errors import ArgumentError
from plant_classification.evaluation.dataset_report import contact_sheet, write_dataset_report
from plant_classification.settings import Settings

HOSTILE = '<script src="https://example.org/x.js"></script><img src=x onerror=alert(1)>" onload="'


def report_of(data: Dataset, settings: Settings, target: Path) -> WebPage:
    write_dataset_report(target, inspect(data, settings), settings)
    return read_page(target.read_text("utf-8"))


@pytest.fixture
def spoilt(tmp_path: Path) -> Dataset:
    """Twelve good photos, a copy in another split, and one that cannot be read."""
    folder = tmp_path / "garden"
    names = write_photos(folder, 12)
    (folder / "copy.jpeg").write_bytes((folder / names[0]).read_bytes())
    (folder / "cut.jpeg").write_bytes((folder / names[1]).read_bytes()[:-300])
    train = [(name, min(place, 2)) for place, name in enumerate(names)]
    return dataset_of(
        folder,
        {"train": [*train, ("cut.jpeg", 0)], "val": [("copy.jpeg", 0)]},
        notes=["Split by chance."],
        sources={"train": ["a garden"] * 13, "val": ["a herbarium"]},
    )


def test_the_report_says_what_is_in_a_data_set(
    spoilt: Dataset, settings: Settings, tmp_path: Path
) -> None:
    seen = report_of(spoilt, settings, tmp_path / "report.html")
    assert "garden" in seen.text
    assert "Data set (drawn): 14 photos, 4 labels" in seen.text
    assert ["train", "13", "3", "1"] in seen.rows
    assert ["val", "1", "1", "3"] in seen.rows
    assert ["Quercus robur", "Fagaceae", "10", "10", "0"] in seen.rows
    assert "Split by chance." in seen.sections["In short"]
    assert "a herbarium" in seen.sections["The photos"]
    assert "72 pixels" in seen.sections["The photos"]


def test_what_is_wrong_stands_in_short_and_is_listed(
    spoilt: Dataset, settings: Settings, tmp_path: Path
) -> None:
    seen = report_of(spoilt, settings, tmp_path / "report.html")
    assert "Photos that cannot be read: 1" in seen.sections["In short"]
    assert "Photos in several splits: 1" in seen.sections["In short"]
    twins = seen.sections["The same photo more than once"]
    assert "0.jpeg (train, Bellis perennis)" in twins
    assert "copy.jpeg (val, Bellis perennis)" in twins
    ((name, why),) = [row for row in seen.rows if row[0] == "cut.jpeg"]
    assert (name, "truncated" in why) == ("cut.jpeg", True)


def test_the_page_holds_its_pictures_and_asks_nobody(
    spoilt: Dataset, settings: Settings, tmp_path: Path
) -> None:
    seen = report_of(spoilt, settings, tmp_path / "report.html")
    assert len(seen.images) == 2 + 13  # twins, and all readable photos of the contact sheet
    assert all(image.startswith("data:image/jpeg;base64,") for image in seen.images)
    assert all(address.startswith(("#", "data:")) for address in seen.addresses)


def test_a_good_data_set_has_no_word_of_faults(settings: Settings, tmp_path: Path) -> None:
    rows = [(name, 0) for name in write_photos(tmp_path, 10)]
    data = dataset_of(tmp_path, {"train": rows}, names=NAMES[:1])
    seen = report_of(data, settings, tmp_path / "report.html")
    assert list(seen.sections) == [
        "In short",
        "Photos of each label",
        "The photos",
        "Contact sheet",
    ]
    assert "What to watch" not in seen.text


def test_a_data_set_of_which_nothing_can_be_read_has_a_report(
    settings: Settings, tmp_path: Path
) -> None:
    data = dataset_of(tmp_path, {"train": [("a.jpg", 0), ("b.jpg", 1)]})
    seen = report_of(data, settings, tmp_path / "report.html")
    assert "Photos that cannot be read: 2" in seen.text
    assert seen.images == []


def test_names_from_strangers_stay_text(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "<b>garden"
    write_photos(folder, 2)
    bad = "<img src=x onerror=alert(1)>.jpeg"
    for name in (bad, "copy.jpeg"):
        (folder / name).write_bytes((folder / "0.jpeg").read_bytes())
    (folder / f"cut{bad}").write_bytes(b"")
    rows = [("0.jpeg", 0), (bad, 0), ("copy.jpeg", 1), (f"cut{bad}", 1)]
    pages = []
    for names, word in (((f"Bellis {HOSTILE}", f"Rosa {HOSTILE}"), HOSTILE), (NAMES[:2], "fine")):
        data = dataset_of(
            folder, {"train": rows}, names=names, notes=[word], sources={"train": [word] * 4}
        )
        pages.append(report_of(data, settings, tmp_path / "report.html"))
    hostile, harmless = pages
    assert [tag for tag in hostile.elements if tag in ("script", "img")] == [
        tag for tag in harmless.elements if tag in ("script", "img")
    ]
    assert "alert(1)" not in hostile.script
    assert hostile.text.count("onerror=alert(1)") > harmless.text.count("onerror=alert(1)") > 0


def test_the_same_data_set_gives_the_same_report(
    spoilt: Dataset, settings: Settings, tmp_path: Path
) -> None:
    found = inspect(spoilt, settings)
    for name in ("one.html", "other.html"):
        write_dataset_report(tmp_path / name, found, settings)
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "other.html").read_bytes()


def test_the_contact_sheet_has_photos_of_all_labels_or_of_a_sample(
    settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "a.jpg").write_bytes(encode(blocks(0), "JPEG"))
    few = [("a.jpg", label) for label in range(4) for _ in range(30)]
    found = inspect(dataset_of(tmp_path, {"train": few}), settings)
    shown = found.labels[contact_sheet(found)]
    assert np.bincount(shown).tolist() == [12, 12, 12, 12]
    many = [("a.jpg", label) for label in range(1000) for _ in range(3)]
    names = [f"Rosa species{number}" for number in range(1000)]
    found = inspect(dataset_of(tmp_path, {"train": many}, names=names), settings)
    shown = found.labels[contact_sheet(found)]
    assert set(np.bincount(shown)) == {0, 2}
    assert len(shown) == 320
    assert shown.min() < 100
    assert shown.max() > 900


def test_the_page_stays_under_10_megabytes_at_6182_labels(
    settings: Settings, tmp_path: Path
) -> None:
    """Thumbnails of the most bytes, names of more than the usual length, and many faults."""
    noise = np.random.default_rng(0)
    for number in range(10):
        pixels = noise.integers(0, 256, (160, 160, 3), np.uint8)
        (tmp_path / f"{number}.jpg").write_bytes(encode(pixels, "JPEG", quality=95))
    names = [f"Pseudopodospermum hispanicum{number} subsp. neapolitanum" for number in range(6182)]
    rows = [(f"{number % 10}.jpg", number % 6182) for number in range(12_364)]
    rows += [(f"not/here/in/a/long/folder/{number}.jpg", number) for number in range(2000)]
    data = dataset_of(tmp_path, {"train": rows, "val": [], "test": []}, names=names)
    readable = np.arange(len(rows)) < 12_364
    found = Inspection(
        data,
        splits=np.zeros(len(rows), np.int8),
        labels=data.splits["train"].labels,
        widths=np.where(readable, 160, 0).astype(np.int32),
        heights=np.where(readable, 160, 0).astype(np.int32),
        formats={"JPEG": 12_364},
        unreadable=tuple((place, "It is damaged. " * 8) for place in range(12_364, 14_364)),
        copies=(),
        look_alikes=tuple((place, place + 10) for place in range(0, 12_000, 3)),
        photos_per_second=1,
    )
    write_dataset_report(tmp_path / "report.html", found, settings)
    html = (tmp_path / "report.html").read_text("utf-8")
    assert 5_000_000 < len(html.encode()) < 10_000_000
    pictures = re.findall(r'src="data:image/jpeg;base64,([^"]*)"', html)
    assert len(pictures) == 320 + 32
    assert min(Image.open(io.BytesIO(base64.b64decode(pictures[-1]))).size) > 100


def test_a_report_that_cannot_be_written_is_told(
    spoilt: Dataset, settings: Settings, tmp_path: Path
) -> None:
    found = inspect(spoilt, settings)
    with pytest.raises(ArgumentError, match=r"nowhere/report\.html cannot be written"):
        write_dataset_report(tmp_path / "nowhere" / "report.html", found, settings)
