"""Which known photos look most like one, by what a network sees in them."""

from plant_classification.similarity.index import (
    FOLDER,
    PhotoIndex,
    SimilarPhoto,
    new_index,
)

__all__ = ["FOLDER", "PhotoIndex", "SimilarPhoto", "new_index"]
