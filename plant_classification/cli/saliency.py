"""``identify --saliency``: an answer, and a picture of what in the photos speaks for it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import click

from plant_classification.cli.quiet import load_tensorflow
from plant_classification.errors import ArgumentError

if TYPE_CHECKING:
    from plant_classification.bulk.observations import Observation
    from plant_classification.inference import Answer, Classifier
    from plant_classification.question import Question

GRAD_CAM = "grad-cam"
METHODS = (GRAD_CAM, "integrated-gradients", "smoothgrad")


def check_saliency(file: Path | None, taxon: str | None, method: str, answers: int) -> None:
    """Judge the options before a photo is read.

    Raises:
        click.UsageError: They contradict each other.
        ArgumentError: The method needs TensorFlow, which is missing.
    """
    if file and answers > 1:
        raise click.UsageError(
            "--saliency explains one answer: give one photo, or --observation for photos of one "
            "plant."
        )
    if not file and (taxon or method != GRAD_CAM):
        raise click.UsageError(
            "--taxon and --saliency-by say what --saliency FILE is to show: give --saliency too."
        )
    if method != GRAD_CAM and importlib.util.find_spec("tensorflow") is None:
        raise ArgumentError(
            f"{method} needs tensorflow: pip install 'plant-classification[train]'."
        )


def explained(
    classifier: Classifier,
    observation: Observation,
    question: Question,
    file: Path,
    taxon: str | None,
    method: str,
) -> Answer:
    """The answer to an observation, whose picture is written.

    Raises:
        PlantClassificationError: What ``Classifier.explain`` raises, or the file cannot be written.
    """
    from plant_classification.files import write_file

    explanation = classifier.explanation(observation.photos, observation.organs, taxon, question)
    if method != GRAD_CAM:
        load_tensorflow()
        from plant_classification.inference.gradient_saliency import explain_by_gradients

        explanation = explain_by_gradients(explanation, method)
    try:
        write_file(file, explanation.picture())
    except OSError as error:
        raise ArgumentError(
            f"{file} cannot be written: {error.strerror}.", field="saliency"
        ) from None
    return explanation.answer
