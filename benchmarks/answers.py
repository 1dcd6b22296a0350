"""What the answers of a model are worth, on photos that neither it nor its rules have seen."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from plant_classification.data import Records
from plant_classification.evaluation.reliability import (
    calibration_error_by_chance,
    expected_calibration_error,
)
from plant_classification.inference.batch import look
from plant_classification.inference.engine import Engine
from plant_classification.photos.preprocessing import Preprocessing
from plant_classification.settings import load_settings
from plant_classification.taxonomy import Label, Rank, ranks_of
from plant_classification.trust import TrustRules, fit_trust, plausible_sets, probabilities
from plant_classification.trust.rejection import REJECTED, fit_rejection, likeness
from plant_classification.trust.safe_answer import RankTops, given_at, tops_of_unknown

HALVES = 10
NO_RANK = -1

Rule = TypeVar("Rule")


@dataclasses.dataclass(frozen=True)
class Seen:
    """Photos that a network has looked at.

    Attributes:
        logits: ``float32 (N, labels)``.
        scores: ``float32 (N,)``, how much each looks like a label (``rejection.likeness``).
        truth: ``int64 (N,)``, the index of each one's label among the network's, or -1.
        taxa: The true species, genus and family of each.
        sources: Where each comes from.
    """

    logits: NDArray[np.float32]
    scores: NDArray[np.float32]
    truth: NDArray[np.int64]
    taxa: tuple[tuple[str | None, str, str | None], ...]
    sources: NDArray[np.str_]

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Seen:
        """Some of them."""
        chosen = np.arange(len(self.truth))[rows]
        return Seen(
            self.logits[rows],
            self.scores[rows],
            self.truth[rows],
            tuple(self.taxa[place] for place in chosen),
            self.sources[rows],
        )


@dataclasses.dataclass(frozen=True)
class Network:
    """A network as it is served.

    Attributes:
        path: network.xml.
        rule: How it wants its photos.
        labels: Of its outputs.
        of_labels: The directions of the labels' mean features.
    """

    path: Path
    rule: Preprocessing
    labels: tuple[Label, ...]
    of_labels: NDArray[np.float32]

    @property
    def ranks(self) -> tuple[Rank, ...]:
        """Of its labels."""
        return ranks_of(self.labels)

    def see(
        self, records: Records, names: tuple[Label, ...], sources: NDArray[np.str_] | None = None
    ) -> Seen:
        """Look at photos, whose labels are these."""
        engine = Engine(self.path, self.rule, for_many=True)
        looks = look(engine, self.rule, records, load_settings())
        places = {label.name: place for place, label in enumerate(self.labels)}
        labels = [names[index] for index in records.labels]
        return Seen(
            looks.logits,
            likeness(looks.features, self.of_labels),
            np.array([places.get(label.name, -1) for label in labels]),
            tuple((label.species, label.genus, label.family) for label in labels),
            np.full(len(records), "") if sources is None else sources,
        )

    def see_pixels(
        self, pictures: Sequence[NDArray[np.uint8]]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Logits ``(N, labels)`` and likeness ``(N,)`` of pictures in memory."""
        engine = Engine(self.path, self.rule)
        logits, maps = engine(np.concatenate([self.rule.apply(picture) for picture in pictures]))
        return logits, likeness(maps.mean(axis=(1, 2)), self.of_labels)

    def rules(self, seen: Seen, unknown: RankTops | None = None) -> TrustRules:
        """What photos teach that it was not trained on, and photos of unknown plants."""
        return fit_trust(seen.logits, seen.truth, self.ranks, scores=seen.scores, unknown=unknown)


@dataclasses.dataclass(frozen=True)
class Given:
    """Safe answers to photos.

    Attributes:
        ranks: ``int64 (N,)``: 0 for a species, 1 for a genus, 2 for a family, -1 for none.
        right: ``bool (N,)``, whether it is the right one.
    """

    ranks: NDArray[np.int64]
    right: NDArray[np.bool_]


def safe_answers(
    seen: Seen, rules: TrustRules, ranks: tuple[Rank, ...], confidence: float
) -> Given:
    """What is said of photos at a confidence; those that are rejected get no answer."""
    rule = _taught(rules.safe)
    tops = tops_of_unknown(seen.logits, rules.temperature, seen.taxa, ranks)
    scores = rule.scores(tops.shares, tops.largest)
    is_given, rank, right = given_at(rule.at(confidence), scores, tops.right)
    is_kept = ~rejected(seen, rules)
    return Given(np.where(is_given & is_kept, rank, NO_RANK), right & is_kept)


def rejected(seen: Seen, rules: TrustRules) -> NDArray[np.bool_]:
    """Which photos do not look like a plant that the model knows."""
    share = _taught(rules.rejection).share
    return np.array([share(float(score)) < REJECTED for score in seen.scores])


def share_rejected(plants: Seen, scores: NDArray[np.float32]) -> float:
    """Of pictures, by the rule that photos of plants teach."""
    rule = _taught(fit_rejection(plants.scores))
    return float(np.mean([rule.share(float(score)) < REJECTED for score in scores]))


def own_rank(seen: Seen) -> NDArray[np.int64]:
    """The rank of each photo's label: 0 for a species, 1 for a genus."""
    return np.array([0 if species else 1 for species, _, _ in seen.taxa])


def halves(seen: Seen) -> Iterator[tuple[Seen, Seen]]:
    """Seeded halves, to fit on and to judge on."""
    for seed in range(HALVES):
        order = np.random.default_rng(seed).permutation(len(seen.truth))
        middle = len(order) // 2
        yield seen.take(np.sort(order[:middle])), seen.take(np.sort(order[middle:]))


def calibration_errors(
    seen: Seen, rules: TrustRules, ranks: tuple[Rank, ...]
) -> dict[str, tuple[float, float]]:
    """By rank the calibration error, and what chance alone gives a perfectly calibrated model."""
    shares = probabilities(seen.logits, rules.temperature)
    rows = np.arange(len(shares))
    tops = {"label": (shares.max(axis=1), shares.argmax(axis=1) == seen.truth)}
    for rank in ranks[1:]:
        sums = rank.sum(shares)
        first = sums.argmax(axis=1)
        tops[rank.name] = sums[rows, first], first == rank.members[seen.truth]
    return {
        name: (
            expected_calibration_error(confidence, right),
            calibration_error_by_chance(confidence),
        )
        for name, (confidence, right) in tops.items()
    }


def sets(seen: Seen, rules: TrustRules, coverage: float) -> tuple[float, float]:
    """Share of the plausible sets that hold the right label, and their mean size."""
    threshold = _taught(_taught(rules.plausible).threshold(coverage))
    found = plausible_sets(probabilities(seen.logits, rules.temperature), threshold)
    return float(found[np.arange(len(found)), seen.truth].mean()), float(found.sum(axis=1).mean())


def _taught(rule: Rule | None) -> Rule:
    if rule is None:
        raise ValueError("so few photos teach no rule")
    return rule
