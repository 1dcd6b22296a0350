"""The ``plant-classification`` command: one module for each group of commands, loaded when used."""

from __future__ import annotations

import importlib
import sys

import click

from plant_classification.cli.terminal import shown
from plant_classification.errors import PlantClassificationError

COMMANDS = {
    "identify": ("plant_classification.cli.identify", "identify"),
    "index": ("plant_classification.cli.similar", "index"),
    "search": ("plant_classification.cli.similar", "search"),
    "embed": ("plant_classification.cli.similar", "embed"),
    "serve": ("plant_classification.cli.serve", "serve"),
    "keys": ("plant_classification.cli.serve", "keys"),
    "models": ("plant_classification.cli.models", "models"),
    "dataset": ("plant_classification.cli.dataset", "dataset"),
    "calibrate": ("plant_classification.cli.calibrate", "calibrate"),
    "evaluate": ("plant_classification.cli.evaluate", "evaluate"),
    "train": ("plant_classification.cli.train", "train"),
}


class LateGroup(click.Group):
    """A group that imports a command's module only when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002, D102
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002, D102
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command


@click.group(cls=LateGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="plant-classification")
def cli() -> None:
    """Name the plant in a photo, and say how far to trust the answer."""


def main() -> None:
    """Run the command; an error of the package is one line on standard error, and status 1."""
    try:
        cli()
    except PlantClassificationError as error:
        click.echo(f"Error: {shown(str(error))}", err=True)
        sys.exit(1)
