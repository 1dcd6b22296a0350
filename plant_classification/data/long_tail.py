"""How unevenly photos are spread over labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

FEW = (5, 10, 30)
BOUNDS = (0, 1, 5, 10, 30, 100, 300, 1000, 3000, 10_000)
"""Where each bar of the histogram begins."""


@dataclasses.dataclass(frozen=True)
class LongTail:
    """Figures of the number of photos that each label has.

    Attributes:
        fewer_than: How many labels have fewer photos than each of ``FEW``.
        bars: How many labels have a number of photos in each range, by the range in words; from
            the smallest to the largest that there is.
        gini: Gini coefficient (Gini 1912), in [0, 1]: 0 where all labels have as many.
        top_tenth: Share of all photos that the tenth of the labels with the most photos has.
    """

    fewer_than: Mapping[int, int]
    bars: Mapping[str, int]
    gini: float
    top_tenth: float

    @property
    def fewer_in_words(self) -> str:
        """How many labels have few photos."""
        counts = self.fewer_than.items()
        return ", ".join(f"{count:,} fewer than {limit}" for limit, count in counts)


def long_tail(counts: NDArray[np.int64]) -> LongTail:
    """The figures for the photos of each label ``(L,)``, of which there is at least one."""
    ordered = np.sort(counts)
    total = max(int(ordered.sum()), 1)
    ranks = 2 * np.arange(1, len(ordered) + 1) - len(ordered) - 1
    top = ordered[-max(1, round(len(ordered) / 10)) :]
    return LongTail(
        {limit: int((counts < limit).sum()) for limit in FEW},
        _bars(counts),
        float((ranks * ordered).sum() / (len(ordered) * total)),
        float(top.sum() / total),
    )


def _bars(counts: NDArray[np.int64]) -> dict[str, int]:
    heights, _ = np.histogram(counts, [*BOUNDS, np.inf])
    ends = [bound - 1 for bound in BOUNDS[1:]]
    names = [
        f"{start:,}" if start == end else f"{start:,}-{end:,}"
        for start, end in zip(BOUNDS, ends, strict=False)
    ]
    names.append(f"{BOUNDS[-1]:,} or more")
    first, *_, last = np.flatnonzero(heights)[[0, -1]]
    return {names[bar]: int(heights[bar]) for bar in range(first, last + 1)}
