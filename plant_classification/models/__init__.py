"""Model folders: their format, those of the old service, and how one is chosen among several."""

from plant_classification.models.choosing import (
    IMAGENET,
    NOTHING,
    STARTER,
    check_new,
    find_model,
    list_models,
    model_at,
    read_model,
)
from plant_classification.models.conversion import Model, labels_of, ready, why_not
from plant_classification.models.folder import (
    ModelFolder,
    read_model_folder,
    write_model_folder,
)
from plant_classification.models.legacy import LegacyFolder

__all__ = [
    "IMAGENET",
    "NOTHING",
    "STARTER",
    "LegacyFolder",
    "Model",
    "ModelFolder",
    "check_new",
    "find_model",
    "labels_of",
    "list_models",
    "model_at",
    "read_model",
    "read_model_folder",
    "ready",
    "why_not",
    "write_model_folder",
]
