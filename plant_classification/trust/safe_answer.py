"""The safe answer: the most specific taxon that can be given at the confidence asked for."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


@dataclasses.dataclass(frozen=True)
class SafeAnswer:
    """The taxon that can be given.

    Attributes:
        name: The taxon, or None where nothing is safe.
        rank: ``"species"``, ``"genus"`` or ``"family"``, or None with it.
        probability: Of that taxon, in [0, 1], or None with it.
        confidence: The one that was asked for, in (0, 1].
    """

    name: str | None
    rank: str | None
    probability: float | None
    confidence: float


def choose_safe_answer(
    ranks: Sequence[tuple[str, Sequence[str], NDArray[np.floating]]], confidence: float
) -> SafeAnswer:
    """The first rank whose most probable taxon reaches the confidence.

    Args:
        ranks: From the most specific to the widest: its name, its taxa, and their probabilities
            ``(taxa,)``, summed over all labels.
        confidence: In (0, 1].
    """
    for rank, taxa, probabilities in ranks:
        if len(taxa) and probabilities.max() >= confidence:
            best = int(probabilities.argmax())
            return SafeAnswer(taxa[best], rank, float(probabilities[best]), confidence)
    return SafeAnswer(None, None, None, confidence)
