"""``plant-classification identify``: name the plant in photos."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from plant_classification.bulk.observations import Grouping, Observation, find
from plant_classification.cli import options
from plant_classification.cli.answer_view import show
from plant_classification.cli.bulk import (
    DARWIN_CORE,
    check_bulk,
    check_count,
    standard_input,
    write,
)
from plant_classification.cli.saliency import GRAD_CAM, METHODS, check_saliency, explained
from plant_classification.cli.terminal import shown
from plant_classification.errors import PlantClassificationError
from plant_classification.files import printable
from plant_classification.question import ASKED, ORGANS, Question, check_photos

if TYPE_CHECKING:
    from plant_classification.inference import Answer

FATAL = {*ASKED, "taxon", "saliency"}
"""Arguments by which no photo would be answered."""


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
@click.option(
    "--by",
    metavar="folder|COLUMN",
    help="Photos of one folder, or with one value in a column of a table, show one plant.",
)
@click.option(
    "--column",
    metavar="NAME",
    help="The column of a table that holds paths or addresses; by default it is looked for.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write a table: .csv, .jsonl or .parquet. The same command goes on where it stopped.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice((DARWIN_CORE,)),
    help="The columns of --out are Darwin Core's, to be joined by occurrence.",
)
@click.option(
    "--strict", is_flag=True, help="With --out, know a file by its content, not by size and time."
)
@click.option(
    "--cluster",
    metavar="auto|ADDRESS",
    help="With --out, do it on this Ray cluster, which sees the files under the same paths.",
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
    by: str | None,
    column: str | None,
    out: Path | None,
    form: str | None,
    strict: bool,
    cluster: str | None,
) -> None:
    """Name the plant in each PHOTO.

    PHOTO is a file, a folder, a pattern such as 'park/**/*.jpg', an http(s) address, a table (.csv,
    .tsv, .parquet), a Darwin Core archive, or - for a list on standard input. With --observation,
    --organ and --saliency it is a file or an address.

    A photo that cannot be read is reported and the others go on; the exit status is then 1. With
    --out such a photo is a row with its error.
    """
    from plant_classification.bulk.answering import answer
    from plant_classification.inference.classifier import Classifier
    from plant_classification.models import model_at, ready
    from plant_classification.settings import load_settings

    settings = load_settings(models_dir=models_dir)
    is_file = species_list and (
        species_list.endswith(".txt") or "/" in species_list or os.path.isfile(species_list)  # noqa: PTH113
    )
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
    grouping = Grouping(by, column)
    check_count(organs, photos)
    check_saliency(saliency, taxon, saliency_by, 1 if observation else len(photos))
    alone = {"--observation": observation, "--organ": organs, "--saliency": saliency}
    given = {name for name, value in alone.items() if value}
    check_bulk(given, grouping, out, form or strict or cluster, as_json=as_json)
    chosen = ready(model_at(model, settings.models_dir, checkpoint), settings)
    if out:
        from plant_classification.bulk.run import Job

        places = tuple(photos)
        job = Job(places, grouping, question, out, bool(form), strict, cluster)
        write(job, chosen, settings)
        return
    if observation:
        check_photos(len(photos), settings.max_photos)
    classifier = Classifier(chosen, settings, settings.precision)

    def answered(one: Observation) -> Answer:
        if saliency:
            return explained(classifier, one, question, saliency, taxon, saliency_by)
        return answer(classifier, one, question, settings)

    if given:
        found: Iterable[Observation] = _of_arguments(photos, organs, as_one=observation)
    else:
        found = find(photos, grouping, standard_input())
    if not _print_answers(found, answered, as_json=as_json):
        ctx.exit(1)


def _of_arguments(
    photos: Sequence[str], organs: Sequence[str], *, as_one: bool
) -> Sequence[Observation]:
    """Single photos as they are given, of one plant or of one each."""
    if as_one:
        name = ", ".join(Path(photo).name for photo in photos)
        return [Observation(name, tuple(photos), tuple(organs) or None)]
    if not organs:
        return [Observation(photo, (photo,)) for photo in photos]
    return [
        Observation(photo, (photo,), (organ,)) for photo, organ in zip(photos, organs, strict=True)
    ]


def _print_answers(
    observations: Iterable[Observation], answered: Callable[[Observation], Answer], *, as_json: bool
) -> bool:
    """Print what each is answered, or what is wrong with it; whether all could be answered."""
    from rich.console import Console

    console = Console(highlight=False, markup=False, emoji=False)
    are_answered = True
    for one in observations:
        name = Path(one.name).name if one.name in one.photos else one.name
        try:
            answer = answered(one)
        except PlantClassificationError as error:
            if error.field in FATAL:
                raise
            are_answered = False
            if as_json:
                fault = {"status": "error", "message": error.message, "photos": [{"name": name}]}
                _print_json(fault)
            else:
                click.echo(f"Error: {shown(str(error))}", err=True)
        else:
            if as_json:
                _print_json(answer.to_dict())
            else:
                show(answer, name, console)
    return are_answered


def _print_json(said: Mapping[str, Any]) -> None:
    click.echo(printable(json.dumps(said, ensure_ascii=False, allow_nan=False)))
