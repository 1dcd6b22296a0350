"""``plant-classification dataset``: what is in a data set, and photos for one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from plant_classification.cli.photo_bar import photo_bar

if TYPE_CHECKING:
    from plant_classification.data.downloading import DownloadState


@click.group()
def dataset() -> None:
    """Look at photos to train with, or download some."""


@dataset.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--images",
    metavar="SUBDIR",
    help="Folder in DIR that the paths in split files and tables start from; by default found.",
)
@click.option(
    "--report",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a page (HTML) too, with charts and a contact sheet.",
)
def show(folder: Path, images: str | None, report: Path | None) -> None:
    """Read the data set DIR, look at each photo, and tell what is to be known before training.

    DIR is a folder: split files (train.txt beside classes.txt), a folder for each species, or
    Pl@ntNet-300K; or it is a table, CSV or Parquet, with the columns path and label.
    """
    from rich.console import Console

    from plant_classification.cli.inspection_view import print_inspection
    from plant_classification.data.inspection import inspect
    from plant_classification.data.reading import read_dataset
    from plant_classification.settings import load_settings

    settings = load_settings()
    with Console(stderr=True).status("reading what there is"):
        read = read_dataset(folder, images=images, families=settings.families, settings=settings)
    with photo_bar() as tell:
        found = inspect(read, settings, tell)
    print_inspection(found, Console(highlight=False, markup=False, emoji=False))
    if report is not None:
        from plant_classification.evaluation.dataset_report import write_dataset_report

        write_dataset_report(report, found, settings)
        click.echo(f"Report: {report}")


@dataset.command()
@click.argument("archive", type=click.Path(exists=True, path_type=Path))
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.pass_context
def download(ctx: click.Context, archive: Path, folder: Path) -> None:
    """Get the photos that a Darwin Core ARCHIVE lists, as a data set DIR.

    ARCHIVE is a folder or .zip of GBIF or Pl@ntNet with occurrence.txt and multimedia.txt. In DIR,
    photos.csv tells what is known of each photo, with its licence and author, and failures.csv why
    others did not come. The same command goes on where it ended; to try those again that failed for
    good, remove failures.csv.
    """
    from plant_classification.data.darwin_core import read_archive
    from plant_classification.data.downloading import download_photos
    from plant_classification.settings import load_settings
    from plant_classification.taxonomy import load_families

    settings = load_settings()
    read = read_archive(archive, load_families(settings.families))
    for note in read.notes:
        click.echo(f"Note: {note}")
    with photo_bar() as tell:

        def progress(state: DownloadState) -> None:
            words = f"{state.failed:,} failed, {state.new_bytes / 1e6:,.0f} MB"
            tell(state.there + state.failed, state.total, words)

        state = download_photos(read, folder, settings, progress=progress)
    click.echo(f"{state.there:,} of {state.total:,} photos are in {folder}")
    if state.failed:
        click.echo(f"{state.failed:,} did not come: {folder / 'failures.csv'} says why.")
    for host, why in state.given_up:
        click.echo(f"Error: {host} {why}; give the same command again later.", err=True)
    if state.given_up:
        ctx.exit(1)
