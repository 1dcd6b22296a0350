"""From photos to an answer: the engine, the classifier, and the process that it runs in."""

from plant_classification.inference.answer import Answer
from plant_classification.inference.classifier import Classifier
from plant_classification.inference.request import Request
from plant_classification.inference.supervisor import Supervisor

__all__ = ["Answer", "Classifier", "Request", "Supervisor"]
