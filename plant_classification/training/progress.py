"""How far a training is: what the loop tells, and whoever shows it takes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

FAULT = (
    "The training failed by a fault of the program; whoever runs it finds the reason in its log."
)


@dataclasses.dataclass(frozen=True)
class EpochFigures:
    """What an epoch came to; fractions are in [0, 1].

    Attributes:
        epoch: From one up.
        loss: Mean loss of the training photos.
        top_1: Share of the training photos whose label came first.
        top_5: The same among the first five.
        learning_rate: Of the head, at the end of the epoch.
        photos_per_second: Training photos, validation not counted.
        val_loss: Mean log-loss of the validation photos, or None where there are none.
        val_top_1, val_top_5: As above, of the validation photos.
        val_macro_top_1: Mean over the labels of the share of right answers.
    """

    epoch: int
    loss: float
    top_1: float
    top_5: float
    learning_rate: float
    photos_per_second: float
    val_loss: float | None = None
    val_top_1: float | None = None
    val_top_5: float | None = None
    val_macro_top_1: float | None = None


@dataclasses.dataclass(frozen=True)
class Progress:
    """How far a training is.

    Attributes:
        stage: What is done now: ``"reading"``, ``"training"``, ``"validating"`` ...
        done, total: Units of the stage (steps, photos), 0 and 0 where they are not counted.
        epoch, epochs: From one up; 0 before the first.
        loss, top_1, top_5: Running means of this epoch, or None.
        photos_per_second: Running, or None.
        seconds_left: Of the whole training as far as known, or None.
        finished: The epochs that are done.
    """

    stage: str
    done: int = 0
    total: int = 0
    epoch: int = 0
    epochs: int = 0
    loss: float | None = None
    top_1: float | None = None
    top_5: float | None = None
    photos_per_second: float | None = None
    seconds_left: float | None = None
    finished: tuple[EpochFigures, ...] = ()


Observer = Callable[[Progress], None]
