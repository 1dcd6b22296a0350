"""The report of a data set: what is to be known before training, and a contact sheet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from plant_classification.data.inspection import (
    Group,
    Inspection,
    cautions,
    sizes_in_words,
)
from plant_classification.data.long_tail import long_tail
from plant_classification.evaluation import charts, page
from plant_classification.evaluation.findings import per_cent
from plant_classification.evaluation.page import Bar, Column, Figure, Picture, Section, Tile
from plant_classification.evaluation.sections import scientific
from plant_classification.settings import Settings

if TYPE_CHECKING:  # a part of the extra "fast"
    from markupsafe import Markup

SHEET_PHOTOS = 320
"""Photos of the contact sheet, at most 20 kB each: with the tables the page stays under 10 MB."""

LEAST_OF_LABEL, MOST_OF_LABEL = 2, 12
MOST_TWINS = 32
"""Photos of duplicates that are shown."""

MOST_LISTED = 1000
"""Duplicates, and photos that cannot be read, that are listed."""

ROWS_AT_ONCE = 20
MOST_BARS = 12
SEED = 0


def write_dataset_report(path: Path, found: Inspection, settings: Settings) -> None:
    """Write the report: one HTML file that needs no other, whole or not at all.

    Args:
        path: The file to write; one that is there is replaced.
        found: What to say.
        settings: For the limits of reading the photos that are shown.

    Raises:
        ArgumentError: The file cannot be written, or a package is missing.
    """
    data = found.dataset
    title = data.folder.resolve().name or str(data.folder)
    subtitle = f"Data set ({data.kind}): {len(found.labels):,} photos, {len(data.labels):,} labels"
    page.write_page(path, page.page(title, _sections(found, settings), subtitle=subtitle))


def _sections(found: Inspection, settings: Settings) -> Iterator[Section]:
    yield _summary(found)
    yield _labels(found)
    yield _photos(found)
    if found.look_alikes:
        yield _twins(found, settings)
    if found.unreadable:
        yield _unreadable(found)
    yield _contact_sheet(found, settings)


def _summary(found: Inspection) -> Section:
    data = found.dataset
    labels = data.labels
    families = {label.family for label in labels} - {None}
    tiles = [
        Tile(f"{len(found.labels):,}", "photos"),
        Tile(
            f"{len(labels):,}",
            "labels",
            f"{sum(label.rank == 'species' for label in labels):,} species",
        ),
        Tile(f"{len({label.genus for label in labels}):,}", "genera"),
        Tile(f"{len(families):,}", "families"),
    ]
    rows = []
    for split in data.splits:
        counts = found.counts(split)
        rows.append((split, int(counts.sum()), int((counts > 0).sum()), int((counts == 0).sum())))
    columns = [Column("Split")]
    columns += [Column(name, "number") for name in ("Photos", "Labels", "Labels without photos")]
    words = page.join(page.table(columns, rows), page.paragraphs(data.notes))
    if watch := cautions(found):
        words = page.beside(words, page.callout("What to watch", page.bullets(watch)))
    return Section("In short", page.join(page.tiles(tiles), words))


def _labels(found: Inspection) -> Section:
    data = found.dataset
    splits = {split: found.counts(split) for split in data.splits}
    first, counts = next(iter(splits.items()))
    tail = long_tail(counts)
    total = found.counts()
    order = np.argsort(-total, kind="stable").tolist()
    bars = [Bar(f"{name} photos", height, f"{height:,}") for name, height in tail.bars.items()]
    curve = charts.line_chart(
        {"photos": np.sort(counts)[::-1].tolist()},
        x_label="labels, the one with most photos first",
        y_label="photos",
        log=0 < 10 * counts.min() <= counts.max(),
    )
    words = (
        f"In {first}, a tenth of the labels has {per_cent(tail.top_tenth)} of the photos (Gini "
        f"coefficient {tail.gini:.2f}, from 0 for as many everywhere to 1). Of "
        f"{len(data.labels):,} labels, {tail.fewer_in_words}."
    )
    columns = [Column("Label"), Column("Family"), Column("Photos", "number")]
    columns += [Column(split, "number") for split in splits]
    rows = (
        (
            scientific(data.labels[label]),
            data.labels[label].family,
            int(total[label]),
            *(int(counts[label]) for counts in splits.values()),
        )
        for label in order
    )
    return Section(
        "Photos of each label",
        page.join(
            page.paragraphs([words]),
            page.figures(
                [
                    Figure("How many labels have so many photos", page.bar_chart(bars)),
                    Figure("From the most to the fewest", curve),
                ]
            ),
            page.table(columns, rows, at_once=ROWS_AT_ONCE),
        ),
    )


def _photos(found: Inspection) -> Section:
    readable = found.widths > 0
    shorter = np.minimum(found.widths, found.heights)[readable]
    facts = sizes_in_words(found) | {
        form: f"{count:,} photos" for form, count in found.formats.items()
    }
    if observations := found.observations()[0]:
        facts["Observations"] = f"{observations:,}"
    charted = []
    if len(set(shorter)) > 1:
        chart = charts.histogram(shorter, x_label="pixels of the shorter side", y_label="photos")
        charted.append(Figure("Sizes", chart))
    for column, heading in (("sources", "Sources"), ("organs", "Organs")):
        if tally := found.tally(column):
            some = list(tally.items())[:MOST_BARS]
            bars = [Bar(name, count, f"{count:,}") for name, count in some]
            more = f"And {len(tally) - MOST_BARS:,} more." if len(tally) > MOST_BARS else ""
            charted.append(Figure(heading, page.bar_chart(bars), more))
    return Section("The photos", page.join(page.facts(facts), page.figures(charted)))


def _twins(found: Inspection, settings: Settings) -> Section:
    across = {*found.across_splits(found.look_alikes), *found.across_labels(found.look_alikes)}
    groups = sorted(found.look_alikes, key=lambda group: (group not in across, group))
    pictures: list[Picture] = []
    for group in groups:
        if len(pictures) + len(group) <= MOST_TWINS:
            pictures += [_picture(found, place, names_split=True) for place in group]
    words = (
        f"Photos that look the same, reduced to few pixels: {len(found.look_alikes):,}; their very "
        f"files are the same: {len(found.copies):,}. Those stand first that are in several splits, "
        "or under several labels."
    )
    rows = ((_in_words(found, group), len(group)) for group in groups[:MOST_LISTED])
    table = page.table((Column("Look the same"), Column("Photos", "number")), rows, at_once=10)
    return Section(
        "The same photo more than once",
        page.join(page.paragraphs([words]), page.thumbnails(pictures, settings), table),
    )


def _unreadable(found: Inspection) -> Section:
    rows = ((found.shown(place), why) for place, why in found.unreadable[:MOST_LISTED])
    more = len(found.unreadable) - MOST_LISTED
    words = f"And {more:,} more." if more > 0 else ""
    table = page.table((Column("Photo"), Column("Why")), rows)
    return Section("Cannot be read", page.join(table, page.paragraphs([words] if words else [])))


def _contact_sheet(found: Inspection, settings: Settings) -> Section:
    places = contact_sheet(found)
    shown = page.thumbnails([_picture(found, place) for place in places], settings)
    words = f"{len(places):,} photos of {len(set(found.labels[places])):,} labels, drawn by chance."
    return Section("Contact sheet", page.join(page.paragraphs([words]), shown))


def contact_sheet(found: Inspection) -> list[int]:
    """Places of the photos that are shown: some of each label, of many labels of a sample."""
    random = np.random.default_rng(SEED)
    usable = np.flatnonzero(found.widths > 0)
    usable = usable[random.permutation(len(usable))]
    usable = usable[np.argsort(found.labels[usable], kind="stable")]
    labels, starts, counts = np.unique(found.labels[usable], return_index=True, return_counts=True)
    of_each = int(np.clip(SHEET_PHOTOS // max(len(labels), 1), LEAST_OF_LABEL, MOST_OF_LABEL))
    chosen = np.sort(random.permutation(len(labels))[: SHEET_PHOTOS // of_each])
    return [
        int(place)
        for index in chosen
        for place in usable[starts[index] : starts[index] + min(of_each, counts[index])]
    ]


def _picture(found: Inspection, place: int, *, names_split: bool = False) -> Picture:
    from markupsafe import Markup

    split, record = found.record(place)
    caption = scientific(found.dataset.labels[record.label])
    return Picture(
        record.path, Markup("{}<br>{}").format(caption, split) if names_split else caption
    )


def _in_words(found: Inspection, group: Group) -> Markup:
    from markupsafe import Markup

    photos = [
        Markup("{} ({}, {})").format(
            found.shown(place), split, scientific(found.dataset.labels[record.label])
        )
        for place in group
        for split, record in [found.record(place)]
    ]
    return Markup("<br>").join(photos)
