"""The report of a training: what it says, what it holds, and how large it grows."""

from __future__ import annotations

import dataclasses
import itertools
import pickle
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest
from drawn_photos import encode, ramp
from evaluation.web_page import WebPage, read_page

from plant_classification.evaluation.metrics import Predictions, figures_of, judge
from plant_classification.evaluation.training_report import TrainingReport, write_report
from plant_classification.settings import Settings
from plant_classification.taxonomy import Label, label_of
from plant_classification.training.progress import EpochFigures

NAMES = ("Rosa canina", "Rosa sp.", "Malus domestica", "Tulipa <i>", "Zea mays", "Bellis perennis")
SECTIONS = [
    "In short",
    "How it learned",
    "Species by species",
    "Most confused",
    "Worst mistakes",
    "How sure it may be",
    "How it was made",
    "Photos left out",
]


def epoch(number: int, val_top_1: float | None) -> dict[str, float | None]:
    values = EpochFigures(number, 2 / number, 0.9, 1.0, 0.001, 50.0, 1 / number, val_top_1)
    return dataclasses.asdict(values)


@pytest.fixture
def report(tmp_path: Path) -> TrainingReport:
    """Six labels; the last has no validation photo, and two photos are gone or named too surely."""
    labels = tuple(Label(name, None, name.split()[0], "Familia") for name in NAMES[3:4])
    labels = (*map(label_of, NAMES[:3]), *labels, *map(label_of, NAMES[4:]))
    truth = np.array([0] * 6 + [1] * 6 + [2] * 3 + [3, 4])
    logits = np.full((len(truth), 6), -4.0)
    logits[np.arange(len(truth)), truth] = 2
    logits[:5, 1] = 3  # five of six dog roses are taken for some rose
    logits[15, 4] = 9  # and the tulip, surely, for maize
    photo = tmp_path / "photos" / "rose.png"
    photo.parent.mkdir()
    photo.write_bytes(encode(ramp(), "PNG"))
    paths = [photo] * 15 + [tmp_path / "photos" / "gone.png", photo]
    return TrainingReport(
        name="garden",
        created=datetime(2026, 5, 4, 13, 30, tzinfo=timezone.utc),
        architecture="xception",
        config={"epochs": 3, "name": None, "train_mode": {"h_flip": 0.5}, "mode": "normal"},
        dataset="split files, garden",
        notes=["train.txt named a photo twice."],
        labels=labels,
        training_photos=np.array([120, 40, 12, 9, 3, 25]),
        epochs=[epoch(1, 0.4), epoch(2, 0.5), epoch(3, 0.6)],
        temperature=1.4,
        validation=judge(logits, truth),
        paths=paths,
        test=None,
        unreadable=[("photos/x.jpg", "x.jpg is truncated.")],
    )


def written(report: TrainingReport, tmp_path: Path, settings: Settings) -> WebPage:
    path = tmp_path / "report.html"
    write_report(path, report, settings)
    return read_page(path.read_text("utf-8"))


def test_the_report_says_how_good_how_sure_and_what_to_watch(
    report: TrainingReport, tmp_path: Path, settings: Settings
) -> None:
    seen = written(report, tmp_path, settings)
    assert list(seen.sections) == SECTIONS
    words = " ".join(seen.sections["In short"].replace("\N{NO-BREAK SPACE}", " ").split())
    for sentence in (
        "Of 17 validation photos the model names 64.7 % rightly at once",
        "(41.3 % to 82.7 %, as far as chance goes).",
        "Its best name is of the right genus for 94.1 %",
        "too sure; dividing the logits by the temperature 1.40",
        "1 wrong answer came with a probability of 90 % or more",
        "2 labels had fewer than 10 training photos.",
        "1 label of 6 had no photo to be judged on",
        "3 labels had fewer than 5 photos to be judged on",
        "The last epoch was the best by validation",
        "it learns them by heart",
    ):
        assert sentence in words
    assert "xception, 6 labels, trained until 04 May 2026, 13:30 UTC" in seen.text


def test_species_that_surely_do_badly_stand_first_and_the_unjudged_last(
    report: TrainingReport, tmp_path: Path, settings: Settings
) -> None:
    rows = written(report, tmp_path, settings).rows
    head = next(index for index, row in enumerate(rows) if row[0] == "Species")
    table = [[cell.strip() for cell in row] for row in rows[head + 1 : head + 7]]
    assert table[0] == ["Rosa canina", "16.7 %", "100.0 %", "6", "120", "Rosa sp. (5)"]
    assert table[1] == ["Tulipa <i>", "0.0 %", "100.0 %", "1", "9", "Zea mays (1)"]
    dash = "\N{EN DASH}"
    assert table[-1] == ["Bellis perennis", dash, dash, "0", "25", dash]


def test_confusions_and_mistakes_are_named(
    report: TrainingReport, tmp_path: Path, settings: Settings
) -> None:
    seen = written(report, tmp_path, settings)
    confused = seen.sections["Most confused"]
    assert "another species: 6, in different ways: 2, within the genus: 5." in confused
    assert confused.index("5 of 6") < confused.index("1 of 1")
    mistakes = seen.sections["Worst mistakes"]
    assert "gone.png" in mistakes
    assert mistakes.index("Named Zea mays") < mistakes.index("Named Rosa sp.")
    assert len(seen.images) == 5


def test_options_notes_and_photos_left_out_are_told(
    report: TrainingReport, tmp_path: Path, settings: Settings
) -> None:
    seen = written(report, tmp_path, settings)
    making = " ".join(seen.sections["How it was made"].split())
    for words in (
        "split files, garden",
        "train.txt named a photo twice.",
        "train_mode, h_flip 0.5",
        "All 4 options",
        "name null",
        "mode normal",
    ):
        assert words in making
    assert "x.jpg is truncated." in seen.sections["Photos left out"]


def test_fast_mode_has_no_curves(
    report: TrainingReport, tmp_path: Path, settings: Settings
) -> None:
    fast = dataclasses.replace(report, epochs=(), unreadable=())
    assert list(written(fast, tmp_path, settings).sections) == [
        title for title in SECTIONS if title not in ("How it learned", "Photos left out")
    ]


def test_test_photos_are_told_apart(
    report: TrainingReport, tmp_path: Path, settings: Settings
) -> None:
    assert report.validation is not None
    test = dataclasses.replace(figures_of(report.validation, report.labels), photos=40, top_1=0.5)
    words = written(dataclasses.replace(report, test=test), tmp_path, settings).sections["In short"]
    assert "Of 40 test photos, looked at once, at the end, the model names 50.0" in words


def test_without_photos_held_back_the_report_says_so(
    report: TrainingReport, tmp_path: Path, settings: Settings
) -> None:
    curves = [epoch(1, None)]
    blind = dataclasses.replace(report, validation=None, paths=(), epochs=curves, unreadable=())
    seen = written(blind, tmp_path, settings)
    assert list(seen.sections) == ["In short", "How it learned", "How it was made"]
    assert "nobody knows how good the model is" in seen.sections["In short"]


def test_a_model_that_makes_no_mistake_gets_a_report(tmp_path: Path, settings: Settings) -> None:
    report = TrainingReport(
        "one", datetime(2026, 5, 4, tzinfo=timezone.utc), "xception", {}, "a folder", (),
        (label_of("Rosa canina"),), np.array([30]), (), 1.0,
        judge(np.zeros((1, 1)), np.zeros(1, int)), [tmp_path / "gone.jpg"], None, (),
    )  # fmt: skip
    seen = written(report, tmp_path, settings)
    assert "No photo was taken for another species." in seen.text
    assert "There are none." in seen.sections["Worst mistakes"]


def test_the_same_report_is_the_same_bytes_in_another_process(
    report: TrainingReport, tmp_path: Path, settings: Settings
) -> None:
    pickled = tmp_path / "report.pickle"
    pickled.write_bytes(pickle.dumps((report, settings)))
    code = (
        "import pathlib, pickle, sys\n"
        "from plant_classification.evaluation.training_report import write_report\n"
        "report, settings = pickle.loads(pathlib.Path(sys.argv[1]).read_bytes())\n"
        "write_report(pathlib.Path(sys.argv[2]), report, settings)\n"
    )
    other = tmp_path / "other.html"
    subprocess.run([sys.executable, "-c", code, str(pickled), str(other)], check=True)
    write_report(tmp_path / "report.html", report, settings)
    assert (tmp_path / "report.html").read_bytes() == other.read_bytes()


def test_thousands_of_labels_and_photos_fit_into_a_page(
    report: TrainingReport, tmp_path: Path, settings: Settings, flower: Path
) -> None:
    random = np.random.default_rng(0)
    count, photos = 6182, 5000
    letters = "abcdefghijklmnopqrstuvwxyz"
    epithets = ["".join(triple) for triple in itertools.product(letters, repeat=3)][:count]
    truth = random.integers(0, count, photos)
    predicted = np.where(random.random(photos) < 0.6, truth, random.integers(0, count, photos))
    confidence = random.random(photos)
    large = dataclasses.replace(
        report,
        labels=[label_of(f"Longigenus {epithet}folium") for epithet in epithets],
        training_photos=random.integers(1, 900, count),
        validation=Predictions(
            truth,
            predicted,
            np.where(truth == predicted, 0, 3),
            confidence,
            np.log(np.where(truth == predicted, confidence, 1e-3)),
        ),
        paths=[flower] * photos,
        epochs=[epoch(number, 0.5) for number in range(1, 101)],
        unreadable=[(f"photos/{number}.jpg", "It is truncated.") for number in range(20_000)],
    )
    path = tmp_path / "report.html"
    write_report(path, large, settings)
    assert path.stat().st_size < 2_500_000
    html = path.read_text("utf-8")
    assert f"Show all {count:,} rows" in html
    assert html.count("<td><i>Longigenus") >= count
    assert html.count('src="data:image/jpeg') == 36
    assert "And 19,000 more." in html
