"""``plant-classification models``: which models there are, and what is known of each."""

from __future__ import annotations

from pathlib import Path

import click

from plant_classification.cli import options
from plant_classification.models import ModelFolder, find_model, list_models
from plant_classification.settings import load_settings


@click.group()
def models() -> None:
    """List and show the models."""


@models.command("list")
@options.models_dir
def list_command(models_dir: Path | None) -> None:
    """List the models, the one that answers by default first."""
    from rich.console import Console
    from rich.table import Table

    found, faults = list_models(load_settings(models_dir=models_dir).models_dir)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("Name", "Created", "Network", "Labels", "Version"):
        table.add_column(column, justify="right" if column == "Labels" else "left")
    for model in found:
        created = f"{model.created:%Y-%m-%d %H:%M}"
        table.add_row(
            model.name, created, model.architecture, str(model.label_count), model.version
        )
    Console(highlight=False, markup=False, emoji=False).print(table)
    for fault in faults:
        click.echo(f"Left out: {fault}", err=True)


@models.command()
@click.argument("name")
@options.models_dir
def show(name: str, models_dir: Path | None) -> None:
    """Show the card of the model NAME, with its figures, and its labels."""
    from rich.columns import Columns
    from rich.console import Console
    from rich.markdown import Markdown

    console = Console(highlight=False, markup=False, emoji=False)
    model = find_model(name, load_settings(models_dir=models_dir).models_dir)
    console.print(Markdown(_card(model)))
    console.print(Markdown(f"## The {model.label_count} labels"))
    console.print(Columns(sorted(label.name for label in model.labels()), padding=(0, 2)))


def _card(model: ModelFolder) -> str:
    from plant_classification.models.folder import CARD

    if CARD in model.files:
        return model.file(CARD).read_text("utf-8")
    figures = "\n".join(f"- {name}: {value}" for name, value in model.metrics.items())
    return f"# {model.name}\n\n{model.architecture}, {model.label_count} labels.\n\n{figures}"
