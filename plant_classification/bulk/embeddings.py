"""What a network sees in photos, as a table: a row of numbers for each."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from plant_classification import photos
from plant_classification.bulk.observations import Observation
from plant_classification.bulk.remote import source_of
from plant_classification.bulk.table_files import check_format
from plant_classification.data.parquet import PARQUET
from plant_classification.errors import ArgumentError, PlantClassificationError
from plant_classification.files import printable, remove_partials, replacing
from plant_classification.inference.engine import Engine
from plant_classification.models import ModelFolder
from plant_classification.photos.ahead import in_order
from plant_classification.processes import processors
from plant_classification.settings import Settings

AT_ONCE = 1024
WAITING = 8


def write_embeddings(
    out: Path,
    observations: Iterable[Observation],
    model: ModelFolder,
    engine: Engine,
    settings: Settings,
    tell: Callable[[int], None] = lambda _done: None,
) -> tuple[int, int]:
    """Write a Parquet table with ``photo``, ``features`` and ``error``, whole or not at all.

    Args:
        out: The table. ``features`` are ``float32 (D,)``: the mean of the last feature map, as
            ``Classifier.embed`` gives it; null where ``error`` says why.
        observations: Whose photos they are; a row for each photo.
        model: For its preprocessing.
        engine: Its network, compiled ``for_many``.
        settings: For the limits of photos.
        tell: Is told how many are done.

    Returns:
        How many photos there are, and how many of them could not be read.

    Raises:
        ArgumentError: The table's name, it is there already, or pyarrow is missing.
        OSError: The table cannot be written.
    """
    check_format(out)
    if out.suffix.lower() != PARQUET:
        raise ArgumentError(
            f"The table's name must end in {PARQUET}, not {out.name!r}.", field="out"
        )
    if out.exists():
        raise ArgumentError(f"{out} is there already: give another file.", field="out")
    remove_partials(out)
    arrow, parquet = (importlib.import_module(name) for name in ("pyarrow", "pyarrow.parquet"))
    rule = model.preprocessing
    vectors = arrow.list_(arrow.float32())  # pyarrow 25 reads no null in lists of a fixed size
    schema = arrow.schema(
        [("photo", arrow.string()), ("features", vectors), ("error", arrow.string())]
    )

    def seen(
        photo: tuple[str, str | None],
    ) -> tuple[str, NDArray[np.float32] | None, str | None]:
        place, fault = photo
        if fault:
            return printable(place), None, printable(fault)
        try:
            source = source_of(place, settings)
            pixels = photos.read(source, settings, shorter_side=rule.shorter_side()).pixels
        except PlantClassificationError as error:
            return printable(place), None, printable(error.message)
        return printable(place), engine.brief(rule.apply(pixels)[0])[1], None

    threads = processors() + 1
    given = ((photo, one.fault) for one in observations for photo in one.photos)
    rows = in_order(seen, given, threads, WAITING * threads)
    done = errors = 0
    with replacing(out) as partial, parquet.ParquetWriter(partial, schema) as table:
        while block := list(itertools.islice(rows, AT_ONCE)):
            arrays = [
                arrow.array(column, kind)
                for column, kind in zip(zip(*block, strict=True), schema.types, strict=True)
            ]
            table.write_table(arrow.Table.from_arrays(arrays, schema=schema))
            done += len(block)
            errors += sum(error is not None for _, _, error in block)
            tell(done)
    return done, errors
