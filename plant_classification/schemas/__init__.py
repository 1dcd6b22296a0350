"""What goes over the wire, as DEEPaaS wants it described."""

from plant_classification.schemas.answer import answer_fields
from plant_classification.schemas.arguments import (
    AS_JSON,
    CSV,
    JSON,
    PHOTO_FIELDS,
    PNG,
    predict_arguments,
)

__all__ = ["AS_JSON", "CSV", "JSON", "PHOTO_FIELDS", "PNG", "answer_fields", "predict_arguments"]
