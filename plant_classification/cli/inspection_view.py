"""What an inspection found, for a person at a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from rich.bar import Bar
from rich.console import Console
from rich.table import Table
from rich.text import Text

from plant_classification.cli.terminal import shown
from plant_classification.data.inspection import Group, Inspection, cautions, sizes_in_words
from plant_classification.data.long_tail import long_tail
from plant_classification.taxonomy import Label, listed

MOST_LISTED = 5
MOST_TALLIED = 10


def print_inspection(found: Inspection, console: Console) -> None:
    """Print what was found: what there is, how it is spread, what is wrong with it."""
    data = found.dataset
    _say(console, f"{data.folder}: {data.kind}", style="bold")
    _say(console, in_words(data.labels))
    _say(console)
    _print_splits(found, console)
    _print_tail(found, console)
    _print_photos(found, console)
    _print_twins(found, console)
    unreadable = [f"{found.shown(place)}: {why}" for place, why in found.unreadable]
    _say_some(console, "Cannot be read", unreadable)
    _say(console)
    for sentence in cautions(found):
        _say(console, f"Watch: {sentence}", style="yellow")
    for note in data.notes:
        _say(console, f"Note: {note}")
    _say(console, f"Read at {found.photos_per_second:,.0f} photos a second.", style="dim")


def in_words(labels: Sequence[Label]) -> str:
    """How many labels there are, and of what ranks."""
    species = sum(label.rank == "species" for label in labels)
    genera = len({label.genus for label in labels})
    families = {label.family for label in labels}
    parts = [f"{species:,} species"] * bool(species)
    parts += [f"{len(labels) - species:,} of a genus alone"] * (species < len(labels))
    placed = f"{genera:,} genera and {len(families - {None}):,} families"
    unknown = sum(not label.family for label in labels)
    return (
        f"{len(labels):,} labels ({', '.join(parts)}), of {placed}"
        + (f"; the family of {unknown:,} labels is not known" if unknown else "")
        + "."
    )


def _print_splits(found: Inspection, console: Console) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("Split", "Photos", "Labels", "Labels without photos"):
        table.add_column(column, justify="left" if column == "Split" else "right")
    for split in found.dataset.splits:
        counts = found.counts(split)
        numbers = (counts.sum(), (counts > 0).sum(), (counts == 0).sum())
        table.add_row(split, *(f"{number:,}" for number in numbers))
    console.print(table)


def _print_tail(found: Inspection, console: Console) -> None:
    split = next(iter(found.dataset.splits))
    counts = found.counts(split)
    tail = long_tail(counts)
    _say(console)
    _say(console, f"Photos of a label, in {split}", style="bold")
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False, pad_edge=False)
    table.add_column(justify="right")
    table.add_column(width=40)
    table.add_column(justify="right")
    for name, height in tail.bars.items():
        bar = Bar(max(tail.bars.values()), 0, height, color="green")
        table.add_row(name, bar, f"{height:,} labels")
    console.print(table)
    _say(console, f"Labels with few photos: {tail.fewer_in_words}.")
    _say(
        console,
        f"A tenth of the labels has {tail.top_tenth:.0%} of the photos "
        f"(Gini coefficient {tail.gini:.2f}).",
    )
    order = np.argsort(-counts, kind="stable")
    names = [f"{found.dataset.labels[label].name} {counts[label]:,}" for label in order]
    _say(console, f"Most: {', '.join(names[:MOST_LISTED])}")
    if len(names) > MOST_LISTED:
        _say(console, f"Fewest: {', '.join(reversed(names[-MOST_LISTED:]))}")


def _print_photos(found: Inspection, console: Console) -> None:
    _say(console)
    _say(console, "Photos", style="bold")
    for name, words in sizes_in_words(found).items():
        _say(console, f"{name}: {words}")
    _say_tally(console, "Formats", found.formats)
    _say_tally(console, "Sources", found.tally("sources"))
    _say_tally(console, "Organs", found.tally("organs"))
    count, across = found.observations()
    if count:
        words = f"; {across:,} have photos in several splits" if across else ""
        _say(console, f"Observations: {count:,}{words}")


def _print_twins(found: Inspection, console: Console) -> None:
    _say(console)
    _say(console, "The same photo more than once", style="bold")
    _say(console, f"Groups of the very same file: {len(found.copies):,}")
    _say(console, f"Groups of photos that look alike: {len(found.look_alikes):,}")
    for where, groups in (
        ("In several splits", found.across_splits(found.look_alikes)),
        ("Under several labels", found.across_labels(found.look_alikes)),
    ):
        _say_some(console, where, [_group(found, group) for group in groups])


def _group(found: Inspection, group: Group) -> str:
    return " = ".join(
        f"{split} {found.shown(place)} ({found.dataset.labels[record.label].name})"
        for place in group
        for split, record in [found.record(place)]
    )


def _say_tally(console: Console, name: str, tally: Mapping[str, int]) -> None:
    if tally:
        some = [f"{value} {count:,}" for value, count in tally.items()]
        _say(console, f"{name}: {listed(some, MOST_TALLIED)}")


def _say_some(console: Console, what: str, lines: Sequence[str]) -> None:
    if lines:
        _say(console, f"{what}:")
    for line in lines[:MOST_LISTED]:
        _say(console, f"  {line}")
    if len(lines) > MOST_LISTED:
        _say(console, f"  and {len(lines) - MOST_LISTED:,} more, which --report lists")


def _say(console: Console, text: str = "", style: str = "") -> None:
    console.print(Text(shown(text), style=style), soft_wrap=True)
