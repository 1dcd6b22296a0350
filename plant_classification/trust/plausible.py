"""The plausible set: as few labels as hold the right one with a stated coverage.

Split-conformal prediction (Vovk et al. 2005; Sadinle, Lei and Wasserman 2019, arXiv:1609.00451):
a set holds the most probable label, which costs nothing, and each label whose probability reaches
a threshold, which photos that were held back choose. Whatever the network is like, of the photos of
the same kind the promised share gets a set that holds its label. On held-back photos of the starter
these sets were smaller at every coverage than adaptive ones (APS, RAPS, arXiv:2009.14193).
"""

from __future__ import annotations

import bisect
import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

COVERAGES = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.925, 0.95, 0.96, 0.97, 0.98, 0.99, 0.995, 0.999)


@dataclasses.dataclass(frozen=True)
class PlausibleRule:
    """Which labels are plausible, for some coverages.

    Attributes:
        coverages: In (0, 1), ascending.
        thresholds: Of the probability, in [0, 1], for each of them; descending.
    """

    coverages: tuple[float, ...]
    thresholds: tuple[float, ...]

    def __post_init__(self) -> None:
        """Judge the values.

        Raises:
            ValueError: They cannot be such a rule.
        """
        inside = all(0 < coverage < 1 for coverage in self.coverages)
        shares = all(0 <= threshold <= 1 for threshold in self.thresholds)
        same = len(self.coverages) == len(self.thresholds)
        if not (inside and shares and same) or list(self.coverages) != sorted(self.coverages):
            raise ValueError(
                "the plausible sets need ascending coverages between 0 and 1, and a threshold from "
                "0 to 1 for each."
            )

    def threshold(self, coverage: float) -> float | None:
        """That of the next coverage which is no less; None where none is promised."""
        place = bisect.bisect_left(self.coverages, coverage)
        return self.thresholds[place] if place < len(self.thresholds) else None

    def to_dict(self) -> dict[str, list[float]]:
        """What goes into model.json."""
        return {"coverages": list(self.coverages), "thresholds": list(self.thresholds)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PlausibleRule:
        """Read what :meth:`to_dict` gave.

        Raises:
            ValueError, KeyError, TypeError: It is none.
        """
        return cls(tuple(map(float, values["coverages"])), tuple(map(float, values["thresholds"])))


def fit_plausible(
    right_probability: NDArray[np.floating], is_first: NDArray[np.bool_]
) -> PlausibleRule:
    """Find the thresholds on photos that the network did not learn from.

    Args:
        right_probability: ``(N,)``, the calibrated probability of each photo's label.
        is_first: ``(N,)``, whether that label came first.

    Returns:
        The rule, for those of ``COVERAGES`` that so many photos can promise: 0.95 needs 19.
    """
    needed = np.sort(np.where(is_first, 1.0, right_probability))[::-1]
    coverages = [
        coverage for coverage in COVERAGES if math.ceil((len(needed) + 1) * coverage) <= len(needed)
    ]
    places = [math.ceil((len(needed) + 1) * coverage) - 1 for coverage in coverages]
    return PlausibleRule(tuple(coverages), tuple(float(needed[place]) for place in places))


def plausible_sets(probabilities: NDArray[np.floating], threshold: float) -> NDArray[np.bool_]:
    """The labels of each set.

    Args:
        probabilities: ``(..., labels)``, calibrated.
        threshold: In [0, 1].

    Returns:
        ``bool (..., labels)``: those that are plausible, the most probable one always.
    """
    plausible = probabilities >= threshold
    first = probabilities.argmax(axis=-1)[..., np.newaxis]
    np.put_along_axis(plausible, first, values=True, axis=-1)
    return np.asarray(plausible)
