"""``plant-classification identify``: name the plant in photos."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from plant_classification.cli import options
from plant_classification.cli.saliency import GRAD_CAM, METHODS, check_saliency, explained
from plant_classification.errors import PlantClassificationError
from plant_classification.question import ORGANS, Question

if TYPE_CHECKING:
    from rich.console import Console

    from plant_classification.inference.answer import Answer
    from plant_classification.taxonomy import Label

MOST_PLAUSIBLE = 10


@click.command()
@click.argument("photos", nargs=-1, required=True, metavar="PHOTO...")
@click.option(
    "--observation", is_flag=True, help="The photos show one plant: answer them together."
)
@click.option(
    "--organ",
    "organs",
    multiple=True,
    type=click.Choice(ORGANS),
    help="What a photo shows; once for each photo, in their order.",
)
@options.model
@click.option(
    "--checkpoint",
    metavar="FILE",
    help="Which checkpoint, of a model of the old service; by default its final one.",
)
@options.models_dir
@click.option(
    "--top-k",
    default=Question.top_k,
    show_default=True,
    type=click.IntRange(1),
    help="How many names to list.",
)
@options.crops
@click.option(
    "--confidence",
    default=Question.confidence,
    show_default=True,
    type=click.FloatRange(0, 1, min_open=True),
    help="Share of the safe answers that must be right.",
)
@click.option(
    "--coverage",
    default=Question.coverage,
    show_default=True,
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Share of plausible sets that hold the right name.",
)
@click.option(
    "--species-list",
    metavar="FILE|NAME",
    help="Only these are possible: a text file with a name a line, or NAME.txt where models are.",
)
@click.option(
    "--region", help="Where the photos were taken, as prior.csv, where models are, calls it."
)
@click.option(
    "--month", type=click.IntRange(1, 12), help="When they were taken; counts as prior.csv says."
)
@click.option(
    "--no-reject",
    is_flag=True,
    help="Answer photos that do not look like a known plant as any other.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
@click.option(
    "--saliency",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="FILE",
    help="Write a picture (PNG) of what in the photos of one answer speaks for it.",
)
@click.option(
    "--saliency-by",
    type=click.Choice(METHODS),
    default=GRAD_CAM,
    show_default=True,
    help="Grad-CAM costs nothing; gradients show single pixels, and need the extra 'train'.",
)
@click.option(
    "--taxon", help="What of the answer --saliency is to explain; by default the first name."
)
@click.pass_context
def identify(  # noqa: PLR0913, PLR0917 - one for each option
    ctx: click.Context,
    photos: Sequence[str],
    observation: bool,
    organs: Sequence[str],
    model: str | None,
    checkpoint: str | None,
    models_dir: Path | None,
    top_k: int,
    crops: str,
    confidence: float,
    coverage: float,
    species_list: str | None,
    region: str | None,
    month: int | None,
    no_reject: bool,
    as_json: bool,
    saliency: Path | None,
    saliency_by: str,
    taxon: str | None,
) -> None:
    """Name the plant in each PHOTO: a file, or an http(s) address.

    A photo that cannot be read is reported and the others go on; the exit status is then 1.
    """
    from rich.console import Console

    from plant_classification.inference.classifier import Classifier
    from plant_classification.models import find_model
    from plant_classification.settings import load_settings

    settings = load_settings(models_dir=models_dir)
    newest = find_model(None, settings.models_dir).path if model is None else model
    classifier = Classifier.load(newest, settings=settings, checkpoint=checkpoint)
    is_file = species_list and ("/" in species_list or os.path.isfile(species_list))  # noqa: PTH113
    question = Question(
        top_k=top_k,
        crops=int(crops),
        confidence=confidence,
        coverage=coverage,
        species_list=Path(species_list) if species_list and is_file else species_list,
        region=region,
        month=month,
        no_reject=no_reject,
    )
    asked = dataclasses.asdict(question)
    if organs and len(organs) != len(photos):
        raise click.UsageError(
            f"--organ is given once for each photo: {len(organs)} came for {len(photos)} photos."
        )
    sizes = [len(photos)] if observation else [1] * len(photos)
    check_saliency(saliency, taxon, saliency_by, len(sizes))
    failed = False
    for start, size in enumerate(sizes):
        group = photos[start : start + size]
        shown = organs[start : start + size] or None
        name = ", ".join(Path(photo).name for photo in group)
        try:
            answer = (
                explained(classifier, group, shown, asked, saliency, taxon, saliency_by)
                if saliency
                else classifier.identify(group, shown, **asked)
            )
        except PlantClassificationError as error:
            if error.field in (*asked, "taxon", "saliency"):  # which no photo would be answered
                raise
            failed = True
            _report(error, name, as_json=as_json)
        else:
            if as_json:
                click.echo(json.dumps(answer.to_dict(), ensure_ascii=False, allow_nan=False))
            else:
                show(answer, name, Console(highlight=False, markup=False, emoji=False))
    if failed:
        ctx.exit(1)


def show(answer: Answer, name: str, console: Console) -> None:
    """Print an answer as a table with bars, the safe answer in words below it."""
    from rich.bar import Bar
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(width=16)
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
                Bar(1.0, 0.0, probability, color="green"),
                f"{probability:.1%}",
                common,
            )
    console.print(Text(name, style="bold"))
    console.print(table)
    console.print(Text(in_words(answer), style="bold green"), soft_wrap=True)
    if plausible := plausible_in_words(answer):
        console.print(Text(plausible), soft_wrap=True)
    for warning in answer.warnings:
        console.print(Text(f"Note: {warning}", style="yellow"), soft_wrap=True)
    console.print()


def in_words(answer: Answer) -> str:
    """The safe answer as a sentence."""
    if answer.rejected and answer.is_plant:
        return (
            "Safe answer: none, for this does not look like a plant that the model knows "
            f"({answer.is_plant.probability:.1%} of such plants look as little like one)."
        )
    safe = answer.safe_answer
    if safe.name is None or safe.probability is None:
        rank, (best, *_) = (
            ("family", answer.families) if answer.families else ("genus", answer.genera)
        )
        return (
            f"Safe answer: none at {safe.confidence:.0%}. Nearest is the {rank} {best.name} with "
            f"{best.probability:.1%}; another photo may help."
        )
    if not answer.is_promised:
        return f"Safe answer: the {safe.rank} {safe.name}, {safe.probability:.1%} sure."
    return (
        f"Safe answer: the {safe.rank} {safe.name}, {safe.probability:.1%}; of such answers "
        f"{100 * safe.confidence:g}% are right."
    )


def plausible_in_words(answer: Answer) -> str | None:
    """The plausible set as a sentence, where there is more than one name in it."""
    if answer.plausible is None or len(answer.plausible.labels) == 1:
        return None
    names = [label.name for label in answer.plausible.labels]
    more = f" and {len(names) - MOST_PLAUSIBLE} more" if len(names) > MOST_PLAUSIBLE else ""
    return (
        f"Plausible, with the right name among them for {answer.plausible.coverage:.0%} of such "
        f"photos: {', '.join(names[:MOST_PLAUSIBLE])}{more}."
    )


def _english(label: Label) -> str:
    return next((names[0] for language, names in label.common_names if language == "en"), "")


def _report(error: PlantClassificationError, name: str, *, as_json: bool) -> None:
    if as_json:
        line = {"status": "error", "message": error.message, "photos": [{"name": name}]}
        click.echo(json.dumps(line, ensure_ascii=False))
    else:
        click.echo(f"Error: {error}", err=True)
