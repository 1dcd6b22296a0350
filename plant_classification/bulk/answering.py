"""The answer to an observation, wherever its photos lie."""

from __future__ import annotations

import dataclasses

from plant_classification.bulk.observations import Observation
from plant_classification.bulk.remote import source_of
from plant_classification.errors import ArgumentError
from plant_classification.inference.answer import Answer
from plant_classification.inference.classifier import Classifier
from plant_classification.question import Question
from plant_classification.settings import Settings


def answer(
    classifier: Classifier, observation: Observation, question: Question, settings: Settings
) -> Answer:
    """Identify an observation; of more photos than one may have the first are seen, and it says so.

    Raises:
        ArgumentError: It cannot be looked at, or as ``Classifier.answer`` raises it.
        PhotoError, UrlError: A photo that cannot be read, named in the sentence.
        ModelFolderError: The model is damaged.
    """
    if observation.fault:
        raise ArgumentError(observation.fault)
    photos, organs = observation.photos, observation.organs
    few = photos[: settings.max_photos]
    sources = [source_of(one, settings) for one in few]
    found = classifier.answer(sources, organs and organs[: len(few)], question)
    if len(few) == len(photos):
        return found
    said = f"Only the first {len(few)} of {len(photos)} photos were seen."
    return dataclasses.replace(found, warnings=(*found.warnings, said))
