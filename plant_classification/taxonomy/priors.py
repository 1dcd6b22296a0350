"""What grows where and when: prior.csv, and how much it counts beside a photo."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from plant_classification.taxonomy.species_lists import NameIndex
from plant_classification.taxonomy.tables import read_table

COLUMNS = ("species", "weight")
FLOOR = 0.05
"""The least factor: where the photo makes a species more than 20 times as likely, it wins."""

MOST_WEIGHT = 1e15


@dataclasses.dataclass(frozen=True)
class Prior:
    """How common species are, by region and month.

    Attributes:
        weights: For each region and month of a row (empty and 0 where the row does not say) the
            weight of each label that it has.
        label_count: Number of labels.
    """

    weights: Mapping[tuple[str, int], Mapping[int, float]]
    label_count: int

    @property
    def regions(self) -> list[str]:
        """The regions that rows name."""
        return sorted({region for region, _ in self.weights} - {""})

    def factors(self, region: str | None, month: int | None) -> NDArray[np.float64] | None:
        """What the probabilities are multiplied by.

        The weights of all rows that fit are added: those of the region asked for and those without
        one; those of the month asked for, those without one, and all where none is asked for.

        Args:
            region: One of ``regions``, or None.
            month: 1 to 12, or None.

        Returns:
            ``float64 (labels,)`` in [``FLOOR``, 1], 1 for the most common; None where no row fits.
        """
        total = np.zeros(self.label_count)
        for (of_region, of_month), weights in self.weights.items():
            if of_region in ("", region) and (month is None or of_month in (0, month)):
                for place, weight in weights.items():
                    total[place] += weight
        most = total.max(initial=0)
        return np.maximum(total / most, FLOOR) if most > 0 else None


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
    weights: dict[tuple[str, int], dict[int, float]] = {}

    def add(row: dict[str, str]) -> None:
        weight, month = _weight(row["weight"]), _month(row.get("month", ""))
        for place in index.find(row["species"]):
            of_row = weights.setdefault((row.get("region", "").strip(), month), {})
            of_row[place] = of_row.get(place, 0.0) + weight

    read_table(text, source, COLUMNS, add)
    return Prior(weights, label_count)


def _weight(text: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        weight = math.nan
    if not 0 <= weight <= MOST_WEIGHT:
        raise ValueError(f"weight must be a number from 0 to {MOST_WEIGHT:g}, not {text!r}.")
    return weight


def _month(text: str) -> int:
    if not text.strip():
        return 0
    if text.strip() not in map(str, range(1, 13)):
        raise ValueError(f"month must be 1 to 12, or empty, not {text!r}.")
    return int(text)
