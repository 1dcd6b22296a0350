"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path

import click

from plant_classification.question import CROP_COUNTS, Question

models_dir = click.option(
    "--models-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where models are kept; by default what the settings say.",
)

model = click.option(
    "--model",
    metavar="NAME|FOLDER",
    help="The model; by default the newest of yours, or without one the starter.",
)

crops = click.option(
    "--crops",
    default=str(Question.crops),
    show_default=True,
    type=click.Choice(list(map(str, CROP_COUNTS))),
    help="Views of each photo: more are slower and a little better.",
)
