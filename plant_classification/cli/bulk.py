"""``identify --out``: a table of many photos."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from plant_classification.bulk.observations import STANDARD_INPUT, Grouping, find
from plant_classification.cli.photo_bar import photo_bar
from plant_classification.errors import ArgumentError

if TYPE_CHECKING:
    from plant_classification.bulk.run import Done, Job
    from plant_classification.models import ModelFolder
    from plant_classification.settings import Settings

DARWIN_CORE = "darwin-core"


def check_count(organs: Sequence[str], photos: Sequence[str]) -> None:
    """See that there is an organ for each photo, where there are some.

    Raises:
        click.UsageError: There is not.
    """
    if organs and len(organs) != len(photos):
        raise click.UsageError(
            f"--organ is given once for each photo: {len(organs)} came for {len(photos)} photos."
        )


def check_bulk(
    alone: Collection[str],
    grouping: Grouping,
    out: Path | None,
    of_table: object,
    *,
    as_json: bool,
) -> None:
    """Judge the options before a photo is read.

    Args:
        alone: Those given that are for single photos.
        grouping: What --by and --column say.
        out: The table.
        of_table: True where an option is given that says how the table is made.
        as_json: Whether answers are printed as JSON.

    Raises:
        click.UsageError: They contradict each other.
    """
    if out and as_json:
        raise click.UsageError("--json prints answers; for a table of JSON give --out FILE.jsonl.")
    if not out and of_table:
        raise click.UsageError(
            "--format, --strict and --cluster say how --out FILE is made: give --out too."
        )
    if alone and (out or grouping.by or grouping.column):
        raise click.UsageError(
            f"{', '.join(sorted(alone))} is for single photos: leave it out with --out, --by and "
            "--column."
        )


def standard_input() -> Iterator[str]:
    """Its lines, as names of files: bytes that are no UTF-8 too; read when they are asked for."""
    if sys.stdin is not None:  # which it is for a program that has none
        yield from map(os.fsdecode, sys.stdin.buffer)


def write(job: Job, model: ModelFolder, settings: Settings) -> None:
    """Write the table, with a bar; at the end say what came of it.

    Raises:
        ArgumentError: The table cannot be written.
    """
    from plant_classification.bulk.run import run

    total = None
    if STANDARD_INPUT not in job.places:
        total = sum(1 for _ in find(job.places, job.grouping))
    with photo_bar() as bar:

        def tell(done: Done) -> None:
            words = f"{done.errors:,} with an error" if done.errors else "identified"
            bar(done.rows, total, words)

        try:
            done = run(job, model, settings, standard_input(), tell)
        except OSError as error:
            raise ArgumentError(
                f"{job.out} cannot be written: {error.strerror or error}. What is done is kept "
                "beside it: the same command goes on.",
                field="out",
            ) from None
    kept = f", {done.kept:,} of them from before" if done.kept else ""
    column = "identificationRemarks" if job.darwin_core else "its column"
    errors = f"; {done.errors:,} with an error, told in {column}" if done.errors else ""
    click.echo(f"{job.out}: {done.rows:,} rows{kept}{errors}.", err=True)
