"""Parts answered, several observations at a time."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Iterator

from plant_classification.bulk.observations import Observation
from plant_classification.bulk.parts import Part
from plant_classification.bulk.remote import source_of
from plant_classification.bulk.rows import Row, lineage_of, row_of, row_of_error
from plant_classification.errors import ModelFolderError, PhotoError, PlantClassificationError
from plant_classification.inference.classifier import Classifier
from plant_classification.photos.ahead import in_order
from plant_classification.question import Question
from plant_classification.settings import Settings

WAITING = 8
"""Observations that may be answered before an earlier one, for each thread."""


def answered(
    parts: Iterable[Part],
    question: Question,
    classifier: Classifier,
    settings: Settings,
    threads: int,
) -> Iterator[tuple[Part, list[Row], bool]]:
    """The rows of parts, one part after another; the next ones are begun meanwhile.

    With each comes whether its errors, if there are some, are those of the photos themselves: what
    is not there, or not reached, may be another time.

    Args:
        parts: What is to be done, taken when there is room for it.
        question: What is asked of each observation.
        classifier: Compiled ``for_many``.
        settings: Those of the classifier.
        threads: How many ask it at once.

    Raises:
        ArgumentError: A question that cannot be answered for any photo.
        ModelFolderError: The model is damaged.
    """
    lineage = lineage_of(classifier.labels)
    asked = {field.name: getattr(question, field.name) for field in dataclasses.fields(question)}
    begun: collections.deque[Part] = collections.deque()

    def each() -> Iterator[Observation]:
        for part in parts:
            begun.append(part)
            yield from part.observations

    def row(observation: Observation) -> tuple[Row, bool]:
        if observation.fault:
            return row_of_error(observation, observation.fault), False
        photos, organs = observation.photos, observation.organs
        few = photos[: settings.max_photos]
        try:
            sources = [source_of(one, settings) for one in few]
            answer = classifier.identify(sources, organs and organs[: len(few)], **asked)
        except ModelFolderError:
            raise
        except PlantClassificationError as error:
            if error.field in asked:  # which no photo would be answered
                raise
            return row_of_error(observation, error.message), isinstance(error, PhotoError)
        found = row_of(observation, answer, lineage)
        if len(few) < len(photos):
            found["warnings"].append(
                f"Only the first {len(few)} of {len(photos)} photos were seen."
            )
        return found, True

    rows: list[Row] = []
    is_final = True
    for found, is_lasting in in_order(row, each(), threads, WAITING * threads):
        rows.append(found)
        is_final &= is_lasting
        if len(rows) == len(begun[0].observations):
            yield begun.popleft(), rows, is_final
            rows, is_final = [], True
