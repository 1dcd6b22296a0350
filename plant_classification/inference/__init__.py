"""From photos to an answer: the engine, the classifier, and the process that it runs in."""

from plant_classification.inference.answer import Answer
from plant_classification.inference.classifier import Classifier
from plant_classification.inference.explanation import Explanation
from plant_classification.inference.request import ExplanationRequest, Request
from plant_classification.inference.supervisor import Supervisor

__all__ = ["Answer", "Classifier", "Explanation", "ExplanationRequest", "Request", "Supervisor"]
