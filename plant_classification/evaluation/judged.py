"""Photos that a model has named and whose names are known, wherever these come from."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plant_classification.evaluation.metrics import Predictions
from plant_classification.taxonomy import Label


@dataclasses.dataclass(frozen=True)
class Sets:
    """The plausible sets of photos.

    Attributes:
        holds: ``bool (N,)``, whether a photo's set holds its label.
        sizes: ``int64 (N,)``, how many labels it has.
    """

    holds: NDArray[np.bool_]
    sizes: NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class Safe:
    """The safe answers to photos.

    Attributes:
        given: ``bool (N,)``, whether a photo gets one.
        right: ``bool (N,)``, whether that is right.
    """

    given: NDArray[np.bool_]
    right: NDArray[np.bool_]


@dataclasses.dataclass(frozen=True)
class Judged:
    """Photos with what was said of them.

    Attributes:
        name: Of the model or the file.
        labels: In the order of the indices.
        predictions: What was said of each photo.
        groups: By the name of a column, such as ``"source"``: the group of each photo, empty where
            it is unknown.
        units: ``int64 (N,)``, a number from zero up, the same for photos of one observation.
        sets: The plausible sets at each coverage that the model can promise.
        safe: The safe answers at each confidence that it can promise.
        paths: The file of each photo; none where they are not known.
        notes: Sentences that a person should see.
    """

    name: str
    labels: Sequence[Label]
    predictions: Predictions
    groups: Mapping[str, NDArray[np.str_]]
    units: NDArray[np.int64]
    sets: Mapping[float, Sets] = dataclasses.field(default_factory=dict)
    safe: Mapping[float, Safe] = dataclasses.field(default_factory=dict)
    paths: Sequence[Path] = ()
    notes: Sequence[str] = ()


def taken(predictions: Predictions, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Predictions:
    """Those of some photos."""
    columns: dict[str, Any] = {
        field.name: column[rows]
        for field in dataclasses.fields(Predictions)
        if isinstance(column := getattr(predictions, field.name), np.ndarray)
    }
    return dataclasses.replace(predictions, **columns)


def numbered(texts: Sequence[str | None], count: int) -> NDArray[np.int64]:
    """A number for each photo, the same for those with the same text; each alone without one.

    Args:
        texts: One for each photo, or empty where none is known.
        count: How many photos there are.
    """
    first: dict[str, int] = {}
    numbers = [
        first.setdefault(text, index) if text else index
        for index, text in enumerate(texts or [None] * count)
    ]
    return np.unique(numbers, return_inverse=True)[1].astype(np.int64)
