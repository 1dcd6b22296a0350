"""An answer as people read it in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plant_classification.cli.terminal import shown
from plant_classification.models import STARTER
from plant_classification.taxonomy import listed

if TYPE_CHECKING:
    from rich.console import Console

    from plant_classification.inference.answer import Answer
    from plant_classification.taxonomy import Label

MOST_PLAUSIBLE = 10
WIDE = 72
"""Columns of a terminal that has room for bars and common names."""


def show(answer: Answer, name: str, console: Console) -> None:
    """Print an answer as a table with bars, the safe answer in words below it."""
    from rich.bar import Bar
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False, pad_edge=False)
    is_wide = console.width >= WIDE
    table.add_column(style="dim", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(width=16 if is_wide else 0)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(style="dim", no_wrap=True)
    labels = [
        (candidate.label.name, candidate.probability, _english(candidate.label))
        for candidate in answer.candidates
    ]
    genera = [(taxon.name, taxon.probability, "") for taxon in answer.genera[:2]]
    families = [(taxon.name, taxon.probability, "") for taxon in answer.families[:2]]
    for rank, taxa in (("label", labels), ("genus", genera), ("family", families)):
        for place, (taxon, probability, common) in enumerate(taxa):
            table.add_row(
                "" if place else rank,
                Text(taxon, style="" if rank == "family" else "italic"),
                Bar(1.0, 0.0, probability, color="green") if is_wide else "",
                f"{probability:.1%}",
                common if is_wide else "",
            )
    console.print(Text(shown(name), style="bold"))
    console.print(table)
    console.print(Text(in_words(answer), style="bold green"), soft_wrap=True)
    if plausible := plausible_in_words(answer):
        console.print(Text(plausible), soft_wrap=True)
    for warning in answer.warnings:
        console.print(Text(f"Note: {shown(warning)}", style="yellow"), soft_wrap=True)
    if answer.model.name != STARTER:  # else a model that was trained answers without a word
        by = f"Model: {shown(answer.model.name)}, {answer.model.label_count:,} labels."
        console.print(Text(by, style="dim"), soft_wrap=True)
    console.print()


def in_words(answer: Answer) -> str:
    """The safe answer as a sentence."""
    if answer.rejected and answer.is_plant:
        return (
            "Safe answer: none, for this does not look like a plant that the model knows "
            f"({answer.is_plant.probability:.1%} of such plants look as little like one)."
        )
    safe = answer.safe_answer
    asked = f"{100 * safe.confidence:g}%"
    if safe.name is None or safe.probability is None:
        first = [("family", best) for best in answer.families[:1]]
        first += [("genus", best) for best in answer.genera[:1]]  # whose family may be unknown
        rank, best = max(first, key=lambda one: one[1].probability)
        nearest = f"Nearest is the {rank} {best.name} with {best.probability:.1%}"
        if not safe.promised:
            return (
                f"Safe answer: none at {asked}, which is not promised for such a question. "
                f"{nearest}."
            )
        return f"Safe answer: none at {asked}. {nearest}; another photo may help."
    if not safe.promised:
        return (
            f"Safe answer: the {safe.rank} {safe.name}, {safe.probability:.1%} sure, which is not "
            "promised for such a question."
        )
    return (
        f"Safe answer: the {safe.rank} {safe.name}, {safe.probability:.1%}; of such answers "
        f"{asked} are right."
    )


def plausible_in_words(answer: Answer) -> str | None:
    """The plausible set as a sentence, where there is more than one name in it."""
    if answer.plausible is None or len(answer.plausible.labels) == 1:
        return None
    names = listed([label.name for label in answer.plausible.labels], MOST_PLAUSIBLE)
    if not answer.plausible.promised:
        return f"Plausible, without a promise for such a question: {names}."
    return (
        f"Plausible, with the right name among them for {100 * answer.plausible.coverage:g}% of "
        f"such photos: {names}."
    )


def _english(label: Label) -> str:
    return next((names[0] for language, names in label.common_names if language == "en"), "")
