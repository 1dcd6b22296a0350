"""The safe answer: the most specific taxon that can be given with a promised share of right ones.

A score says for each rank how likely its first taxon is right, and the first rank whose score
reaches a threshold is given. The threshold is chosen on held-back photos (selective prediction with
a guaranteed risk, Geifman and El-Yaniv 2017, arXiv:1705.08500), by testing one after another from
the safest on until one fails (fixed sequence testing, Angelopoulos et al. 2021, arXiv:2110.01052):
of photos like these, at least the share ``confidence`` of the answers is right, with a chance of
9 in 10 that the held-back photos did not mislead. And since people send plants that a model was
never shown, the same share must be right, as far as can be told, where 15 of 100 photos
show one.
"""

from __future__ import annotations

import bisect
import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plant_classification.taxonomy import RANKS, Rank
from plant_classification.trust.calibration import probabilities
from plant_classification.trust.correctness import Correctness, fit_correctness
from plant_classification.trust.risk import largest_risk

CONFIDENCES = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.925, 0.95, 0.96, 0.97, 0.98, 0.99)
MISLED = 0.1
"""Chance that held-back photos promise more than comes true."""

UNKNOWN = 0.15
"""Share of photos that show a plant which the model was never shown. More of them cost answers to
known plants: with 0.1, 0.15 and 0.2 the starter's networks answered 91, 86 and 82 % of held-back
photos at 0.95, and named a wrong species for 37, 27 and 22 % of unknown plants at 0.9."""

TRIED = tuple(thousandths / 1000 for thousandths in (999, 995, *range(990, 0, -10)))
"""Thresholds that are tried, the safest first."""

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
        promised: Whether the share ``confidence`` of such answers is right. That is known of one
            photo, without a species list or a prior.
    """

    name: str | None
    rank: str | None
    probability: float | None
    confidence: float
    promised: bool = False


@dataclasses.dataclass(frozen=True)
class SafeRule:
    """How sure a taxon must be, for some confidences.

    Attributes:
        correctness: For a species, a genus and a family: how likely the first one is right.
        confidences: In (0, 1), ascending.
        thresholds: For each of them what that must reach, in [0, 1], ascending.
    """

    correctness: tuple[Correctness, Correctness, Correctness]
    confidences: tuple[float, ...]
    thresholds: tuple[float, ...]

    def __post_init__(self) -> None:
        """Judge the values.

        Raises:
            ValueError: They cannot be such a rule.
        """
        inside = all(0 < confidence < 1 for confidence in self.confidences)
        fit = all(0 <= threshold <= 1 for threshold in self.thresholds)
        columns = (self.confidences, self.thresholds)
        ascending = all(list(column) == sorted(column) for column in columns)
        if not (inside and fit and ascending and len(self.confidences) == len(self.thresholds)):
            raise ValueError(
                "safe answers need ascending confidences between 0 and 1, and ascending thresholds "
                "from 0 to 1 for them."
            )

    def promises(self, confidence: float) -> bool:
        """Whether the held-back photos could promise that much."""
        return bool(self.confidences) and confidence <= self.confidences[-1]

    def at(self, confidence: float) -> float:
        """The threshold for the next confidence which is no less.

        Beyond the last one, which is as much as the held-back photos could promise, the score must
        reach the confidence itself too.
        """
        place = bisect.bisect_left(self.confidences, confidence)
        if place < len(self.confidences):
            return self.thresholds[place]
        return max([confidence, *self.thresholds[-1:]])

    def scores(
        self, shares: NDArray[np.float64], largest: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """How likely the first taxon of each rank is right.

        Args:
            shares: ``(N, 3)``, its probability.
            largest: ``(N,)``, the largest calibrated logit of each photo.

        Returns:
            ``(N, 3)`` in [0, 1]; 0 where the share is, for then there is no taxon to be given.
        """
        columns = [
            correctness(shares[:, place], largest)
            for place, correctness in enumerate(self.correctness)
        ]
        return np.where(shares > 0, np.stack(columns, axis=1), 0)

    def to_dict(self) -> dict[str, Any]:
        """What goes into model.json."""
        return {
            "confidences": list(self.confidences),
            "thresholds": list(self.thresholds),
            **{
                rank: dataclasses.asdict(correctness)
                for rank, correctness in zip(RANKS, self.correctness, strict=True)
            },
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SafeRule:
        """Read what :meth:`to_dict` gave.

        Raises:
            ValueError, KeyError, TypeError: It is none.
        """
        species, genus, family = (Correctness(**values[rank]) for rank in RANKS)
        columns = (tuple(map(float, values[name])) for name in ("confidences", "thresholds"))
        return cls((species, genus, family), *columns)


def choose_safe_answer(
    ranks: Sequence[tuple[str, Sequence[str], NDArray[np.floating]]],
    confidence: float,
    rule: SafeRule | None = None,
    largest: float = 0.0,
) -> SafeAnswer:
    """The first rank whose most probable taxon is sure enough.

    Args:
        ranks: From the most specific to the widest: its name, its taxa, and their probabilities
            ``(taxa,)``, summed over all labels. Without the species where the most probable label
            is only a genus.
        confidence: In (0, 1].
        rule: What it must reach; where there is none, its probability must reach the confidence.
        largest: The largest calibrated logit of the photo.
    """
    threshold = rule.at(confidence) if rule else confidence
    for rank, taxa, shares in ranks:
        if len(taxa):
            best = int(shares.argmax())
            share = float(shares[best])
            correctness = rule.correctness[RANKS.index(rank)] if rule else None
            score = float(correctness(share, largest)) if correctness else share
            if score >= threshold:
                return SafeAnswer(taxa[best], rank, share, confidence)
    return SafeAnswer(None, None, None, confidence)


@dataclasses.dataclass(frozen=True)
class RankTops:
    """The most probable taxon of each rank, of photos whose label is known.

    Attributes:
        shares: ``float64 (N, 3)``, its probability; 0 for a species where the most probable label
            is only a genus.
        right: ``bool (N, 3)``, whether it is the right one.
        largest: ``float64 (N,)``, the largest calibrated logit.
    """

    shares: NDArray[np.float64]
    right: NDArray[np.bool_]
    largest: NDArray[np.float64]


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
    largest = np.zeros(len(truth))
    for start in range(0, len(truth), BLOCK):
        rows = slice(start, start + BLOCK)
        block, labels = logits[rows].astype(np.float64), truth[rows]
        is_out = (taxon[labels][:, np.newaxis] == taxon) & is_struck_out
        is_left = ~is_out.all(axis=1)
        left = np.where(is_out, STRUCK_OUT, block)
        largest[rows] = np.where(is_left, left.max(axis=1) / temperature, 0)
        found = probabilities(left, temperature)
        for place, rank in enumerate(ranks):
            if rank.taxa:
                share, first, is_open = _first_taxon(found, rank)
                shares[rows, place] = np.where(is_left, share, 0)
                right[rows, place] = is_left & is_open & (first == rank.members[labels])
    return RankTops(shares, right, largest)


def tops_of_unknown(
    logits: NDArray[np.floating],
    temperature: float,
    taxa: Sequence[tuple[str | None, ...]],
    ranks: Sequence[Rank],
) -> RankTops:
    """What a model says of photos of plants that it was not shown.

    Args:
        logits: ``(N, labels)``.
        temperature: Divisor of the logits.
        taxa: Of each photo the species, genus and family.
        ranks: Those of the model's labels.
    """
    found = probabilities(logits, temperature)
    shares = np.zeros((len(found), len(ranks)))
    right = np.zeros((len(found), len(ranks)), np.bool_)
    for place, rank in enumerate(ranks):
        if rank.taxa:
            shares[:, place], first, is_open = _first_taxon(found, rank)
            named = zip(first, taxa, strict=True)
            right[:, place] = is_open & [rank.taxa[index] == names[place] for index, names in named]
    return RankTops(shares, right, logits.max(axis=1).astype(np.float64) / temperature)


def _first_taxon(
    found: NDArray[np.float64], rank: Rank
) -> tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.bool_]]:
    """Its probability, which one it is, and whether the most probable label has that rank at all.

    Where it has not, the probability is 0.
    """
    sums = rank.sum(found)
    is_open = rank.members[found.argmax(axis=1)] >= 0
    return np.where(is_open, sums.max(axis=1), 0), sums.argmax(axis=1), is_open


def fit_safe(known: RankTops, unknown: RankTops) -> SafeRule:
    """Find the rule on photos that the network did not learn from.

    Args:
        known: What it says of them.
        unknown: What it says of photos of plants that it was never shown.

    Returns:
        The rule, for those of ``CONFIDENCES`` that so many photos can promise.
    """
    each = (1 - UNKNOWN) / len(known.right), UNKNOWN / len(unknown.right)
    weights = np.repeat(each, [len(known.right), len(unknown.right)])
    shares, right, largest = (
        np.concatenate([getattr(known, name), getattr(unknown, name)])
        for name in ("shares", "right", "largest")
    )
    species, genus, family = (
        fit_correctness(shares[:, place], largest, right[:, place], weights)
        for place in range(len(RANKS))
    )
    rule = SafeRule((species, genus, family), (), ())
    of_known, of_unknown = (
        _counts(rule.scores(tops.shares, tops.largest), tops.right) for tops in (known, unknown)
    )
    found = thresholds_for(of_known, of_unknown, each[1] / each[0])
    return dataclasses.replace(rule, confidences=tuple(found), thresholds=tuple(found.values()))


def thresholds_for(
    known: Sequence[tuple[int, int]], unknown: Sequence[tuple[int, int]], weight: float
) -> dict[float, float]:
    """What must be reached for each of ``CONFIDENCES`` that the photos can promise, ascending.

    What passes for one confidence passes for all below it.

    Args:
        known: At each of ``TRIED``, the answers that known photos get, and the wrong ones of these.
        unknown: The same of photos of other plants.
        weight: What one of these counts, where a known photo counts 1.
    """
    found: dict[float, float] = {}
    least = math.inf
    for confidence in reversed(CONFIDENCES):
        threshold = _threshold(known, unknown, weight, confidence)
        least = min(least, math.inf if threshold is None else threshold)
        if least < math.inf:
            found[confidence] = float(least)
    return dict(sorted(found.items()))


def given_at(
    threshold: float, scores: NDArray[np.float64], right: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.intp], NDArray[np.bool_]]:
    """The answers that are given: of the most specific rank that reaches the threshold.

    Args:
        threshold: What must be reached.
        scores: ``(N, 3)``, how sure the first taxon of each rank is.
        right: ``(N, 3)``, whether it is the right one.

    Returns:
        Whether there is one, ``bool (N,)``; of which rank, ``intp (N,)``, 0 where there is none;
        and whether there is one that is right, ``bool (N,)``.
    """
    reached = scores >= threshold
    is_given, place = np.asarray(reached.any(axis=1)), np.asarray(reached.argmax(axis=1))
    is_right = np.take_along_axis(right, place[:, np.newaxis], axis=1)[:, 0]
    return is_given, place, is_given & is_right


def _counts(scores: NDArray[np.float64], right: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """At each of ``TRIED`` the answers that are given, and the wrong ones among them."""
    counts = []
    for threshold in TRIED:
        is_given, _, is_right = given_at(threshold, scores, right)
        counts.append((int(is_given.sum()), int(is_given.sum() - is_right.sum())))
    return counts


def _threshold(
    known: Sequence[tuple[int, int]],
    unknown: Sequence[tuple[int, int]],
    weight: float,
    confidence: float,
) -> float | None:
    """The smallest one that passes; None where there are too few photos for any."""
    allowed, found = 1 - confidence, None
    for threshold, (given, wrong), (given_unknown, wrong_unknown) in zip(
        TRIED, known, unknown, strict=True
    ):
        if largest_risk(0, given, MISLED) > allowed:
            continue  # so few answers can show nothing, whatever came of them
        if largest_risk(wrong, given, MISLED) > allowed:
            break
        if wrong + weight * wrong_unknown <= allowed * (given + weight * given_unknown):
            found = threshold
    return found
