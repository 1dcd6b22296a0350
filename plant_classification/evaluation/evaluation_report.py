"""The report of an evaluation: what a model came to on photos whose names are known."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from plant_classification.errors import ArgumentError
from plant_classification.evaluation import charts, page, sections
from plant_classification.evaluation.findings import per_cent
from plant_classification.evaluation.judged import Judged
from plant_classification.evaluation.metrics import label_figures
from plant_classification.evaluation.page import Column, Figure, Section, Tile
from plant_classification.evaluation.weighted import ascending, levelled
from plant_classification.files import write_file
from plant_classification.settings import Settings

REPORT, FIGURES = "report.html", "evaluation.json"
POINTS = 200
"""Of the curve of risk and coverage."""


def write_evaluation_report(
    folder: Path, judged: Judged, found: Mapping[str, Any], settings: Settings
) -> None:
    """Write report.html, one file that needs no other, and evaluation.json, all figures.

    Args:
        folder: Where; it is made if it is not there.
        judged: The photos and what was said of them.
        found: Their :func:`summary`.
        settings: For the limits of reading the photos that are shown.

    Raises:
        ArgumentError: A file cannot be written, or a package is missing.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        figures = json.dumps(found, ensure_ascii=False, indent=1) + "\n"
        write_file(folder / FIGURES, figures.encode())
    except OSError as error:
        raise ArgumentError(f"{folder} cannot be written: {error.strerror}.") from None
    subtitle = f"{found['photos']:,} photos, {found['labels']:,} labels"
    html = page.page(
        f"{judged.name}, judged", _sections(judged, found, settings), subtitle=subtitle
    )
    page.write_page(folder / REPORT, html)


def _sections(judged: Judged, found: Mapping[str, Any], settings: Settings) -> Iterator[Section]:
    seen = judged.predictions
    yield _summary(judged, found)
    for column, groups in found["groups"].items():
        yield _groups(column, groups)
    by_label = label_figures(seen, len(judged.labels))
    yield sections.species_section(by_label, judged.labels, None)
    yield sections.confusion_section(seen, judged.labels)
    if judged.paths:
        yield sections.mistakes_section(seen, judged.labels, judged.paths, settings)
    yield sections.calibration_section(seen)
    yield _risk(judged)


def _summary(judged: Judged, found: Mapping[str, Any]) -> Section:
    shares = {
        "right at once": "top_1",
        "right within five": "top_5",
        "right at once, mean over labels": "macro_top_1",
        "right genus": "genus_top_1",
        "right family": "family_top_1",
    }
    tiles = [
        Tile(per_cent(found[name]), words, _interval(found["intervals"][name]))
        for words, name in shares.items()
        if found[name] is not None
    ]
    words = ["The ranges are 95 % intervals: how far chance moves a figure.", *judged.notes]
    return Section("In short", page.join(page.tiles(tiles), page.paragraphs(words)))


def _interval(ends: list[float] | None) -> str:
    return f"{per_cent(ends[0])} to {per_cent(ends[1])}" if ends else ""


def _groups(column: str, groups: Mapping[str, Any]) -> Section:
    columns = (
        Column(column.capitalize()),
        Column("Photos", "number"),
        Column("Right at once", "share"),
        Column("95 % interval"),
        Column("Within five", "share"),
        Column("Right genus", "share"),
    )
    rows = [
        (
            name,
            group["photos"],
            group["top_1"],
            _interval(group["intervals"]["top_1"]),
            group["top_5"],
            group["genus_top_1"],
        )
        for name, group in groups.items()
    ]
    return Section(f"By {column}", page.table(columns, rows))


def _risk(judged: Judged) -> Section:
    """How many answers are wrong if only the surest are given."""
    order, first = ascending(-judged.predictions.confidence)
    answered = np.arange(1, len(order) + 1)
    wrong = levelled(np.ones((1, len(order))), ~judged.predictions.right[order], first)
    risk = np.cumsum(wrong[0]) / answered
    some = np.unique(np.linspace(0, len(order) - 1, POINTS).astype(int))
    chart = charts.line_chart(
        {"wrong among the answers": risk[some].tolist()},
        x=(100 * answered[some] / len(order)).tolist(),
        x_label="photos that get an answer, the surest first, %",
        share=True,
    )
    words = (
        "Who takes only the surest answers has fewer wrong ones among them. The lower the curve, "
        "the better the model knows what it does not know."
    )
    return Section(
        "If only the surest are taken",
        page.join(page.paragraphs([words]), page.figures([Figure("Risk and coverage", chart)])),
    )
