"""Model folders: their format, and how one is chosen among several."""

from plant_classification.models.choosing import STARTER, find_model, list_models
from plant_classification.models.folder import (
    ModelFolder,
    read_model_folder,
    write_model_folder,
)

__all__ = [
    "STARTER",
    "ModelFolder",
    "find_model",
    "list_models",
    "read_model_folder",
    "write_model_folder",
]
