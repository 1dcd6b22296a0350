"""What a benchmark prints: ratios of one run, each with the bound that it should keep."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True)
class Figure:
    """One line of the result: a ratio, the bound it should keep, and what it is made of."""

    name: str
    ratio: float
    bound: str
    remark: str


def show(figures: Sequence[Figure]) -> None:
    """Print them, one a line."""
    width = max(len(figure.name) for figure in figures)
    for figure in figures:
        print(f"{figure.name:<{width}}  {figure.ratio:5.2f}  {figure.bound:<8}  {figure.remark}")
