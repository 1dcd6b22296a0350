"""What can be asked about photos of a plant: the same in Python, on the command line, over HTTP."""

from __future__ import annotations

import dataclasses
import numbers
import re
from collections.abc import Sequence
from pathlib import Path

from plant_classification.errors import ArgumentError

NAMED_ORGANS = ("leaf", "flower", "fruit", "bark", "habit", "other")
ORGANS = (*NAMED_ORGANS, "auto")
CROP_COUNTS = (1, 5, 10)
LIST_NAME = re.compile(r"[^\W_][\w. -]{0,99}")
"""Names of species lists: none of them leads out of the models folder."""


@dataclasses.dataclass(frozen=True)
class Question:
    """What is asked of one observation, beside its photos.

    Attributes:
        top_k: How many labels, genera and families to list, from 1 up.
        crops: Views of each photo: 1, 5 (middle and corners) or 10 (these and their mirror images).
        confidence: Of the safe answer, in (0, 1].
        coverage: Of the plausible set, in (0, 1).
        species_list: The only species that are possible: a file, or the name of a list in the
            models folder; all labels where None.
        region: Where, as prior.csv calls it; anywhere where None.
        month: When, 1 to 12; at any time where None.
        no_reject: Whether photos that show no plant, or no known one, are answered like others.

    Raises:
        ArgumentError: The first that cannot be used.
    """

    top_k: int = 5
    crops: int = 1
    confidence: float = 0.95
    coverage: float = 0.95
    species_list: str | Path | None = None
    region: str | None = None
    month: int | None = None
    no_reject: bool = False

    def __post_init__(self) -> None:
        if not _is_whole(self.top_k) or self.top_k < 1:
            raise ArgumentError(f"top_k must be 1 or more, not {self.top_k!r}.", field="top_k")
        if not _is_whole(self.crops) or self.crops not in CROP_COUNTS:
            raise ArgumentError(f"crops must be 1, 5 or 10, not {self.crops!r}.", field="crops")
        if not isinstance(self.confidence, numbers.Real) or not 0 < self.confidence <= 1:
            raise ArgumentError(
                f"confidence must be above 0 and at most 1, not {self.confidence!r}.",
                field="confidence",
            )
        if not isinstance(self.coverage, numbers.Real) or not 0 < self.coverage < 1:
            raise ArgumentError(
                f"coverage must be above 0 and below 1, not {self.coverage!r}.", field="coverage"
            )
        if isinstance(self.species_list, str) and not LIST_NAME.fullmatch(self.species_list):
            raise ArgumentError(
                "species_list must be the name of a list: a letter or digit, then at most 99 "
                f"letters, digits, '.', '_', '-' or ' ', not {self.species_list!r}.",
                field="species_list",
            )
        if self.month is not None and not (_is_whole(self.month) and 1 <= self.month <= 12):
            raise ArgumentError(
                f"month must be a number from 1 to 12, not {self.month!r}.", field="month"
            )
        if not isinstance(self.no_reject, bool):
            raise ArgumentError(
                f"no_reject must be True or False, not {self.no_reject!r}.", field="no_reject"
            )


def _is_whole(value: object) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


ASKED = frozenset(field.name for field in dataclasses.fields(Question))
"""What is asked: with a fault in it, no photo can be answered."""


def check_photos(count: int, most: int) -> None:
    """See that an observation may have so many photos.

    Raises:
        ArgumentError: It may not.
    """
    if not 1 <= count <= most:
        raise ArgumentError(f"An observation has 1 to {most} photos; {count} came.", field="photos")


def check_organs(organs: Sequence[str] | None, photos: int) -> None:
    """Judge the organs of an observation, one of ``ORGANS`` for each photo, or None.

    Raises:
        ArgumentError: They cannot be used.
    """
    if organs is not None and len(organs) != photos:
        raise ArgumentError(
            f"organs must name one organ for each photo: {len(organs)} came for {photos} photos.",
            field="organs",
        )
    for organ in organs or ():
        if organ not in ORGANS:
            raise ArgumentError(
                f"organs must be among {', '.join(ORGANS)}, not {organ!r}.", field="organs"
            )
