"""The last layer of a network, fitted on features: multinomial logistic regression.

The features are whitened first, by the covariance within the labels: so the minimum is round, some
passes of stochastic gradient descent with Nesterov's momentum come near it, and the penalty on the
weights counts each direction by what it tells. The shrinkage of that covariance is what holds the
head back where photos are few.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plant_classification.data.splitting import folds
from plant_classification.inference.head import Head
from plant_classification.processes import processors
from plant_classification.training.label_weights import LabelWeights
from plant_classification.training.whitening import Spread
from plant_classification.trust.calibration import fit_temperature, probabilities

SHRINKAGES = (0.3, 0.6, 1.0)
"""Shares that are tried."""

FOLDS = 3
MOST_PHOTOS_IN_FOLDS = 5000

PENALTY = 0.003
EPOCHS = 5
LEAST_STEPS = 100
BATCHES = (256, 1024)
LEARNING_RATE = 0.05
MOMENTUM = 0.9
LARGE = 2**20
"""Weights from which on a step is worth the threads of several processors."""
BLOCK = 4096
LEAST_PROBABILITY = 1e-12
MOST_BELOW = 60.0
"""How far a logit can lie below the largest before its probability is as good as none: smaller ones
would be denormal numbers, with which processors compute a hundred times slower."""


def blas_on(count: int | None) -> contextlib.AbstractContextManager[Any]:
    """A block in which NumPy multiplies matrices on so many processors; None for all.

    OpenBLAS waits for its other threads without letting go of the processor. Where other processes
    want it too, small products then take ten times as long on two processors as on one.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    limits: contextlib.AbstractContextManager[Any] = threadpool_limits(count, "blas")
    return limits


def choose_shrinkage(
    features: NDArray[np.floating],
    labels: NDArray[np.int32],
    groups: NDArray[np.int64],
    weighted: LabelWeights,
    seed: int,
) -> float:
    """The shrinkage with the smallest log-loss on photos held back, fold by fold.

    A head learns from all views of the other photos, and is judged on the first view, at the
    temperature that is best for it, as the model's will be.

    Args:
        features: ``(N, V, D)``, of the views of each photo.
        labels: ``(N,)``, the index of each photo's label.
        groups: ``(N,)``, a number for each photo, the same for those that stay together.
        weighted: How the labels count.
        seed: Of what is held back, and of 5,000 photos that are drawn where there are more.

    Returns:
        One of ``SHRINKAGES``.
    """
    if len(labels) > MOST_PHOTOS_IN_FOLDS:
        random = np.random.default_rng(seed)
        some = np.sort(random.choice(len(labels), MOST_PHOTOS_IN_FOLDS, replace=False))
        features, labels, groups = features[some], labels[some], groups[some]
    parts = folds(labels, groups, FOLDS, seed)

    def learnt(fold: int) -> tuple[NDArray[np.floating], NDArray[np.int32]]:
        """The features of all views outside of a fold, and their labels."""
        known = features[parts != fold].reshape(-1, features.shape[-1])
        return known, np.repeat(labels[parts != fold], features.shape[1])

    def described(fold: int) -> Spread:
        return Spread.of(*learnt(fold), len(weighted.weights))

    def judged(fold: int, shrinkage: float) -> float:
        """The loss of what is held back in a fold."""
        known, truth = learnt(fold)
        held = (parts == fold) & np.isin(labels, truth)
        if not held.any():
            return 0.0
        whitening = spreads[fold].whitening(shrinkage)
        whitened = whitening(known)
        head = _descend(whitened, truth, _zeros(whitened, weighted), 0, weighted, seed)
        return _loss(head(whitening(features[held, 0])), labels[held], weighted)

    with blas_on(1), ThreadPoolExecutor(processors()) as pool:
        usable = [fold for fold in range(FOLDS) if (parts != fold).any()]
        spreads = dict(zip(usable, pool.map(described, usable), strict=True))
        # A job for each shrinkage of a fold: small ones keep all processors busy to the end.
        jobs = zip(*itertools.product(usable, SHRINKAGES), strict=True)
        losses = np.reshape(list(pool.map(judged, *jobs)), (-1, len(SHRINKAGES)))
    return SHRINKAGES[int(np.argmin(losses.sum(axis=0)))]


def _loss(logits: NDArray[np.float32], labels: NDArray[np.int32], weighted: LabelWeights) -> float:
    """The weighted log-losses' sum, at the temperature that is best."""
    shares = probabilities(logits, fit_temperature(logits, labels))
    right = np.take_along_axis(shares, labels[:, np.newaxis], axis=1)[:, 0]
    return float(-weighted.weights[labels] @ np.log(np.maximum(right, LEAST_PROBABILITY)))


def fit_head(
    features: NDArray[np.floating],
    labels: NDArray[np.int32],
    shrinkage: float,
    weighted: LabelWeights,
    seed: int,
    tell: Callable[[int, int], None] = lambda _done, _total: None,
    *,
    begun: Head | None = None,
    kept: int = 0,
) -> Head:
    """Fit a head.

    Args:
        features: ``(N, D)``; whitened in place, so that they need no room twice.
        labels: ``(N,)``, the index of each one's label.
        shrinkage: Of the covariance, in (0, 1].
        weighted: How the labels count.
        seed: Of the order in which the features are seen.
        tell: Is told how many steps are done, and how many there are.
        begun: The head to start from, and to stay near; by default that of zeros.
        kept: How many labels, the first ones, stay as they are in that head.
    """
    count = len(weighted.weights)
    with blas_on(None if features.shape[1] * count > LARGE else 1):
        spread = Spread.of(features, labels, count, in_all_directions=begun is not None)
        whitening = spread.whitening(shrinkage)
        whitened = features[:, : whitening.matrix.shape[1]]
        for start in range(0, len(features), BLOCK):
            whitened[start : start + BLOCK] = whitening(features[start : start + BLOCK])
        if begun is None:
            begun = _zeros(whitened, weighted)
        else:
            begun = Head(*whitening.whitened(begun.kernel, begun.bias))
        head = _descend(whitened, labels, begun, kept, weighted, seed, tell)
        return Head(*whitening.unwhitened(head.kernel, head.bias))


def _zeros(features: NDArray[np.floating], weighted: LabelWeights) -> Head:
    count = len(weighted.weights)
    return Head(np.zeros((features.shape[1], count), np.float32), np.zeros(count, np.float32))


def _descend(
    features: NDArray[np.floating],
    labels: NDArray[np.int32],
    begun: Head,
    kept: int,
    weighted: LabelWeights,
    seed: int,
    tell: Callable[[int, int], None] = lambda _done, _total: None,
) -> Head:
    """The head near the smallest penalised log-loss, for whitened features."""
    random = np.random.default_rng(seed)
    batch = min(len(features), int(np.clip(len(features) // BATCHES[0], *BATCHES)))
    steps = max(LEAST_STEPS, -(-EPOCHS * len(features) // batch))
    kernel, bias = begun.kernel.copy(), begun.bias.copy()
    moving = kernel[:, kept:], bias[kept:]
    velocities = [np.zeros_like(values) for values in moving]
    order = np.zeros(0, np.int64)
    for step in range(steps):
        if len(order) < batch:
            order = np.concatenate([order, random.permutation(len(features))])
        rows, order = np.sort(order[:batch]), order[batch:]
        x, truth = features[rows].astype(np.float32), labels[rows]
        errors = _softmax(x @ kernel + bias + weighted.offsets)
        errors[np.arange(batch), truth] -= 1
        errors *= weighted.weights[truth][:, np.newaxis] / batch
        rate = np.float32(LEARNING_RATE * (1 - step / steps))
        errors = errors[:, kept:]
        penalty = np.float32(PENALTY) * (moving[0] - begun.kernel[:, kept:])
        gradients = x.T @ errors + penalty, errors.sum(axis=0)
        for values, velocity, gradient in zip(moving, velocities, gradients, strict=True):
            velocity[:] = MOMENTUM * velocity + gradient
            values[:] -= rate * (gradient + np.float32(MOMENTUM) * velocity)
        tell(step + 1, steps)
    return Head(kernel, bias)


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    logits -= logits.max(axis=1, keepdims=True)
    np.maximum(logits, -MOST_BELOW, out=logits)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=1, keepdims=True)
    return logits
