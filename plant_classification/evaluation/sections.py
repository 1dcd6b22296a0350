"""What a report says of predictions: by species, confused pairs, worst mistakes, calibration."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from plant_classification.evaluation import charts, page
from plant_classification.evaluation.findings import per_cent
from plant_classification.evaluation.metrics import (
    LabelFigures,
    Predictions,
    confusions,
)
from plant_classification.evaluation.page import Bar, Column, Figure, Picture, Section
from plant_classification.evaluation.reliability import (
    calibration_error_by_chance,
    equal_width_bins,
    expected_calibration_error,
)
from plant_classification.evaluation.weighted import CALIBRATION_BINS
from plant_classification.evaluation.wilson import share_interval
from plant_classification.settings import Settings
from plant_classification.taxonomy import Label

if TYPE_CHECKING:  # a part of the extra "fast"
    from markupsafe import Markup

MOST_PAIRS = 20
MOST_MISTAKES = 36
CONFIDENCES = (0.5, 0.8, 0.9, 0.95, 0.99)
TRAINING_PHOTOS = (0, 1, 10, 30, 100, 300)
"""Least number of training photos of each group of species."""


def scientific(label: Label) -> Markup:
    """A label's name as botanists write it: genus and species in italics."""
    from markupsafe import Markup

    taxon = label.species or label.genus
    if not label.name.startswith(taxon):
        return Markup("<i>{}</i>").format(label.name)
    return Markup("<i>{}</i>{}").format(taxon, label.name[len(taxon) :])


def species_section(
    figures: LabelFigures, labels: Sequence[Label], training_photos: NDArray[np.int64] | None
) -> Section:
    """A row for each label, those that surely need attention first.

    Args:
        figures: Of each label.
        labels: In the order of the indices.
        training_photos: ``(labels,)``, where they are known.
    """
    names = [scientific(label) for label in labels]
    seen = figures.photos > 0
    share = np.divide(figures.right, figures.photos, out=np.full(len(names), np.nan), where=seen)
    _, high = share_interval(figures.right, np.maximum(figures.photos, 1))
    five = None if figures.top_5 is None else figures.top_5 / np.maximum(figures.photos, 1)
    order = np.lexsort((-figures.photos, np.where(seen, high, 2)))
    words = "Those that surely do badly stand first: the order counts how few photos may mislead."
    if training_photos is not None:
        words += " A species without photos to be judged on has no figure, and stands last."
    elif not seen.all():
        order = order[seen[order]]
        words += f" Species that the model knows, without a photo here: {(~seen).sum():,}."
    rows = (
        (
            names[index],
            float(share[index]) if seen[index] else None,
            *([] if five is None else [float(five[index]) if seen[index] else None]),
            int(figures.photos[index]),
            *([] if training_photos is None else [int(training_photos[index])]),
            _taken_for(names, figures, index),
        )
        for index in order
    )
    columns = (
        Column("Species"),
        Column("Right", "share"),
        *([] if five is None else [Column("Among five", "share")]),
        Column("Photos judged", "number"),
        *([] if training_photos is None else [Column("Training photos", "number")]),
        Column("Most often taken for"),
    )
    return Section(
        "Species by species",
        page.join(
            page.join()
            if training_photos is None
            else _by_training_photos(share[seen], training_photos[seen]),
            page.paragraphs([words]),
            page.table(columns, rows),
        ),
    )


def _taken_for(names: Sequence[Markup], figures: LabelFigures, index: int) -> Markup | None:
    from markupsafe import Markup

    if not figures.mistaken[index]:
        return None
    return Markup("{} ({})").format(names[figures.mistaken_for[index]], figures.mistaken[index])


def _by_training_photos(share: NDArray[np.float64], photos: NDArray[np.int64]) -> Markup:
    """What more training photos of a species are worth."""
    group = np.digitize(photos, TRAINING_PHOTOS) - 1
    bars = []
    for index in np.unique(group):
        low, high = (*TRAINING_PHOTOS, 0)[index : index + 2]
        name = f"{low} to {high - 1}" if high > low + 1 else f"{low}"
        name = name if high else f"{low} or more"
        inside = share[group == index]
        bars.append(
            Bar(name, float(inside.mean()), f"{per_cent(inside.mean())} of {len(inside):,} species")
        )
    if len(bars) < 2:
        return page.join()
    words = "The share of right answers, averaged over species with so many training photos each:"
    return page.join(page.paragraphs([words]), page.bar_chart(bars))


def confusion_section(predictions: Predictions, labels: Sequence[Label]) -> Section:
    """The pairs that were confused most."""
    from markupsafe import Markup

    pairs = confusions(predictions)
    photos = np.bincount(predictions.truth, minlength=len(labels))
    bars = [
        Bar(
            Markup("{} taken for {}").format(scientific(labels[truth]), scientific(labels[taken])),
            int(count),
            f"{count} of {photos[truth]}",
        )
        for truth, taken, count in zip(
            pairs.truth[:MOST_PAIRS].tolist(),
            pairs.predicted[:MOST_PAIRS].tolist(),
            pairs.photos[:MOST_PAIRS].tolist(),
            strict=True,
        )
    ]
    if not bars:
        return Section(
            "Most confused", page.paragraphs(["No photo was taken for another species."])
        )
    genus = [label.genus for label in labels]
    within = sum(
        count
        for truth, taken, count in zip(pairs.truth, pairs.predicted, pairs.photos, strict=True)
        if genus[truth] == genus[taken]
    )
    words = (
        f"Photos taken for another species: {int(pairs.photos.sum()):,}, in different ways: "
        f"{len(pairs.photos):,}, within the genus: {within:,}. "
        "Of how many photos of the first species, the number at the end says."
    )
    return Section("Most confused", page.join(page.paragraphs([words]), page.bar_chart(bars)))


def mistakes_section(
    predictions: Predictions, labels: Sequence[Label], paths: Sequence[Path], settings: Settings
) -> Section:
    """Photos of wrong answers, the surest first."""
    from markupsafe import Markup

    wrong = np.flatnonzero(~predictions.right)
    worst = wrong[np.argsort(-predictions.confidence[wrong], kind="stable")][:MOST_MISTAKES]
    pictures = []
    for index in worst.tolist():
        chance = predictions.log_probability
        pictures.append(
            Picture(
                paths[index],
                Markup("Named {} <b>{}</b><br>is {}{}").format(
                    scientific(labels[predictions.predicted[index]]),
                    per_cent(predictions.confidence[index]),
                    scientific(labels[predictions.truth[index]]),
                    "" if chance is None else f" ({per_cent(np.exp(chance[index]))})",
                ),
            )
        )
    if not pictures:
        return Section("Worst mistakes", page.paragraphs(["There are none."]))
    words = (
        "The wrong answers that were given with the highest probability, and what the right name "
        "got. Some may be right: look for labels that are wrong, and for photos that show "
        "something else."
    )
    return Section(
        "Worst mistakes",
        page.join(page.paragraphs([words]), page.thumbnails(pictures, settings)),
    )


def calibration_section(predictions: Predictions) -> Section:
    """How often answers are right, over how sure they are."""
    confidence, right = predictions.confidence, predictions.right
    bins = equal_width_bins(confidence, right)
    low, high = share_interval(np.rint(bins.accuracy * bins.photos).astype(int), bins.photos)
    diagram = charts.reliability_diagram(bins.confidence, bins.accuracy, low, high)
    shares = charts.histogram(
        confidence,
        bins=list(np.linspace(0, 1, 21)),
        x_label="probability of the first name",
        share=True,
        y_label="photos",
    )
    rows = []
    for least in CONFIDENCES:
        sure = confidence >= least
        rows.append(
            (
                f"{100 * least:.0f}\N{NO-BREAK SPACE}%",
                float(sure.mean()),
                float(right[sure].mean()) if sure.any() else None,
            )
        )
    error = 100 * expected_calibration_error(confidence, right)
    chance = 100 * calibration_error_by_chance(confidence)
    words = (
        "A probability is worth something if it comes true: of the answers given with "
        "80\N{NO-BREAK SPACE}%, four in five should be right. Here promise and outcome lie "
        f"{error:.1f} points apart on average (expected calibration error, "
        f"{CALIBRATION_BINS} groups of one size); with as many photos, chance alone would make "
        f"it {chance:.1f} for a model whose probabilities are exact."
    )
    columns = (
        Column("Answers from"),
        Column("Photos that get one", "share"),
        Column("Right among them", "share"),
    )
    return Section(
        "How sure it may be",
        page.join(
            page.paragraphs([words]),
            page.figures(
                [
                    Figure(
                        "Promise and outcome",
                        diagram,
                        "On the dashed line a probability is exact; below it, too sure. "
                        "The bars are 95 % intervals.",
                    ),
                    Figure("How sure the answers are", shares),
                ]
            ),
            page.paragraphs(["If only the surest answers are taken:"]),
            page.table(columns, rows),
        ),
    )
