"""``plant-classification calibrate``: probabilities that come true, for a model that is there."""

from __future__ import annotations

from pathlib import Path

import click

from plant_classification.cli import options
from plant_classification.errors import ArgumentError


@click.command()
@click.argument("name", metavar="MODEL")
@click.argument("data", metavar="DATA", type=click.Path(exists=True, path_type=Path))
@options.models_dir
@click.option(
    "--split",
    type=click.Choice(["train", "val", "test"]),
    help="Which photos of DATA; by default those for validation, else those for testing, else all.",
)
def calibrate(name: str, data: Path, models_dir: Path | None, split: str | None) -> None:
    """Fit the probabilities of MODEL, a name or a folder, on the photos of DATA.

    They must be photos that MODEL was not trained on, of names that it knows; some hundreds do.
    Training does this by itself; a model of the old service was never calibrated. Its temperature,
    its plausible sets and the rule of its safe answers are written into its folder, and
    servers that run take them up.
    """
    from plant_classification.cli.photo_bar import photo_bar
    from plant_classification.data import VALIDATION
    from plant_classification.data.reading import read_dataset
    from plant_classification.evaluation.judging import calibrate_model, chosen_split
    from plant_classification.models import ModelFolder, model_at
    from plant_classification.models.choosing import STARTER_FOLDER
    from plant_classification.settings import load_settings

    settings = load_settings(models_dir=models_dir)
    model = model_at(name, settings.models_dir)
    if model.path == STARTER_FOLDER:
        raise ArgumentError("The starter is part of the package, and calibrated already.")
    if not isinstance(model, ModelFolder):
        raise ArgumentError(
            f"{name} is a model of the old service as it was: import it first, with "
            "'plant-classification models import', and calibrate what that makes."
        )
    dataset = read_dataset(data, families=settings.families, val_fraction=None, settings=settings)
    if split is None and VALIDATION in dataset.splits:
        split = VALIDATION
    records, notes = chosen_split(dataset, split)
    with photo_bar() as tell:
        found = calibrate_model(
            model,
            dataset.labels,
            records,
            settings,
            lambda done, total: tell(done, total, "looked at"),
        )
    before, after = found.before, found.after
    click.echo(
        f"{model.name}: temperature {model.trust.temperature:.3f} before, "
        f"{found.model.trust.temperature:.3f} now, by {after.photos:,} photos."
    )
    click.echo(
        f"On these, the log-loss was {before.log_loss:.3f} and is {after.log_loss:.3f}; the "
        f"calibration error was {before.ece:.1%} and is {after.ece:.1%}."
    )
    sets, safe = found.model.trust.plausible, found.model.trust.safe
    if sets and sets.coverages:
        click.echo(f"Its plausible sets promise a coverage of up to {sets.coverages[-1]:.1%}.")
    if safe and safe.confidences:
        click.echo(f"Its safe answers promise a confidence of up to {safe.confidences[-1]:.1%}.")
    for note in (*notes, *found.notes):
        click.echo(f"Note: {note}")
