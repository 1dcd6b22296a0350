"""``plant-classification evaluate``: how good a model is, on photos whose names are known."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from plant_classification.cli import options
from plant_classification.errors import ArgumentError, DatasetError

if TYPE_CHECKING:
    from plant_classification.evaluation.judged import Judged
    from plant_classification.settings import Settings

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("data", metavar="DATA|PREDICTIONS", type=click.Path(exists=True, path_type=Path))
@options.model
@options.models_dir
@click.option(
    "--split",
    type=click.Choice(["train", "val", "test"]),
    help="Which photos of DATA; by default those for testing, else for validation, else all.",
)
@options.crops
@click.option("--species", type=FILE, help="Of PREDICTIONS with numbers: a name a line, from 0.")
@click.option(
    "--families",
    type=FILE,
    help="The family of each genus, before the package's own: a table with the columns genus and "
    "family, or JSON with a list of names for each family.",
)
@click.option("--synonyms", type=FILE, help="Names of one taxon: a table of name and accepted.")
@click.option(
    "--against",
    metavar="NAME|FOLDER|PREDICTIONS",
    help="Another model, or its predictions, to compare with on the same photos.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "--report",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write a page (report.html) and the figures (evaluation.json) there too.",
)
def evaluate(  # noqa: PLR0913, PLR0917 - one for each option
    data: Path,
    model: str | None,
    models_dir: Path | None,
    split: str | None,
    crops: str,
    species: Path | None,
    families: Path | None,
    synonyms: Path | None,
    against: str | None,
    as_json: bool,
    report: Path | None,
) -> None:
    """Tell how good a model is on the photos of DATA, or how good PREDICTIONS are.

    DATA is a folder or a table as training takes it. PREDICTIONS is a file (JSON, CSV or Parquet)
    with the right label of each photo, true_lab, and the first ones that a model gave with their
    probabilities, pred_lab and pred_prob. Each figure comes with the interval in which it lies with
    a confidence of 95 %, as far as chance goes.
    """
    from rich.console import Console

    from plant_classification.cli.evaluation_view import print_comparison, print_evaluation
    from plant_classification.evaluation.prediction_files import is_predictions, read_predictions
    from plant_classification.evaluation.summary import compared, summary
    from plant_classification.settings import load_settings

    settings = load_settings(models_dir=models_dir)
    if is_predictions(data):
        _check_of_predictions(
            against, {"--model": model, "--split": split, "--crops": crops != "1"}
        )
    accepted = _synonyms(synonyms)
    of_model = _judge(data, split, int(crops), families, accepted, settings)

    def judged(what: Path, name: str | None) -> Judged:
        if is_predictions(what):
            return read_predictions(what, species, families or settings.families, accepted)
        return of_model(name)

    first = judged(data, model)
    found = summary(first)
    if against is not None:
        second = judged(Path(against), against)
        difference = compared(first, second, accepted)
        found["compared"] = {"name": second.name, **dataclasses.asdict(difference)}
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, allow_nan=False))
    else:
        console = Console(highlight=False, markup=False, emoji=False)
        print_evaluation(found, console)
        if found["compared"]:
            print_comparison(found, console)
    if report is not None:
        _write(report, first, found, settings, as_json=as_json)


def _check_of_predictions(against: str | None, given: Mapping[str, object]) -> None:
    """See that nothing is asked of a file of predictions that only a model can be asked.

    Raises:
        UsageError: An option would have no effect.
        ArgumentError: They are to be compared with a model.
    """
    from plant_classification.evaluation.prediction_files import is_predictions

    for option, value in given.items():
        if value:
            raise click.UsageError(f"{option} is for photos, and DATA is a file of predictions.")
    if against is not None and not is_predictions(Path(against)):
        raise ArgumentError(
            f"Predictions are compared with predictions, and {against} is no such file; to compare "
            "with a model, give photos as DATA.",
            field="against",
        )


def _judge(
    data: Path,
    split: str | None,
    crops: int,
    families: Path | None,
    synonyms: dict[str, str],
    settings: Settings,
) -> Callable[[str | None], Judged]:
    """What judges the model of a name on the photos of a data set, which is read once."""
    from plant_classification.cli.photo_bar import photo_bar
    from plant_classification.data.reading import read_dataset
    from plant_classification.evaluation.judging import chosen_split, judge_model
    from plant_classification.models import model_at, ready

    @functools.cache
    def read() -> Any:
        table = families or settings.families
        return read_dataset(data, families=table, val_fraction=None, settings=settings)

    def judge(name: str | None) -> Judged:
        model = model_at(name, settings.models_dir)
        records, notes = chosen_split(read(), split)
        with photo_bar() as tell:
            judged = judge_model(
                ready(model, settings),
                read().labels,
                records,
                settings,
                crops=crops,
                synonyms=synonyms,
                tell=lambda done, total: tell(done, total, "looked at"),
            )
        return dataclasses.replace(judged, notes=[*notes, *judged.notes])

    return judge


def _synonyms(path: Path | None) -> dict[str, str]:
    if path is None:
        return {}
    from plant_classification.data.files import read_text
    from plant_classification.taxonomy.synonyms import read_synonyms

    try:
        return read_synonyms(read_text(path), str(path))
    except ValueError as error:
        raise DatasetError(str(error)) from None


def _write(
    folder: Path, judged: Judged, found: dict[str, Any], settings: Settings, *, as_json: bool
) -> None:
    from plant_classification.evaluation.evaluation_report import write_evaluation_report

    write_evaluation_report(folder, judged, found, settings)
    click.echo(f"Report: {folder / 'report.html'}", err=as_json)
