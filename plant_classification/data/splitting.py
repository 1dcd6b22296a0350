"""Parting photos in two or in folds: for each label alike, and never through a group.

A group is what would tell too much of the other side: the photos of one plant, and copies of a
photo. The order is that of a bit generator's stream, which is the same on every machine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray


def split(
    labels: NDArray[np.int32], groups: NDArray[np.int64], fraction: float, seed: int
) -> NDArray[np.bool_]:
    """Hold a part of the photos back.

    Of a label with ``n`` photos ``fraction * n`` are held back, rounded up or down by chance in
    such a way that the mean is right, and at least one is not; groups of several photos make that
    less exact.

    Args:
        labels: ``(N,)``, the index of each photo's label.
        groups: ``(N,)``, a number for each photo, the same within a group.
        fraction: Of the photos, in (0, 1).
        seed: Of what is held back.

    Returns:
        ``(N,)``, true for what is held back.
    """
    random = np.random.PCG64(seed)
    counts = np.bincount(labels, minlength=1)
    wanted, left = (fraction * counts).tolist(), counts.tolist()
    luck = (random.random_raw(len(counts)) / 2**64).tolist()
    held = np.zeros(len(labels), np.bool_)
    for members, sizes in _shuffled_groups(labels, groups, random):
        if all(
            wanted[label] >= size * (1 - luck[label]) and left[label] > size
            for label, size in sizes.items()
        ):
            held[members] = True
            for label, size in sizes.items():
                wanted[label] -= size
                left[label] -= size
    return held


def folds(
    labels: NDArray[np.int32], groups: NDArray[np.int64], count: int, seed: int
) -> NDArray[np.int64]:
    """Part the photos into folds of about the same size, in which each label has its share.

    Args:
        labels: ``(N,)``, the index of each photo's label.
        groups: ``(N,)``, a number for each photo, the same within a group.
        count: Number of folds.
        seed: Of what comes where.

    Returns:
        ``(N,)``, from 0 to ``count - 1``.
    """
    random = np.random.PCG64(seed)
    of_label = np.zeros((int(labels.max(initial=0)) + 1, count), np.int64)
    of_all = np.zeros(count, np.int64)
    chosen = np.zeros(len(labels), np.int64)
    largest_first = sorted(_shuffled_groups(labels, groups, random), key=lambda g: -len(g[0]))
    for members, sizes in largest_first:
        filled = sum(of_label[label] for label in sizes)
        fold = np.lexsort((of_all, filled))[0]
        chosen[members] = fold
        of_all[fold] += len(members)
        for label, size in sizes.items():
            of_label[label, fold] += size
    return chosen


def _shuffled_groups(
    labels: NDArray[np.int32], groups: NDArray[np.int64], random: np.random.PCG64
) -> Iterator[tuple[NDArray[np.int64], Mapping[int, int]]]:
    """The groups in an order of chance: the indices of the photos, and how many have each label."""
    _, numbers = np.unique(groups, return_inverse=True)
    places = random.random_raw(int(numbers.max(initial=-1)) + 1)[numbers]
    order = np.lexsort((numbers, places))
    starts = np.flatnonzero(np.diff(numbers[order], prepend=-1))
    for members in np.split(order, starts[1:]) if len(order) else ():
        yield members, Counter(labels[members].tolist())
