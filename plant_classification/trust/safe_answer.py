"""The safe answer: the most specific taxon that can be given with a promised share of right ones.

Selective prediction with a guaranteed risk (Geifman and El-Yaniv 2017, arXiv:1705.08500), by
testing each threshold (Learn then Test, Angelopoulos et al. 2021, arXiv:2110.01052): of photos like
those that were held back, at least the share ``confidence`` of the answers is right, with a chance
of 9 in 10 that these photos did not mislead. And since people send plants that a model was never
shown, the same share must be right, as far as can be told, where one photo in five shows one. Such
a photo is imitated by a held-back photo whose own label is struck out.
"""

from __future__ import annotations

import bisect
import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plant_classification.taxonomy import RANKS, Rank
from plant_classification.trust.calibration import probabilities
from plant_classification.trust.risk import largest_risk

CONFIDENCES = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.925, 0.95, 0.96, 0.97, 0.98, 0.99)
MISLED = 0.1
"""Chance that held-back photos promise more than comes true."""

UNKNOWN = 0.2
"""Share of photos that show a plant which the model was never shown."""

TRIED = (
    0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.825, 0.85, 0.875, 0.9, 0.92,
    0.94, 0.95, 0.96, 0.97, 0.98, 0.99, 0.995,
)  # fmt: skip
"""Thresholds that are tried at each rank."""

NEVER = 2.0
"""A threshold that no probability reaches."""

STRUCK_OUT = -1e30
BLOCK = 256


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


@dataclasses.dataclass(frozen=True)
class SafeRule:
    """Which probability a taxon must reach, for some confidences.

    Attributes:
        confidences: In (0, 1), ascending.
        thresholds: For each of them those of a species, a genus and a family, from 0 up; one above
            1 is reached by none.
    """

    confidences: tuple[float, ...]
    thresholds: tuple[tuple[float, float, float], ...]

    def __post_init__(self) -> None:
        """Judge the values.

        Raises:
            ValueError: They cannot be such a rule.
        """
        inside = all(0 < confidence < 1 for confidence in self.confidences)
        whole = all(len(row) == len(RANKS) and min(row) >= 0 for row in self.thresholds)
        same = len(self.confidences) == len(self.thresholds)
        if not (inside and whole and same) or list(self.confidences) != sorted(self.confidences):
            raise ValueError(
                "safe answers need ascending confidences between 0 and 1, and for each of them "
                f"thresholds for {', '.join(RANKS)}, from 0 up."
            )

    def promises(self, confidence: float) -> bool:
        """Whether the held-back photos could promise that much."""
        return bool(self.confidences) and confidence <= self.confidences[-1]

    def at(self, confidence: float) -> tuple[float, float, float]:
        """The thresholds for the next confidence which is no less.

        Beyond the last one, which is as much as the held-back photos could promise, a probability
        must reach the confidence itself too.
        """
        place = bisect.bisect_left(self.confidences, confidence)
        if place < len(self.confidences):
            return self.thresholds[place]
        last = self.thresholds[-1] if self.thresholds else (0.0, 0.0, 0.0)
        species, genus, family = (max(threshold, confidence) for threshold in last)
        return species, genus, family

    def to_dict(self) -> dict[str, Any]:
        """What goes into model.json."""
        return {
            "confidences": list(self.confidences),
            **{rank: [row[place] for row in self.thresholds] for place, rank in enumerate(RANKS)},
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SafeRule:
        """Read what :meth:`to_dict` gave.

        Raises:
            ValueError, KeyError, TypeError: It is none.
        """
        columns = (map(float, values[rank]) for rank in RANKS)
        return cls(tuple(map(float, values["confidences"])), tuple(zip(*columns, strict=True)))


def choose_safe_answer(
    ranks: Sequence[tuple[str, Sequence[str], NDArray[np.floating]]],
    confidence: float,
    rule: SafeRule | None = None,
) -> SafeAnswer:
    """The first rank whose most probable taxon reaches its threshold.

    Args:
        ranks: From the most specific to the widest: its name, its taxa, and their probabilities
            ``(taxa,)``, summed over all labels.
        confidence: In (0, 1].
        rule: The thresholds; where there are none, a probability must reach the confidence.
    """
    thresholds = (rule or SafeRule((), ())).at(confidence)
    for (rank, taxa, shares), threshold in zip(ranks, thresholds, strict=False):
        if len(taxa) and shares.max() >= threshold:
            best = int(shares.argmax())
            return SafeAnswer(taxa[best], rank, float(shares[best]), confidence)
    return SafeAnswer(None, None, None, confidence)


@dataclasses.dataclass(frozen=True)
class RankTops:
    """The most probable taxon of each rank, of photos whose label is known.

    Attributes:
        shares: ``float64 (N, 3)``, its probability.
        right: ``bool (N, 3)``, whether it is the right one.
    """

    shares: NDArray[np.float64]
    right: NDArray[np.bool_]


def rank_tops(
    logits: NDArray[np.floating],
    temperature: float,
    truth: NDArray[np.integer],
    ranks: Sequence[Rank],
    *,
    is_struck_out: bool = False,
) -> RankTops:
    """What a model says of photos at each rank.

    Args:
        logits: ``(N, labels)``.
        temperature: Divisor of the logits.
        truth: ``(N,)``, the index of each photo's label.
        ranks: Those of the labels, species, genus and family.
        is_struck_out: Whether each photo's own species, or label where that is only a genus, is
            struck out, as if the model had never been shown it: then its species is never right,
            its genus and family may be.
    """
    species, genus, _ = ranks
    # Labels of a taxon are struck out together: a species, or the labels that are only its genus.
    taxon = np.where(species.members >= 0, species.members, -1 - genus.members)
    shares = np.zeros((len(truth), len(ranks)))
    right = np.zeros((len(truth), len(ranks)), np.bool_)
    for start in range(0, len(truth), BLOCK):
        rows = slice(start, start + BLOCK)
        block, labels = logits[rows].astype(np.float64), truth[rows]
        is_out = (taxon[labels][:, np.newaxis] == taxon) & is_struck_out
        is_left = ~is_out.all(axis=1)
        found = probabilities(np.where(is_out, STRUCK_OUT, block), temperature)
        for place, rank in enumerate(ranks):
            if rank.taxa:
                sums = rank.sum(found)
                shares[rows, place] = np.where(is_left, sums.max(axis=1), 0)
                is_right = sums.argmax(axis=1) == rank.members[labels]
                right[rows, place] = is_right & is_left
    return RankTops(shares, right)


def fit_safe(known: RankTops, unknown: RankTops) -> SafeRule:
    """Find the thresholds on photos that the network did not learn from.

    Args:
        known: What it says of them.
        unknown: What it says where each one's own label is struck out.

    Returns:
        The rule, for those of ``CONFIDENCES`` that so many photos can promise.
    """
    rows = [(confidence, _thresholds(known, unknown, confidence)) for confidence in CONFIDENCES]
    kept = list(itertools.takewhile(lambda row: min(row[1]) < NEVER, rows))
    return SafeRule(
        tuple(confidence for confidence, _ in kept), tuple(thresholds for _, thresholds in kept)
    )


def _thresholds(
    known: RankTops, unknown: RankTops, confidence: float
) -> tuple[float, float, float]:
    """At each rank the smallest threshold that passes, for photos that have no answer yet."""
    weight = UNKNOWN / (1 - UNKNOWN)
    waiting = [np.ones(len(tops.shares), np.bool_) for tops in (known, unknown)]
    given = wrong = 0
    found = [NEVER] * len(RANKS)
    for place in range(len(RANKS)):
        level = MISLED / len(RANKS) / (len(TRIED) + 1) ** (place + 1)
        for threshold in TRIED:
            taken = [
                rows & (tops.shares[:, place] >= threshold)
                for rows, tops in zip(waiting, (known, unknown), strict=True)
            ]
            counts = [int(rows.sum()) for rows in taken]
            faults = [
                int((rows & ~tops.right[:, place]).sum())
                for rows, tops in zip(taken, (known, unknown), strict=True)
            ]
            mixed = (faults[0] + weight * faults[1]) / max(1, counts[0] + weight * counts[1])
            risk = largest_risk(wrong + faults[0], given + counts[0], level)
            if counts[0] and max(mixed, risk) <= 1 - confidence:
                found[place] = threshold
                given, wrong = given + counts[0], wrong + faults[0]
                waiting = [rows & ~answered for rows, answered in zip(waiting, taken, strict=True)]
                break
    species, genus, family = found
    return species, genus, family
