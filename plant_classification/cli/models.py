"""``plant-classification models``: which models there are, what is known of each, more of them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from plant_classification.cli import options
from plant_classification.cli.terminal import shown
from plant_classification.errors import ArgumentError
from plant_classification.models import (
    Model,
    ModelFolder,
    find_model,
    labels_of,
    list_models,
    why_not,
)
from plant_classification.settings import Settings, load_settings
from plant_classification.taxonomy import remarks


@click.group()
def models() -> None:
    """List and show the models, and bring in others."""


@models.command("list")
@options.models_dir
def list_command(models_dir: Path | None) -> None:
    """List the models, the one that answers by default first."""
    from rich.console import Console
    from rich.table import Table

    folder = load_settings(models_dir=models_dir).models_dir
    found, faults = list_models(folder)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("Name", "Created", "Network", "Labels", "Version"):
        table.add_column(column, justify="right" if column == "Labels" else "left", overflow="fold")
    for model in found:
        created = f"{model.created:%Y-%m-%d %H:%M}"
        table.add_row(
            model.name, created, model.architecture, str(model.label_count), model.version
        )
    console = Console(highlight=False, markup=False, emoji=False)
    console.print(table)
    console.print(f"Models folder: {shown(str(folder))}", style="dim", soft_wrap=True)
    for fault in faults:
        click.echo(f"Left out: {fault}", err=True)
    for model in found:
        if reason := why_not(model):
            click.echo(f"Passed over: {reason}", err=True)


@models.command()
@click.argument("name")
@options.models_dir
def show(name: str, models_dir: Path | None) -> None:
    """Show the card of the model NAME, with its figures, and its labels."""
    from rich.columns import Columns
    from rich.console import Console
    from rich.markdown import Markdown

    console = Console(highlight=False, markup=False, emoji=False)
    settings = load_settings(models_dir=models_dir)
    model = find_model(name, settings.models_dir)
    labels = labels_of(model, settings)
    console.print(Markdown(_card(model)))
    console.print(Markdown(f"## The {model.label_count} labels"))
    console.print(Columns(sorted(label.name for label in labels), padding=(0, 2)))
    for remark in remarks(labels):
        click.echo(f"Note: {remark}")


@models.command("import")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--name", help="What to call the model; by default as the folder is called.")
@click.option(
    "--checkpoint",
    metavar="FILE",
    help="Which checkpoint of the old service's folder; by default its final one.",
)
@options.models_dir
def import_command(
    folder: Path, name: str | None, checkpoint: str | None, models_dir: Path | None
) -> None:
    """Copy the model in FOLDER into the models folder.

    A folder of the old service (imgclas) is converted, which needs the extra "train" and a minute.
    """
    from plant_classification.models.importing import import_model

    settings = load_settings(models_dir=models_dir)
    _report(import_model(folder, settings, name, checkpoint), settings)


@models.command()
@click.argument("source", metavar="NAME|URL")
@click.option("--sha256", metavar="HEX", help="The SHA-256 that the archive must have.")
@click.option("--name", help="What to call the model; by default NAME, or as its folder is called.")
@options.models_dir
def download(source: str, sha256: str | None, name: str | None, models_dir: Path | None) -> None:
    """Fetch models: an archive (.tar.xz, .tar.gz, .zip) by its NAME in the settings, or by URL.

    plantnet has the old service's six thousand species of Western Europe, inaturalist ten thousand.
    A download that breaks off goes on where it was when the same command is given again.
    """
    from plant_classification.models.importing import download_models

    settings = load_settings(models_dir=models_dir)
    with _progress(source) as progress:
        digest, found = download_models(source, settings, progress, sha256, name)
    if sha256 is None:
        click.echo(f"The archive's SHA-256, to ask for the same again: {digest}")
    for model in found:
        _report(model, settings)


@models.command()
@click.argument("model", metavar="NAME|FOLDER")
@click.option(
    "--data",
    type=click.Path(exists=True, path_type=Path),
    required=True,
    help="Photos as training takes them: some show the ranges of numbers, others judge.",
)
@click.option("--name", help="What to call it; by default the model's name with -int8.")
@options.models_dir
def quantize(model: str, data: Path, name: str | None, models_dir: Path | None) -> None:
    """Make a model of MODEL whose network computes in eight bits: half the size, and faster.

    It is judged on photos that did not show the ranges, and not kept where the mean accuracy over
    labels falls by more than half a point. Needs the extra 'quantize'.
    """
    from plant_classification.cli.photo_bar import photo_bar
    from plant_classification.data.reading import read_dataset
    from plant_classification.evaluation.quantization import quantize as in_eight_bits
    from plant_classification.models import model_at, ready

    settings = load_settings(models_dir=models_dir)
    found = ready(model_at(model, settings.models_dir), settings)
    dataset = read_dataset(data, families=settings.families, settings=settings)
    with photo_bar() as bar:
        try:
            made = in_eight_bits(
                found, dataset, name, settings, lambda done, total: bar(done, total, "looked at")
            )
        except OSError as error:
            place = error.filename2 or error.filename or settings.models_dir
            raise ArgumentError(f"{place} cannot be written: {error.strerror}.") from None
    for kind, figures in (("before", made.before), ("in eight bits", made.after)):
        click.echo(
            f"{kind + ':':<15} right at once {figures.top_1:.2%}, mean over labels "
            f"{figures.macro_top_1:.2%}, of {figures.photos:,} photos"
        )
    click.echo(f"{made.model.name}, in {made.model.path}")


@contextlib.contextmanager
def _progress(name: str) -> Iterator[Callable[[int, int | None], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(name), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=None)
        yield lambda there, total: bar.update(task, completed=there, total=total)


def _report(model: Model, settings: Settings) -> None:
    click.echo(f"{model.name}: {model.architecture}, {model.label_count} labels, in {model.path}")
    for remark in remarks(labels_of(model, settings)):
        click.echo(f"Note: {remark}")
    if fault := why_not(model):
        click.echo(f"Note: {fault}")


def _card(model: Model) -> str:
    from plant_classification.models.folder import CARD

    if isinstance(model, ModelFolder) and CARD in model.files:
        return model.file(CARD).read_text("utf-8")
    figures = "\n".join(
        f"- {data}: {', '.join(_figure(name, value) for name, value in values.items())}"
        for data, values in model.metrics.items()
    )
    return f"# {model.name}\n\n{model.architecture}, {model.label_count} labels.\n\n{figures}"


def _figure(name: str, value: object) -> str:
    from plant_classification.cli.evaluation_view import WORDS, written

    return f"{WORDS.get(name, name)} {written(name, value) if isinstance(value, float) else value}"
