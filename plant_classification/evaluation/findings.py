"""What a person should know of predictions, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from plant_classification.evaluation.metrics import (
    Figures,
    LabelFigures,
    Predictions,
)
from plant_classification.evaluation.wilson import share_interval
from plant_classification.taxonomy import Label, listed

FEW_TRAINING = 10
FEW_JUDGED = 5
SURE = 0.9
_SURELY = f"{100 * SURE:.0f}\N{NO-BREAK SPACE}%"
MOST_NAMED = 5
_NEAR = 0.03
"""Shares that lie as near as this are not worth a word."""


def per_cent(share: float) -> str:
    """A fraction as it stands in a sentence."""
    return f"{100 * share:.1f}\N{NO-BREAK SPACE}%"


def accuracy_in_words(figures: Figures, photos: str) -> str:
    """How good the model is.

    Args:
        figures: Of its predictions.
        photos: What the photos are called: ``"validation photos"``.
    """
    five = figures.top_5
    low, high = share_interval(round(figures.top_1 * figures.photos), figures.photos)
    ranks = [
        f"the right {rank} for {per_cent(share)}"
        for rank, share in (("genus", figures.genus_top_1), ("family", figures.family_top_1))
        if share is not None
    ]
    return (
        f"Of {figures.photos:,} {photos} the model names {per_cent(figures.top_1)} rightly at once "
        f"({per_cent(float(low))} to {per_cent(float(high))}, as far as chance goes)."
        + (f" The right name is among its first five for {per_cent(five)}." if five else "")
        + (f" Its best name is of {' and of '.join(ranks)}." if ranks else "")
    )


def trust_in_words(predictions: Predictions, temperature: float) -> str:
    """How far its probabilities can be believed."""
    sure = predictions.confidence >= SURE
    if sure.any():
        said = (
            f"{per_cent(float(sure.mean()))} of the photos get an answer with a probability of "
            f"{_SURELY} or more, and {per_cent(float(predictions.right[sure].mean()))} of these "
            "answers are right."
        )
    else:
        said = f"No photo gets an answer with a probability of {_SURELY} or more."
    if 0.97 <= temperature <= 1.03:
        return said + " Its raw probabilities needed no correction."
    kind = "sure" if temperature > 1 else "shy"
    return (
        f"{said} Its raw probabilities were too {kind}; dividing the logits by the temperature "
        f"{temperature:.2f}, found on validation photos, mends that."
    )


def cautions(
    predictions: Predictions,
    figures: Figures,
    by_label: LabelFigures,
    labels: Sequence[Label],
    training_photos: NDArray[np.int64],
) -> Iterator[str]:
    """What to watch, the gravest first; nothing where nothing is amiss."""
    judged = by_label.photos > 0
    sure = int((~predictions.right & (predictions.confidence >= SURE)).sum())
    if sure:
        yield (
            f"{_count(sure, 'wrong answer')} came with a probability of {_SURELY} or more: look "
            "at the worst mistakes below. Some may be labels that are wrong."
        )
    never = np.flatnonzero((by_label.photos >= FEW_JUDGED) & (by_label.right == 0))
    if len(never):
        yield (
            f"Never named rightly, of {FEW_JUDGED} photos or more: "
            f"{listed([labels[index].name for index in never.tolist()], MOST_NAMED)}."
        )
    if figures.top_1 - figures.macro_top_1 > _NEAR:
        yield (
            f"Averaged over labels instead of photos, {per_cent(figures.macro_top_1)} is right at "
            "once: labels with few photos are known less well. Balanced sampling or logit "
            "adjustment may help them."
        )
    scarce = (training_photos > 0) & (training_photos < FEW_TRAINING)
    if scarce.any():
        yield f"{_count(int(scarce.sum()), 'label')} had fewer than {FEW_TRAINING} training photos."
    if not judged.all():
        yield (
            f"{_count(int((~judged).sum()), 'label')} of {len(labels):,} had no photo to be judged "
            "on: how well these are known, nobody knows."
        )
    few = judged & (by_label.photos < FEW_JUDGED)
    if few.any():
        yield (
            f"{_count(int(few.sum()), 'label')} had fewer than {FEW_JUDGED} photos to be judged "
            "on: their rows say little, one by one."
        )


def learning_cautions(epochs: Sequence[Mapping[str, float | None]]) -> Iterator[str]:
    """What to watch in the curves.

    Args:
        epochs: The fields of ``EpochFigures`` of each epoch.
    """
    validated = [epoch["val_top_1"] for epoch in epochs]
    shares = [share for share in validated if share is not None]
    if len(shares) < 2:
        return
    if shares[-1] - max(shares[:-1]) > _NEAR / 10:
        yield "The last epoch was the best by validation: more epochs may do better."
    if (learnt := epochs[-1]["top_1"] or 0.0) - shares[-1] > 3 * _NEAR:
        yield (
            f"In the last epoch it named {per_cent(learnt)} of its training photos, and "
            f"{per_cent(shares[-1])} of the validation photos: it learns them by heart. More "
            "photos, or stronger augmentation, help more than more epochs."
        )


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")
