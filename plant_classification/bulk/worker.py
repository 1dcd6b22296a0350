"""What turns observations into rows: a model in memory, and one processor."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from plant_classification.bulk.answering import answer
from plant_classification.bulk.observations import Observation
from plant_classification.bulk.rows import Lineage, Row, lineage_of, row_of, row_of_error
from plant_classification.errors import ModelFolderError, PhotoError, PlantClassificationError
from plant_classification.inference.classifier import Classifier
from plant_classification.models import ModelFolder
from plant_classification.photos.ahead import in_order
from plant_classification.processes import answer_messages
from plant_classification.question import ASKED, Question
from plant_classification.settings import Settings

THREADS = 2
"""Of one processor: while one waits for a disk or a store, the other works."""

Found: TypeAlias = "tuple[Row, bool]"
"""A row, and whether it stays: what is not there, or not reached, may be another time."""


@dataclasses.dataclass(frozen=True)
class Errand:
    """What a worker is told once.

    Attributes:
        model: The model.
        precision: ``"bf16"`` or ``"f32"``: all rows come from the same numbers.
        question: What is asked of each observation.
        settings: Those of the person who asks.
    """

    model: ModelFolder
    precision: str
    question: Question
    settings: Settings


class Worker:
    """A model that answers observations, loaded with the first of them."""

    def __init__(self, errand: Errand) -> None:
        self._errand = dataclasses.replace(
            errand, settings=dataclasses.replace(errand.settings, threads=1)
        )

    def found(self, observations: Sequence[Observation]) -> list[Found]:
        """The row of each.

        Raises:
            ArgumentError: A question that cannot be answered for any photo.
            ModelFolderError: The model is damaged.
        """
        found = functools.partial(self._found, self._lineage)  # loaded here, by one thread
        return list(in_order(found, observations, THREADS, len(observations)))

    @functools.cached_property
    def _classifier(self) -> Classifier:
        errand = self._errand
        return Classifier(errand.model, errand.settings, errand.precision, for_many=True)

    @functools.cached_property
    def _lineage(self) -> Lineage:
        return lineage_of(self._classifier.labels)

    def _found(self, lineage: Lineage, observation: Observation) -> Found:
        errand = self._errand
        try:
            found = answer(self._classifier, observation, errand.question, errand.settings)
        except ModelFolderError:
            raise
        except PlantClassificationError as error:
            if error.field in ASKED:  # which no photo would be answered
                raise
            return row_of_error(observation, error.message), isinstance(error, PhotoError)
        return row_of(observation, found, lineage), True


def main(descriptor: int) -> None:
    """Answer messages: each is some observations; first comes the errand."""
    answer_messages(descriptor, _begin)


def _begin(errand: Errand) -> Callable[[Sequence[Observation]], Any]:
    worker = Worker(errand)

    def found(observations: Sequence[Observation]) -> list[Found] | PlantClassificationError:
        try:
            return worker.found(observations)
        except PlantClassificationError as error:
            return error

    return found
