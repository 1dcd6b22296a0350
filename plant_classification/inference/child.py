"""What runs in the inference process: models kept in memory, one request after another."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any

from plant_classification.errors import ModelFolderError, PlantClassificationError
from plant_classification.inference.answer import Answer
from plant_classification.inference.classifier import Classifier
from plant_classification.inference.explanation import Explanation
from plant_classification.inference.request import ExplanationRequest, Request
from plant_classification.models import ModelFolder, find_model, ready
from plant_classification.processes import answer_messages
from plant_classification.settings import Settings

LOG = logging.getLogger(__name__)

MOST_CONVERSION_SECONDS = 10

Load = Callable[[ModelFolder], Classifier]


def main(descriptor: int) -> None:
    """Answer messages: each is a ``Request`` to identify, or None to load the newest model.

    First comes the ``Settings``.
    """
    answer_messages(descriptor, _begin)


def _begin(settings: Settings) -> Callable[[Request | None], Any]:
    load: Load = functools.lru_cache(settings.cached_models)(functools.partial(_load, settings))
    return functools.partial(_answer, settings=settings, load=load)


def _load(settings: Settings, folder: ModelFolder) -> Classifier:
    return Classifier(folder, settings, settings.precision)


def _ready(name: str | None, checkpoint: str | None, settings: Settings) -> ModelFolder:
    # Others wait for their turn meanwhile; the answer must come before the deadline passes.
    seconds = min(MOST_CONVERSION_SECONDS, settings.deadline_seconds / 2)
    return ready(find_model(name, settings.models_dir, checkpoint), settings, seconds)


def _classifier(
    name: str | None, checkpoint: str | None, settings: Settings, load: Load
) -> Classifier:
    folder = _ready(name, checkpoint, settings)
    try:
        return load(folder)
    except ModelFolderError:
        # The newest may have been removed meanwhile, as a training is that is cancelled late.
        other = _ready(name, checkpoint, settings)
        if other == folder:
            raise
        return load(other)


def _answer(
    message: Request | None, settings: Settings, load: Load
) -> Answer | Explanation | PlantClassificationError | None:
    try:
        if message is None:
            _classifier(None, None, settings, load)
            return None
        classifier = _classifier(message.model, message.checkpoint, settings, load)
        if isinstance(message, ExplanationRequest):
            return classifier.explanation(
                message.photos, message.organs, message.taxon, message.question
            )
        return classifier.answer(message.photos, message.organs, message.question)
    except PlantClassificationError as error:
        return error
    except Exception:
        LOG.exception("identification failed")
        return PlantClassificationError("The photo could not be identified: an internal error.")
