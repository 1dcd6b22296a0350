"""Photos to train and to judge on: readers of data sets, splits, augmentation, batches."""

from plant_classification.data.records import (
    SPLITS,
    TEST,
    TRAIN,
    VALIDATION,
    Dataset,
    Record,
    Records,
    Texts,
)

__all__ = [
    "SPLITS",
    "TEST",
    "TRAIN",
    "VALIDATION",
    "Dataset",
    "Record",
    "Records",
    "Texts",
]
