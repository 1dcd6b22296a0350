"""What turns observations into rows: a model in memory, and one processor."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from plant_classification.bulk.answering import answer
from plant_classification.bulk.observations import Observation
from plant_classification.bulk.rows import Lineage, Row, lineage_of, row_of, row_of_error
from plant_classification.errors import (
    ArgumentError,
    ModelFolderError,
    PhotoError,
    PlantClassificationError,
)
from plant_classification.files import remembered_sha256
from plant_classification.inference.classifier import Classifier
from plant_classification.inference.expectation import files_of
from plant_classification.models import ModelFolder
from plant_classification.photos.ahead import in_order
from plant_classification.processes import answer_messages
from plant_classification.question import ASKED, Question
from plant_classification.settings import Settings

THREADS = 2
"""Of one processor: while one waits for a disk or a store, the other works."""

Expected: TypeAlias = "tuple[str | None, str | None]"
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
        expected: The SHA-256 of the species list and of prior.csv, as :func:`digests_of` gives it.
    """

    model: ModelFolder
    precision: str
    question: Question
    settings: Settings
    expected: Expected


def digests_of(question: Question, models_dir: Path) -> Expected:
    """The SHA-256 of the species list and of prior.csv; None for what is not there or read."""
    listed, prior = files_of(question, models_dir)
    return _digest(listed) if listed else None, _digest(prior)


def _digest(file: Path) -> str | None:
    try:
        return remembered_sha256(file) if file.is_file() else None
    except OSError:  # which is told when it is read
        return None


class Worker:
    """A model that answers observations, loaded with the first of them."""

    def __init__(self, errand: Errand) -> None:
        self._errand = dataclasses.replace(
            errand, settings=dataclasses.replace(errand.settings, threads=1)
        )

    def found(self, observations: Sequence[Observation]) -> list[Found]:
        """The row of each.

        Raises:
            ArgumentError: A question that cannot be answered for any photo, or whose files are no
                longer those of the errand: these rows would not belong to the others.
            ModelFolderError: The model is damaged.
        """
        found = functools.partial(self._found, self._lineage)  # loaded here, by one thread
        rows = list(in_order(found, observations, THREADS, len(observations)))
        errand = self._errand
        if digests_of(errand.question, errand.settings.models_dir) != errand.expected:
            raise ArgumentError(
                "The species list or prior.csv was changed while the run went on: give the old one "
                "back, or write another table.",
                field="species_list",
            )
        return rows

    @functools.cached_property
    def _classifier(self) -> Classifier:
        errand = self._errand
        return Classifier(
            errand.model, errand.settings, errand.precision, for_many=True, with_similar=False
        )

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
