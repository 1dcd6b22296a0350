"""What makes some labels count otherwise than others in a training, fast or full."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray


@dataclasses.dataclass(frozen=True)
class LabelWeights:
    """Two numbers for each label, ``float32 (L,)``.

    Attributes:
        weights: Factor of the loss of a label's photos; mean 1 over the photos.
        offsets: Added to the logits while the network is trained, and not later (Menon et al. 2021,
            arXiv:2007.07314, eq. 10).
    """

    weights: NDArray[np.float32]
    offsets: NDArray[np.float32]

    @classmethod
    def of(cls, counts: NDArray[np.number], *, balanced: bool, adjustment: float) -> LabelWeights:
        """For the options of a training.

        Args:
            counts: ``(L,)``, photos of each label, or their shares. A label without photos is taken
                for one with as few as the rarest.
            balanced: Whether each label counts as much as any other that has photos.
            adjustment: Factor of the logarithm of each label's share.
        """
        shares = np.maximum(counts, counts[counts > 0].min()) / counts.sum()
        weights = np.ones(len(counts), np.float32)
        if balanced:
            weights = np.float32(1 / (np.count_nonzero(counts) * shares))
        return cls(weights, np.float32(adjustment * np.log(shares)))
