"""Features made alike in all directions, so that a head is soon fitted and evenly held back."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from plant_classification.trust.feature_statistics import FeatureStatistics

LEAST_VARIANCE = 1e-12
LEAST_SHARE = 1e-3
"""Of the variance between the labels: so much is within them where each has one photo alone."""
ROUNDING = 1e-6
"""Variance of features that are all the same, relative to their square."""

FEW = 0.75
"""Features are few if there are less than so many for each of their dimensions."""
SMALL = 32


@dataclasses.dataclass(frozen=True)
class Whitening:
    """``(features - mean) @ matrix``, whose components have a mean square of about 1.

    Attributes:
        mean: ``float32 (D,)``.
        matrix: ``float32 (D, R)``.
    """

    mean: NDArray[np.float32]
    matrix: NDArray[np.float32]

    def __call__(self, features: NDArray[np.floating]) -> NDArray[np.float32]:
        """Whitened features ``float32 (N, R)`` of features ``(N, D)``."""
        return np.asarray((features.astype(np.float32) - self.mean) @ self.matrix)

    def unwhitened(
        self, kernel: NDArray[np.float32], bias: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """A linear function of whitened features as one of features as they were.

        Args:
            kernel: ``float32 (R, L)``.
            bias: ``float32 (L,)``.
        """
        turned = self.matrix @ kernel
        return turned, np.asarray(bias - self.mean @ turned)

    def whitened(
        self, kernel: NDArray[np.float32], bias: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The other way round, where R is D."""
        turned = np.linalg.solve(self.matrix, kernel)
        return np.asarray(turned, np.float32), np.asarray(bias + self.mean @ kernel)


@dataclasses.dataclass(frozen=True)
class Spread:
    """How features are spread.

    Attributes:
        statistics: Of the features, or of ``features @ basis``.
        basis: ``float32 (D, R)``, an orthonormal basis of few features, or None. A head that is
            fitted on them and a penalty knows no other directions, so that R dimensions do for D.
        size: D.
    """

    statistics: FeatureStatistics
    basis: NDArray[np.float32] | None
    size: int

    @classmethod
    def of(
        cls,
        features: NDArray[np.floating],
        labels: NDArray[np.int32],
        label_count: int,
        *,
        in_all_directions: bool = False,
    ) -> Spread:
        """Describe features.

        Args:
            features: ``(N, D)``, finite.
            labels: ``(N,)``, the index of each one's label.
            label_count: Number of labels.
            in_all_directions: Whether R is D, however few there are.
        """
        count, size = features.shape
        basis = None
        if count < FEW * size and not in_all_directions:
            basis = np.linalg.qr(features.astype(np.float32).T)[0]
            features = features.astype(np.float32) @ basis
        return cls(FeatureStatistics.of(features, labels, label_count), basis, size)

    def whitening(self, shrinkage: float) -> Whitening:
        """Whitening by the covariance within the labels, shrunk (Ledoit and Wolf 2004).

        Args:
            shrinkage: Share of the covariance that a multiple of the identity replaces, in (0, 1].
        """
        means, covariance = self.statistics.means, self.statistics.covariance
        shares = np.float32(self.statistics.counts / max(1, self.statistics.counts.sum()))
        mean = shares @ means
        variance = max(
            float(np.trace(covariance)) / self.size,
            LEAST_SHARE * float((shares @ (means - mean) ** 2).sum()) / self.size,
            ROUNDING * float((mean**2).sum()) / self.size,
            LEAST_VARIANCE,
        )
        shrunk = (1 - shrinkage) * covariance
        shrunk[np.diag_indices(len(shrunk))] += shrinkage * variance
        matrix = _inverse(np.linalg.cholesky(shrunk)).T
        between = shares @ (((means - mean) @ matrix) ** 2).sum(axis=1)
        matrix = matrix * np.sqrt(self.size / (self.size + between))
        if self.basis is None:
            return Whitening(mean, matrix)
        return Whitening(self.basis @ mean, self.basis @ matrix)


def _inverse(lower: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of a lower triangular matrix, by halves: five times as fast as without its zeros in mind."""
    half = len(lower) // 2
    if half < SMALL:
        return np.asarray(np.linalg.inv(lower))
    inverse = np.zeros_like(lower)
    inverse[:half, :half] = _inverse(lower[:half, :half])
    inverse[half:, half:] = _inverse(lower[half:, half:])
    inverse[half:, :half] = -inverse[half:, half:] @ lower[half:, :half] @ inverse[:half, :half]
    return inverse
