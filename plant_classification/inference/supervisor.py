"""Identification in a process of its own, with a deadline."""

from __future__ import annotations

import dataclasses

from plant_classification.inference.answer import Answer
from plant_classification.inference.explanation import Explanation
from plant_classification.inference.request import ExplanationRequest, Request
from plant_classification.processes import Process, processors
from plant_classification.settings import Settings

CHILD = "plant_classification.inference.child"


class Supervisor:
    """Owner of one inference process; requests take turns.

    Args:
        settings: The settings; ``deadline_seconds`` bounds each call. Kept as ``settings``, with
            the threads of this worker.
        workers: How many such owners share the machine: each gets its part of the processors.
    """

    def __init__(self, settings: Settings, workers: int = 1) -> None:
        threads = settings.threads or max(1, processors() // workers)
        self.settings = dataclasses.replace(settings, threads=threads)
        self._process = Process(CHILD, self.settings)

    def warm(self) -> None:
        """Load the model that answers when none is named."""
        self._process.ask(None, self.settings.deadline_seconds)

    def identify(self, request: Request) -> Answer:
        """Identify one observation.

        Raises:
            UnavailableError: The child died.
            DeadlineError: The deadline passed; the child was ended.
            PlantClassificationError: Whatever ``Classifier.identify`` raises.
        """
        answer: Answer = self._process.ask(request, self.settings.deadline_seconds)
        return answer

    def explain(self, request: ExplanationRequest) -> Explanation:
        """Identify one observation, and explain it; the errors are those of :meth:`identify`."""
        explanation: Explanation = self._process.ask(request, self.settings.deadline_seconds)
        return explanation

    def close(self) -> None:
        """End the child."""
        self._process.close()
