"""Which photo comes where in a training: a function of the seed and the place alone."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

Random = np.random.Generator
Choices = Callable[[int, Random], Iterator[int]]

ORDER, PLACE = 0, 1
"""Two uses of chance under one seed: the order of a round, and all that happens at a place."""


def photo_order(labels: NDArray[np.int32], seed: int, *, balanced: bool) -> Choices:
    """Order the photos of a training.

    Args:
        labels: ``int32 (N,)``, the index of each photo's label.
        seed: The same one gives the same order.
        balanced: Draw a label first, each as likely as any other, then one of its photos. Otherwise
            the photos come in rounds, each once in a round, in another order each time.

    Returns:
        A function of the place among all photos of all steps, from 0 up, and of that place's source
        of chance. It gives the index of the photo, then without end those to take instead.
    """
    count = len(labels)
    by_label = np.argsort(labels, kind="stable")
    starts, counts = np.unique(labels[by_label], return_index=True, return_counts=True)[1:]

    @functools.lru_cache(maxsize=8)
    def order(round_: int) -> NDArray[np.intp]:
        return np.random.default_rng((seed, ORDER, round_)).permutation(count)

    def rounds(place: int, random: Random) -> Iterator[int]:
        yield int(order(place // count)[place % count])
        while True:
            yield int(random.integers(count))

    def by_labels(_place: int, random: Random) -> Iterator[int]:
        while True:
            label = random.integers(len(starts))
            yield int(by_label[starts[label] + random.integers(counts[label])])

    return by_labels if balanced else rounds
