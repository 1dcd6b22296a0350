"""From photos to an answer: the engine, the classifier, and the process that it runs in."""

from plant_classification.inference.answer import Answer
from plant_classification.inference.classifier import ORGANS, Classifier
from plant_classification.inference.supervisor import Request, Supervisor

__all__ = ["ORGANS", "Answer", "Classifier", "Request", "Supervisor"]
