"""One answer from several photos of a plant, and from several views of a photo.

Both are means of logarithms of probabilities (a logarithmic opinion pool, Genest and Zidek 1986).
Views of one photo say the same thing again, so their mean is taken as it is. Photos of one plant
say more than one of them: their mean counts sqrt(n) times, halfway between n copies of one photo
(once) and n photos that have nothing in common (n times). On blurred parts of photos of one label
and source that the starter was not trained on, drawn together by chance, the log-loss of three is
half of that of the plain mean, which is far too shy; benchmarks/trust.py prints it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from plant_classification.trust.calibration import probabilities

ASTRAY = 0.03
"""How often one of several photos is taken to show something else: it alone rules nothing out."""


def of_views(
    logits: NDArray[np.floating], temperature: float, weight: float = 1.0
) -> NDArray[np.float64]:
    """Probabilities of one photo.

    Args:
        logits: ``(views, labels)``, finite.
        temperature: Divisor of the logits, above 0.
        weight: Of what the photo shows, above 0: less makes it less sure.

    Returns:
        ``float64 (labels,)``, summing to one.
    """
    return probabilities(weight * logits.mean(axis=0, dtype=np.float64), temperature)


def largest_logit(logits: NDArray[np.floating], temperature: float, weight: float = 1.0) -> float:
    """The largest calibrated logit of one photo; the arguments are those of :func:`of_views`."""
    return float(weight * logits.mean(axis=0, dtype=np.float64).max() / temperature)


def of_photos(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities of one observation.

    Args:
        shares: ``(photos, labels)``, those of each photo, each row summing to one.

    Returns:
        ``float64 (labels,)``, summing to one; those of the photo where there is one.
    """
    count, labels = shares.shape
    if count == 1:
        return np.asarray(shares[0])
    cautious = np.log((1 - ASTRAY) * shares + ASTRAY / labels)
    return probabilities(np.sqrt(count) * cautious.mean(axis=0))
