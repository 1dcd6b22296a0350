"""Probabilities of species, genera and families: sums over all labels that belong to each."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from plant_classification.taxonomy.labels import Label

RANKS = ("species", "genus", "family")


@dataclasses.dataclass(frozen=True)
class Rank:
    """The taxa of one rank and the labels that belong to them.

    Attributes:
        name: ``"species"``, ``"genus"`` or ``"family"``.
        taxa: Names, each once, in the order in which the labels first bring them.
        members: ``int64 (labels,)``: for each label the index of its taxon, -1 where it has none
            (a genus-form label has no species).
    """

    name: str
    taxa: tuple[str, ...]
    members: NDArray[np.int64]

    def sum(self, probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
        """Probabilities of the taxa.

        Args:
            probabilities: ``(..., labels)``, of all labels, in [0, 1].

        Returns:
            ``float64 (..., taxa)`` in [0, 1].
        """
        known = self.members >= 0
        sums = np.zeros((*probabilities.shape[:-1], len(self.taxa)))
        np.add.at(sums.T, self.members[known], probabilities.T[known])
        return np.minimum(sums, 1.0)  # a sum may pass 1 by rounding


def ranks_of(labels: Sequence[Label]) -> tuple[Rank, ...]:
    """The ranks of a model's labels, from the most specific to the widest."""
    return tuple(_rank(name, [getattr(label, name) for label in labels]) for name in RANKS)


def _rank(name: str, taxa: Sequence[str | None]) -> Rank:
    order = {taxon: index for index, taxon in enumerate(dict.fromkeys(filter(None, taxa)))}
    members = np.array([order[taxon] if taxon else -1 for taxon in taxa], np.int64)
    return Rank(name, tuple(order), members)
