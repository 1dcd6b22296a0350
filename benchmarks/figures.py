"""What a benchmark prints: ratios of one run, each with the bound that it should keep."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path

KEPT_IN = "PLANT_FIGURES"
"""Names the file, if any, that figures are written into too, as JSON lines."""


@dataclasses.dataclass(frozen=True)
class Figure:
    """One line of the result: a ratio, the bound it should keep, and what it is made of."""

    name: str
    ratio: float
    bound: str
    remark: str


def is_missed(ratio: float, bound: str) -> bool:
    """Whether a ratio is not as it was asked: ``>= 2``, ``<= 1.5`` or ``78-82``; nothing is met."""
    if not bound:
        return False
    if bound.startswith((">=", "<=")):
        limit = float(bound[2:])
        return ratio < limit if bound.startswith(">=") else ratio > limit
    low, high = map(float, bound.split("-"))
    return not low <= ratio <= high


def show(figures: Sequence[Figure]) -> None:
    """Print them, one a line."""
    width = max(len(figure.name) for figure in figures)
    for figure in figures:
        print(f"{figure.name:<{width}}  {figure.ratio:5.2f}  {figure.bound:<8}  {figure.remark}")
    if file := os.environ.get(KEPT_IN):
        lines = [json.dumps(dataclasses.asdict(figure)) + "\n" for figure in figures]
        Path(file).write_text("".join(lines), "utf-8")
