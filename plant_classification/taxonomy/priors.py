"""What grows where and when: prior.csv, and how much it counts beside a photo."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

from plant_classification.taxonomy.species_lists import NameIndex
from plant_classification.taxonomy.tables import read_table

COLUMNS = ("species", "weight")
FLOOR = 0.05
"""The least factor: where the photo makes a species more than 20 times as likely, it wins."""


@dataclasses.dataclass(frozen=True)
class Prior:
    """How common species are, by region and month.

    Attributes:
        weights: For each region and month of a row (empty and 0 where the row does not say) the
            weight of each label, ``float64 (labels,)``.
    """

    weights: dict[tuple[str, int], NDArray[np.float64]]

    @property
    def regions(self) -> list[str]:
        """The regions that rows name."""
        return sorted({region for region, _ in self.weights} - {""})

    def factors(self, region: str | None, month: int | None) -> NDArray[np.float64] | None:
        """What the probabilities are multiplied by.

        The weights of all rows that fit are added: a row fits a region or a month that it names, or
        does not name, or that is not asked for.

        Args:
            region: One of ``regions``, or None for all.
            month: 1 to 12, or None for all.

        Returns:
            ``float64 (labels,)`` in [``FLOOR``, 1], 1 for the most common; None where no row fits.
        """
        fitting = [
            weights
            for (of_region, of_month), weights in self.weights.items()
            if (region is None or of_region in ("", region))
            and (month is None or of_month in (0, month))
        ]
        total = np.sum(fitting, axis=0) if fitting else np.zeros(1)
        return np.maximum(total / total.max(), FLOOR) if total.max() > 0 else None


def read_prior(text: str, source: str, index: NameIndex, label_count: int) -> Prior:
    """Read prior.csv.

    Args:
        text: CSV with ``species``, ``weight`` (any unit, such as a count of sightings), and
            ``region`` and ``month`` where wanted. Names that the model does not know are passed
            over, since such tables are of a whole flora.
        source: What the file is called in messages.
        index: Of the model's labels.
        label_count: Number of labels.

    Raises:
        ValueError: A fault, with file and line.
    """
    weights: dict[tuple[str, int], NDArray[np.float64]] = {}

    def add(row: dict[str, str]) -> None:
        weight, month = _weight(row["weight"]), _month(row.get("month", ""))
        of_row = weights.setdefault(
            (row.get("region", "").strip(), month), np.zeros(label_count, np.float64)
        )
        of_row[list(index.find(row["species"]))] += weight

    read_table(text, source, COLUMNS, add)
    return Prior(weights)


def _weight(text: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        weight = math.nan
    if not 0 <= weight < math.inf:
        raise ValueError(f"weight must be a number from 0 up, not {text!r}.")
    return weight


def _month(text: str) -> int:
    if not text.strip():
        return 0
    if text.strip() not in map(str, range(1, 13)):
        raise ValueError(f"month must be 1 to 12, or empty, not {text!r}.")
    return int(text)
