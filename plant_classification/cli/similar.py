"""``plant-classification index``, ``search`` and ``embed``: photos by what they look like."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from plant_classification.cli import options
from plant_classification.cli.bulk import standard_input
from plant_classification.cli.photo_bar import photo_bar
from plant_classification.errors import ArgumentError

if TYPE_CHECKING:
    from plant_classification.models import ModelFolder
    from plant_classification.settings import Settings


@click.command()
@click.argument("data", type=click.Path(exists=True, path_type=Path))
@options.model
@options.models_dir
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="INDEX",
    help="The folder to write; by default in the model's, whose answers then name similar photos.",
)
def index(data: Path, model: str | None, models_dir: Path | None, out: Path | None) -> None:
    """Index the photos of DATA, to find similar ones.

    DATA is a folder or a table as training takes it. Needs the extra 'index'.
    """
    from plant_classification.data.reading import read_dataset
    from plant_classification.inference.batch import look_at_views
    from plant_classification.inference.engine import engine_of
    from plant_classification.models.choosing import STARTER_FOLDER
    from plant_classification.settings import load_settings
    from plant_classification.similarity import FOLDER, new_index

    settings = load_settings(models_dir=models_dir)
    chosen = _model(model, settings)
    if out is None and chosen.path == STARTER_FOLDER:
        raise click.UsageError("The starter's folder belongs to the package: give --out INDEX.")
    folder = out or chosen.path / FOLDER
    if folder.exists():
        raise ArgumentError(f"{folder} is there already: move it away, or give another.")
    dataset = read_dataset(data, families=settings.families, val_fraction=None, settings=settings)
    records = dataset.everything()
    names = [label.name for label in dataset.labels]
    photos = [
        (path, names[label]) for path, label in zip(records.paths, records.labels, strict=True)
    ]
    engine = engine_of(chosen, settings.precision, settings.threads, for_many=True)
    try:
        with (
            photo_bar() as bar,
            new_index(folder, photos, records.root.resolve(), chosen, engine.feature_count) as add,
        ):
            faults = look_at_views(
                engine,
                chosen.preprocessing,
                records,
                settings,
                None,
                lambda place, _view, _logits, features: add(place, features),
                lambda done, total: bar(done, total, "seen"),
            )
            if len(faults) == len(photos):
                raise ArgumentError(f"No photo of {data} can be read: {faults[0][1]}")
    except OSError as error:
        raise ArgumentError(f"{folder} cannot be written: {error.strerror}.") from None
    for place, fault in faults:
        click.echo(f"Left out: {records.path(place)}: {fault}", err=True)
    click.echo(f"{folder}: {len(photos) - len(faults):,} photos.")


@click.command()
@click.argument("index_folder", metavar="INDEX", type=click.Path(exists=True, path_type=Path))
@click.argument("photo")
@options.model
@options.models_dir
@click.option(
    "--count", default=5, show_default=True, type=click.IntRange(1), help="How many to list."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def search(
    index_folder: Path,
    photo: str,
    model: str | None,
    models_dir: Path | None,
    count: int,
    as_json: bool,
) -> None:
    """List the photos of INDEX that are most like PHOTO.

    PHOTO is a file or an http(s) address. The model must be that which INDEX was made with.
    """
    from plant_classification import photos
    from plant_classification.inference.engine import engine_of
    from plant_classification.settings import load_settings
    from plant_classification.similarity import PhotoIndex

    settings = load_settings(models_dir=models_dir)
    chosen = _model(model, settings)
    known = PhotoIndex.open(index_folder, chosen)
    rule = chosen.preprocessing
    pixels = photos.read(photo, settings, shorter_side=rule.shorter_side()).pixels
    _, features = engine_of(chosen, settings.precision, settings.threads).brief(
        rule.apply(pixels)[0]
    )
    found = known.nearest(features, count)
    if as_json:
        for one in found:
            click.echo(json.dumps(dataclasses.asdict(one), ensure_ascii=False))
        return
    width = max(len(one.label) for one in found)
    for one in found:
        click.echo(f"{one.similarity:.3f}  {one.label:<{width}}  {known.root / one.photo}")


@click.command()
@click.argument("photos", nargs=-1, required=True, metavar="PHOTO...")
@options.model
@options.models_dir
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    required=True,
    help="The table to write: .parquet.",
)
def embed(photos: tuple[str, ...], model: str | None, models_dir: Path | None, out: Path) -> None:
    """Write what the network sees in photos, as numbers.

    They are alike where photos look alike. PHOTO is what identify takes: files, folders, patterns,
    addresses, tables, or -.
    """
    from plant_classification.bulk.embeddings import write_embeddings
    from plant_classification.bulk.observations import Grouping, check_places, find
    from plant_classification.inference.engine import engine_of
    from plant_classification.settings import load_settings

    check_places(photos)
    settings = load_settings(models_dir=models_dir)
    chosen = _model(model, settings)
    engine = engine_of(chosen, settings.precision, settings.threads, for_many=True)
    found = find(photos, Grouping(), standard_input())
    with photo_bar() as bar:
        try:
            done, errors = write_embeddings(
                out, found, chosen, engine, settings, lambda done: bar(done, None, "seen")
            )
        except OSError as error:
            raise ArgumentError(f"{out} cannot be written: {error.strerror}.") from None
    told = f"; {errors:,} with an error, told in its column" if errors else ""
    click.echo(f"{out}: {done:,} photos{told}.")


def _model(name: str | None, settings: Settings) -> ModelFolder:
    from plant_classification.models import model_at, ready

    return ready(model_at(name, settings.models_dir), settings)
