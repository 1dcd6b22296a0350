"""The report of a training, report.html of a model folder: what came of it, what it is worth."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plant_classification.evaluation import charts, findings, page, sections
from plant_classification.evaluation.findings import per_cent
from plant_classification.evaluation.metrics import (
    Figures,
    LabelFigures,
    Predictions,
    figures_of,
    label_figures,
)
from plant_classification.evaluation.page import Column, Figure, Section, Tile
from plant_classification.settings import Settings
from plant_classification.taxonomy import Label

MOST_LEFT_OUT = 1000
"""Photos that could not be read and are listed; the others are counted."""


@dataclasses.dataclass(frozen=True)
class TrainingReport:
    """What is said of a training.

    Attributes:
        name: The model's.
        created: When the training ended.
        architecture: Name in the registry of networks.
        config: Every option and its value, as JSON takes it.
        dataset: What was trained on, in words.
        notes: Sentences of the data set that a person should see.
        labels: In the order of the indices.
        training_photos: ``int64 (labels,)``, training photos of each label.
        epochs: The fields of ``EpochFigures`` of each epoch; none in fast mode.
        temperature: Divisor of the logits that validation chose.
        validation: Calibrated predictions of the validation photos, or None where there are none.
        paths: The file of each of these photos.
        test: Figures of the test photos, or None where there are none.
        unreadable: Path and sentence of each photo that was left out.
    """

    name: str
    created: datetime
    architecture: str
    config: Mapping[str, Any]
    dataset: str
    notes: Sequence[str]
    labels: Sequence[Label]
    training_photos: NDArray[np.int64]
    epochs: Sequence[Mapping[str, float | None]]
    temperature: float
    validation: Predictions | None
    paths: Sequence[Path]
    test: Figures | None
    unreadable: Sequence[tuple[str, str]]


def write_report(path: Path, report: TrainingReport, settings: Settings) -> None:
    """Write the report: one HTML file that needs no other, whole or not at all.

    The same report and photos give the same bytes.

    Args:
        path: The file to write; one that is there is replaced.
        report: What to say.
        settings: For the limits of reading the photos that are shown.

    Raises:
        ArgumentError: The file cannot be written, or a package is missing.
    """
    subtitle = (
        f"{report.architecture}, {len(report.labels):,} labels, "
        f"trained until {report.created:%d %B %Y, %H:%M %Z}"
    )
    page.write_page(path, page.page(report.name, _sections(report, settings), subtitle=subtitle))


def _sections(report: TrainingReport, settings: Settings) -> Iterator[Section]:
    if seen := report.validation:
        by_label = label_figures(seen, len(report.labels))
        yield _summary(report, seen, by_label)
    else:
        yield Section("In short", page.paragraphs([_without_validation(report)]))
    if report.epochs:
        yield _curves(report.epochs)
    if seen:
        yield sections.species_section(by_label, report.labels, report.training_photos)
        yield sections.confusion_section(seen, report.labels)
        yield sections.mistakes_section(seen, report.labels, report.paths, settings)
        yield sections.calibration_section(seen)
    yield _making(report)
    if report.unreadable:
        yield _left_out(report.unreadable)


def _without_validation(report: TrainingReport) -> str:
    if report.test is None:
        return "No photos were held back, so nobody knows how good the model is."
    return findings.accuracy_in_words(report.test, "test photos, looked at once, at the end,")


def _summary(report: TrainingReport, seen: Predictions, by_label: LabelFigures) -> Section:
    figures, test = figures_of(seen, report.labels), report.test
    tiles = [
        Tile(per_cent(figures.top_1), "right at once", f"{figures.photos:,} validation photos"),
        *([Tile(per_cent(figures.top_5), "right within five")] if figures.top_5 else []),
        Tile(per_cent(figures.macro_top_1), "right at once", "mean over labels"),
    ]
    for rank, share in (("genus", figures.genus_top_1), ("family", figures.family_top_1)):
        if share is not None:
            tiles.append(Tile(per_cent(share), f"right {rank}"))
    if test is not None:
        tiles.append(Tile(per_cent(test.top_1), "right at once", f"{test.photos:,} test photos"))
        judged = [findings.accuracy_in_words(test, "test photos, looked at once, at the end,")]
    else:
        judged = [
            "The probabilities were fitted on these photos"
            + (", and what was kept was chosen by them" if report.epochs else "")
            + ": a stranger's may fare a little worse."
        ]
    watch = [
        *findings.cautions(seen, figures, by_label, report.labels, report.training_photos),
        *findings.learning_cautions(report.epochs),
    ]
    words = page.paragraphs(
        [
            findings.accuracy_in_words(figures, "validation photos"),
            *judged,
            findings.trust_in_words(seen, report.temperature),
        ]
    )
    if watch:
        words = page.beside(words, page.callout("What to watch", page.bullets(watch)))
    return Section("In short", page.join(page.tiles(tiles), words))


def _curves(epochs: Sequence[Mapping[str, float | None]]) -> Section:
    def lines(**names: str) -> dict[str, list[float | None]]:
        """Those that have a value at all."""
        curves = {name: [epoch[field] for epoch in epochs] for field, name in names.items()}
        return {name: curve for name, curve in curves.items() if any(v is not None for v in curve)}

    losses = lines(loss="training", val_loss="validation")
    shares = lines(top_1="training", val_top_1="validation", val_macro_top_1="mean over labels")
    rates = lines(learning_rate="learning rate")
    return Section(
        "How it learned",
        page.figures(
            [
                Figure(
                    "Loss",
                    charts.line_chart(losses, x_label="epoch"),
                    "That of training is of altered photos, and holds penalties and smoothing "
                    "where these are on.",
                ),
                Figure(
                    "Right at once",
                    charts.line_chart(shares, x_label="epoch", share=True),
                    "Validation photos are seen as the service sees them, the others altered.",
                ),
                Figure("Learning rate", charts.line_chart(rates, x_label="epoch"), "Of the head."),
            ]
        ),
    )


def _making(report: TrainingReport) -> Section:
    options: dict[str, str] = {}
    for name, value in report.config.items():
        if isinstance(value, Mapping):
            options |= {f"{name}, {part}": _as_written(inner) for part, inner in value.items()}
        else:
            options[name] = _as_written(value)
    return Section(
        "How it was made",
        page.join(
            page.facts(
                {
                    "Network": report.architecture,
                    "Data set": report.dataset,
                    "Labels": len(report.labels),
                    "Training photos": int(report.training_photos.sum()),
                    "Validation photos": len(report.validation or ()),
                    "Test photos": report.test.photos if report.test else 0,
                    "Photos left out": len(report.unreadable),
                    "Temperature": f"{report.temperature:.3f}",
                }
            ),
            page.bullets(report.notes),
            page.folded(f"All {len(options)} options", page.facts(options)),
        ),
    )


def _as_written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _left_out(unreadable: Sequence[tuple[str, str]]) -> Section:
    more = len(unreadable) - MOST_LEFT_OUT
    return Section(
        "Photos left out",
        page.join(
            page.table((Column("Photo"), Column("Why")), unreadable[:MOST_LEFT_OUT], at_once=20),
            page.paragraphs([f"And {more:,} more."] if more > 0 else []),
        ),
    )
