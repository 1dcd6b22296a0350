"""All that held-back photos have taught of what a model's answers are worth."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plant_classification.question import NAMED_ORGANS
from plant_classification.taxonomy import Rank
from plant_classification.trust.calibration import TEMPERATURES, fit_temperature, probabilities
from plant_classification.trust.plausible import PlausibleRule, fit_plausible
from plant_classification.trust.rejection import RejectionRule, fit_rejection
from plant_classification.trust.safe_answer import RankTops, SafeRule, fit_safe, rank_tops

LEAST_OF_ORGAN = 20
"""Photos of an organ from which on it gets a weight of its own."""

LEAST_FOR_SETS = 100
"""Photos of an organ from which on it gets plausible sets of its own: with fewer, the coverage that
they keep in the long run is apt to miss the promised 95 % by more than two points."""

BLOCK = 256


@dataclasses.dataclass(frozen=True)
class TrustRules:
    """What is kept in model.json.

    Attributes:
        temperature: Divisor of the logits that calibrates them (Guo et al. 2017); 1 is none.
        organ_weights: Factor of the calibrated logits of photos of an organ, such as ``"leaf"``:
            below 1 where such photos say less than others.
        plausible: Which labels are plausible, or None where that was not fitted.
        organ_plausible: The same for photos of an organ, where there were enough.
        safe: How sure a safe answer must be, or None where that was not fitted.
        rejection: How much plants look like plants, or None where that was not fitted.
    """

    temperature: float = 1.0
    organ_weights: Mapping[str, float] = dataclasses.field(default_factory=dict)
    plausible: PlausibleRule | None = None
    organ_plausible: Mapping[str, PlausibleRule] = dataclasses.field(default_factory=dict)
    safe: SafeRule | None = None
    rejection: RejectionRule | None = None

    def __post_init__(self) -> None:
        """Judge the values.

        Raises:
            ValueError: They cannot be such rules.
        """
        low, high = TEMPERATURES
        for name, value in {"temperature": self.temperature, **self.organ_weights}.items():
            if not low <= value <= high:
                raise ValueError(f"{name} must be from {low:g} to {high:g}, not {value}")

    def organ_weight(self, organ: str | None) -> float:
        """Of photos of that organ; 1 where none was learned."""
        return self.organ_weights.get(organ or "", 1.0)

    def plausible_of(self, organ: str | None) -> PlausibleRule | None:
        """For a photo of that organ; that of all photos where none was learned."""
        return self.organ_plausible.get(organ or "", self.plausible)

    def to_dict(self) -> dict[str, Any]:
        """What goes into model.json."""
        return {
            "temperature": self.temperature,
            "organ_weights": dict(self.organ_weights),
            "plausible": self.plausible and self.plausible.to_dict(),
            "organ_plausible": {
                organ: rule.to_dict() for organ, rule in self.organ_plausible.items()
            },
            "safe": self.safe and self.safe.to_dict(),
            "rejection": self.rejection and self.rejection.to_dict(),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrustRules:
        """Read what :meth:`to_dict` gave; all but the temperature may be missing.

        Raises:
            ValueError, KeyError, TypeError, AttributeError: It is none.
        """
        weights, of_organs = (
            values.get(name) or {} for name in ("organ_weights", "organ_plausible")
        )
        plausible, safe, rejection = map(values.get, ("plausible", "safe", "rejection"))
        return cls(
            temperature=float(values["temperature"]),
            organ_weights={str(organ): float(weight) for organ, weight in weights.items()},
            plausible=PlausibleRule.from_dict(plausible) if plausible else None,
            organ_plausible={
                str(organ): PlausibleRule.from_dict(rule) for organ, rule in of_organs.items()
            },
            safe=SafeRule.from_dict(safe) if safe else None,
            rejection=RejectionRule.from_dict(rejection) if rejection else None,
        )


def fit_trust(
    logits: NDArray[np.floating],
    truth: NDArray[np.integer],
    ranks: Sequence[Rank],
    organs: Sequence[str | None] | None = None,
    scores: NDArray[np.floating] | None = None,
    observations: Sequence[str | None] | None = None,
    unknown: RankTops | None = None,
) -> TrustRules:
    """Learn the rules from photos that the network was not trained on.

    What is promised is learned from photos as they come, whether their organ is told or not, but
    for the plausible sets of an organ; and from one photo of each observation, since others of it
    are no new evidence.

    Args:
        logits: ``(N, labels)``, finite.
        truth: ``(N,)``, the index of each photo's label.
        ranks: Those of the labels.
        organs: What each photo shows, where that is known.
        scores: ``(N,)``, how much each photo looks like a label (:func:`rejection.likeness`), where
            that is known.
        observations: Which photos are of one plant, where that is known.
        unknown: What a network says of plants that it was not shown; where there is none, photos
            whose own label is struck out stand for them.

    Raises:
        ArgumentError: Arrays that do not match.
    """
    temperature = fit_temperature(logits, truth)
    shown = np.array([organ or "" for organ in organs or [None] * len(truth)])
    weights = _organ_weights(logits, truth, shown, temperature)
    alone = _first_of_each(observations, len(truth))
    of_organs = {organ: alone[shown[alone] == organ] for organ in weights}

    def plausible(rows: NDArray[np.intp], weight: float = 1.0) -> PlausibleRule:
        return fit_plausible(*_of_right(logits, truth, rows, temperature / weight))

    return TrustRules(
        temperature,
        weights,
        plausible=plausible(alone),
        organ_plausible={
            organ: plausible(rows, weights[organ])
            for organ, rows in of_organs.items()
            if len(rows) >= LEAST_FOR_SETS
        },
        safe=fit_safe(
            rank_tops(logits[alone], temperature, truth[alone], ranks),
            unknown
            or rank_tops(logits[alone], temperature, truth[alone], ranks, is_struck_out=True),
        ),
        rejection=None if scores is None else fit_rejection(scores[alone]),
    )


def _of_right(
    logits: NDArray[np.floating],
    truth: NDArray[np.integer],
    rows: NDArray[np.intp],
    temperature: float,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Of photos the probability of the right label, and whether it comes first."""
    right, is_first = np.zeros(len(rows)), np.zeros(len(rows), np.bool_)
    for start in range(0, len(rows), BLOCK):
        part = slice(start, start + BLOCK)
        shares, labels = probabilities(logits[rows[part]], temperature), truth[rows[part]]
        right[part] = np.take_along_axis(shares, labels[:, np.newaxis], axis=1)[:, 0]
        is_first[part] = shares.argmax(axis=1) == labels
    return right, is_first


def _organ_weights(
    logits: NDArray[np.floating],
    truth: NDArray[np.integer],
    shown: NDArray[np.str_],
    temperature: float,
) -> dict[str, float]:
    """For each organ the temperature of all photos over its own."""
    weights = {}
    for organ in sorted(set(shown.tolist()) & set(NAMED_ORGANS)):
        rows = np.flatnonzero(shown == organ)
        if len(rows) >= LEAST_OF_ORGAN:
            own = fit_temperature(logits[rows] / np.float32(temperature), truth[rows])
            weights[organ] = float(np.clip(1 / own, *TEMPERATURES))
    return weights


def _first_of_each(observations: Sequence[str | None] | None, count: int) -> NDArray[np.intp]:
    """The first photo of each observation, and each photo that is of none."""
    if not observations:
        return np.arange(count)
    first: dict[str, int] = {}
    return np.array(
        [
            place
            for place, name in enumerate(observations)
            if name is None or first.setdefault(name, place) == place
        ],
        np.intp,
    )
