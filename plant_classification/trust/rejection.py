"""Whether photos look like anything that a model was trained on.

The score is the largest cosine between a photo's features and the mean features of a label, by the
photos that the model was trained on (nearest mean classifier; cosine similarity for the detection
of what is unknown: Techapanurak et al. 2020, arXiv:1905.10628). It is judged by held-back photos of
plants alone, so that a stated share of plants is kept, whatever else people send. On features of
the starter it told plants from drawn and packaged pictures of other things better than the largest
probability or logit, the energy, Mahalanobis distances, ViM and a classifier trained on such
pictures, and as well as the distance to the nearest training photos, which would have to be kept.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

REJECTED = 0.03
"""Share of plants that are rejected: those which look least like one."""

SHARES = (0.0, 0.001, 0.003, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0)
LEAST = 1e-12


@dataclasses.dataclass(frozen=True)
class RejectionRule:
    """How much held-back photos of plants look like plants.

    Attributes:
        shares: In [0, 1], ascending, from 0 to 1.
        scores: For each share the score that so many of these photos have at most; ascending.
    """

    shares: tuple[float, ...]
    scores: tuple[float, ...]

    def __post_init__(self) -> None:
        """Judge the values.

        Raises:
            ValueError: They cannot be such a rule.
        """
        columns = (self.shares, self.scores)
        ascending = all(list(column) == sorted(column) for column in columns)
        finite = all(np.isfinite(column).all() for column in columns)
        if not (ascending and finite and len(self.shares) == len(self.scores) >= 2):
            raise ValueError("rejection needs ascending shares, and an ascending score for each.")
        if self.shares[0] != 0 or self.shares[-1] != 1:
            raise ValueError("the shares of a rejection must go from 0 to 1.")

    def share(self, score: float) -> float:
        """The share of plants that look as little like one, in [0, 1]."""
        return float(np.interp(score, self.scores, self.shares, left=0.0))

    def to_dict(self) -> dict[str, list[float]]:
        """What goes into model.json."""
        return {"shares": list(self.shares), "scores": list(self.scores)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> RejectionRule:
        """Read what :meth:`to_dict` gave.

        Raises:
            ValueError, KeyError, TypeError: It is none.
        """
        return cls(tuple(map(float, values["shares"])), tuple(map(float, values["scores"])))


def directions(means: NDArray[np.floating], counts: NDArray[np.integer]) -> NDArray[np.float32]:
    """The mean features of labels, as vectors of length one.

    Args:
        means: ``(labels, D)``.
        counts: ``(labels,)``, photos of each; labels without any are left out.

    Returns:
        ``float32 (labels with photos, D)``.
    """
    return _unit(means[counts > 0].astype(np.float32))


def likeness(features: NDArray[np.floating], of_labels: NDArray[np.float32]) -> NDArray[np.float32]:
    """How much photos look like the most similar label.

    Args:
        features: ``(N, D)``, the mean of each photo's last feature map.
        of_labels: What :func:`directions` gave.

    Returns:
        ``float32 (N,)`` in [-1, 1]: the cosine.
    """
    return np.asarray((_unit(features.astype(np.float32)) @ of_labels.T).max(axis=1))


def fit_rejection(scores: NDArray[np.floating]) -> RejectionRule | None:
    """The rule, by held-back photos of plants.

    Args:
        scores: ``(N,)``, their likeness.

    Returns:
        The rule; None where there are too few photos to reject ``REJECTED`` of their kind.
    """
    if len(scores) * REJECTED < 1:
        return None
    found = np.quantile(scores.astype(np.float64), SHARES, method="lower")
    return RejectionRule(SHARES, tuple(map(float, found)))


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, np.float32(LEAST)))
