"""Name the plant in a photo, and say how far to trust the answer.

>>> from plant_classification import Classifier
>>> classifier = Classifier.load()
>>> answer = classifier.identify("dahlia.jpg")

The public names are loaded when they are first used, so that importing the package costs little.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plant_classification.errors import PlantClassificationError
    from plant_classification.inference.answer import Answer
    from plant_classification.inference.classifier import Classifier
    from plant_classification.settings import Settings, load_settings

_HOMES = {
    "Answer": "plant_classification.inference.answer",
    "Classifier": "plant_classification.inference.classifier",
    "PlantClassificationError": "plant_classification.errors",
    "Settings": "plant_classification.settings",
    "load_settings": "plant_classification.settings",
}
__all__ = ["Answer", "Classifier", "PlantClassificationError", "Settings", "load_settings"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
