"""What is sent to the inference process."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from plant_classification.photos import Source
from plant_classification.question import Question


@dataclasses.dataclass(frozen=True)
class Request:
    """One observation to identify.

    Attributes:
        photos: As ``Classifier.identify`` takes them.
        organs: What each photo shows, or None.
        question: What is asked of them.
        model: A name in the models folder, or None for the newest.
        checkpoint: A checkpoint of it, or None for the usual one.
    """

    photos: Sequence[Source]
    organs: Sequence[str] | None = None
    question: Question = dataclasses.field(default_factory=Question)
    model: str | None = None
    checkpoint: str | None = None


@dataclasses.dataclass(frozen=True)
class ExplanationRequest(Request):
    """One observation to identify, and to explain.

    Attributes:
        taxon: What to explain, or None for the first label.
    """

    taxon: str | None = None
