"""What the features of the training photos were like: a mean for each label, one covariance.

That is the model of linear discriminant analysis (Fisher 1936): each label a Gaussian around its
mean, all of the same shape.
"""

from __future__ import annotations

import dataclasses
import tokenize
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK = 1024
LEAST_VARIANCE = 1e-12
MOST_FEATURE = 1e6
ARRAYS = ("means", "counts", "variances", "correlations")
NOT_FITTING = "cannot be used: its arrays do not fit each other."
NOT_SOUND = "cannot be used: its arrays hold numbers that statistics cannot have."


@dataclasses.dataclass(frozen=True)
class FeatureStatistics:
    """Features as one Gaussian for each label, all with the same covariance.

    Attributes:
        means: ``float32 (L, D)``; zeros for a label without photos.
        counts: ``int64 (L,)``, photos of each label.
        covariance: ``float32 (D, D)``, of the features about the mean of their label.
    """

    means: NDArray[np.float32]
    counts: NDArray[np.int64]
    covariance: NDArray[np.float32]

    @classmethod
    def of(
        cls, features: NDArray[np.floating], labels: NDArray[np.integer], label_count: int
    ) -> FeatureStatistics:
        """Describe features, which are read once, block by block; sums of blocks are float64.

        Args:
            features: ``(N, D)``, finite.
            labels: ``(N,)``, the index of each one's label.
            label_count: Number of labels.
        """
        counts = np.bincount(labels, minlength=label_count)
        sums = np.zeros((label_count, features.shape[1]))
        products = np.zeros((features.shape[1],) * 2)
        # About a place among them, so that float32 is enough within a block.
        origin = features[:BLOCK].mean(axis=0, dtype=np.float32) if len(features) else np.float32(0)
        for start in range(0, len(features), BLOCK):
            order = np.argsort(labels[start : start + BLOCK], kind="stable")
            rows = features[start : start + BLOCK].astype(np.float32)[order] - origin
            there, first = np.unique(labels[start : start + BLOCK][order], return_index=True)
            sums[there] += np.add.reduceat(rows, first, dtype=np.float64)
            products += rows.T @ rows
        means = sums / np.maximum(counts, 1)[:, np.newaxis]
        products -= sums.T @ means
        means[counts > 0] += origin
        counts = counts.astype(np.int64)
        return cls(np.float32(means), counts, np.float32(products / _freedom(counts)))

    def joined(self, others: FeatureStatistics) -> FeatureStatistics:
        """The statistics of both sets of features together.

        Args:
            others: Of other features, with as many labels or more, the first ones the same.
        """
        count = len(others.counts)
        counts = np.zeros(count, np.int64)
        means = np.zeros_like(others.means, np.float64)
        counts[: len(self.counts)], means[: len(self.counts)] = self.counts, self.means
        both = counts + others.counts
        there = np.maximum(both, 1)[:, np.newaxis]
        apart = (others.means - means) * np.sqrt(counts * others.counts / there[:, 0])[
            :, np.newaxis
        ]
        means += (others.means - means) * others.counts[:, np.newaxis] / there
        scatter = _freedom(self.counts) * self.covariance.astype(np.float64)
        scatter += _freedom(others.counts) * others.covariance
        scatter += apart.T @ apart
        return FeatureStatistics(np.float32(means), both, np.float32(scatter / _freedom(both)))

    def save(self, path: Path) -> None:
        """Write them: two bytes for each mean and for each pair of features.

        Means and correlations become float16, which moves a mean by up to 0.05 % and a correlation
        by up to 0.00025.

        Args:
            path: A name that ends in ``.npz``.
        """
        variances = np.maximum(np.diag(self.covariance), LEAST_VARIANCE)
        scale = np.sqrt(variances)
        correlations = self.covariance / scale / scale[:, np.newaxis]
        np.savez(
            path,
            means=self.means.astype(np.float16),
            counts=self.counts,
            variances=variances,
            correlations=correlations[np.triu_indices(len(scale), 1)].astype(np.float16),
        )

    @classmethod
    def load(cls, path: Path) -> FeatureStatistics:
        """Read what :meth:`save` wrote; nothing of it is unpickled, nor larger than the file.

        Raises:
            ValueError: The file cannot be used.
        """
        means, counts, variances, correlations = _read(path, ARRAYS)
        _check(path, means, counts, variances, correlations)
        size = len(variances)
        scale = np.sqrt(variances.astype(np.float32))
        covariance = np.zeros((size, size), np.float32)
        covariance[np.triu_indices(size, 1)] = correlations
        covariance += covariance.T
        np.fill_diagonal(covariance, 1)
        covariance *= np.multiply.outer(scale, scale)
        return cls(means.astype(np.float32), counts.astype(np.int64), covariance)


def load_means(path: Path) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The means ``(L, D)`` and counts ``(L,)`` alone, which is quicker.

    Raises:
        ValueError: The file cannot be used.
    """
    means, counts = _read(path, ("means", "counts"))
    if means.ndim != 2 or counts.shape != means.shape[:1] or counts.dtype.kind != "i":
        raise ValueError(f"{path} {NOT_FITTING}")
    with np.errstate(over="ignore"):
        found = means.astype(np.float32)
    if means.dtype.kind != "f" or not (np.abs(found) < MOST_FEATURE).all() or not counts.any():
        raise ValueError(f"{path} {NOT_SOUND}")
    return found, counts.astype(np.int64)


def _read(path: Path, names: Sequence[str]) -> list[NDArray[Any]]:
    try:
        with zipfile.ZipFile(path) as archive:
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.filelist):
                raise ValueError("it is compressed.")
        with np.load(path, allow_pickle=False) as arrays:
            return [arrays[name] for name in names]
    except (
        OSError,
        KeyError,
        ValueError,
        EOFError,
        MemoryError,
        RuntimeError,
        SyntaxError,
        tokenize.TokenError,
        zipfile.BadZipFile,
    ) as error:
        raise ValueError(f"{path} cannot be used: {error}") from None


def _freedom(counts: NDArray[np.int64]) -> int:
    """Degrees of freedom of the covariance about the labels' means."""
    return max(1, int(counts.sum()) - int(np.count_nonzero(counts)))


def _check(
    path: Path,
    means: NDArray[Any],
    counts: NDArray[Any],
    variances: NDArray[Any],
    correlations: NDArray[Any],
) -> None:
    size = variances.size
    fits = (
        means.shape == (counts.size, size)
        and counts.ndim == variances.ndim == 1
        and correlations.shape == (size * (size - 1) // 2,)
    )
    floats = (means, variances, correlations)
    if not fits or counts.dtype.kind != "i" or any(array.dtype.kind != "f" for array in floats):
        raise ValueError(f"{path} {NOT_FITTING}")
    sound = all(np.isfinite(array).all() for array in floats) and (counts >= 0).all()
    if not sound or (variances <= 0).any() or (np.abs(correlations) > 1.01).any():
        raise ValueError(f"{path} {NOT_SOUND}")
