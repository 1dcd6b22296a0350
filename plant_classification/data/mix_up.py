"""Mixing photos on the device."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def mix_up(images: Any, targets: Any, seed: Any, alpha: float) -> tuple[Any, Any]:
    """Mix each photo, and its target, with another one of the batch (Zhang et al. 2018, MixUp).

    Args:
        images: ``float32 (N, size, size, 3)``.
        targets: ``float32 (N, labels)``, such as one-hot labels.
        seed: ``int32 (2,)``: the same one mixes in the same way.
        alpha: Both parameters of the beta distribution that the shares are drawn from, above 0.

    Returns:
        The same shapes: ``share * x[n] + (1 - share) * x[N - 1 - n]``.
    """
    count = tf.shape(images)[0]
    # Two gamma variables give a beta variable; in float32 both may be 0 where alpha is small.
    one, other = tf.unstack(tf.random.stateless_gamma((2, count), seed, alpha, dtype=tf.float64))
    share = tf.cast(one / (one + other), tf.float32)

    def mixed(values: Any, shares: Any) -> Any:
        return shares * values + (1 - shares) * values[::-1]

    return mixed(images, share[:, None, None, None]), mixed(targets, share[:, None])
