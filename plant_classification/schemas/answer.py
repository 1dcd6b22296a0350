"""The fields of an answer.

Swagger is drawn from these descriptions. None may say "image": the AI4OS page would decode such a
text as a picture.
"""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, validate


def _text(description: str, *, nullable: bool = False) -> fields.Field:
    return fields.Str(required=True, allow_none=nullable, metadata={"description": description})


def _count(description: str) -> fields.Field:
    return fields.Int(
        required=True,
        strict=True,
        validate=validate.Range(1),
        metadata={"description": description},
    )


def _probability(description: str, *, nullable: bool = False) -> fields.Field:
    return fields.Float(
        required=True,
        allow_none=nullable,
        validate=validate.Range(0, 1),
        metadata={"description": description},
    )


def _list(
    item: fields.Field | type[Schema],
    description: str,
    *,
    key: str | None = None,
    nullable: bool = False,
) -> fields.Field:
    return fields.List(
        item if isinstance(item, fields.Field) else _nested(item),
        required=True,
        allow_none=nullable,
        data_key=key,
        metadata={"description": description},
    )


def _object(schema: type[Schema], description: str, *, nullable: bool = False) -> fields.Field:
    return _nested(
        schema, required=True, allow_none=nullable, metadata={"description": description}
    )


def _nested(schema: type[Schema], **options: Any) -> fields.Field:
    field = fields.Nested(schema, **options)
    _ = field.schema  # made here once; marshmallow would make it anew for each answer
    return field


class SearchLinks(Schema):
    """Addresses to read on, one for each label; the keys are the old service's."""

    google_images = _list(
        fields.Str(), "Google's picture search, in the order of labels.", key="Google Images"
    )
    wikipedia = _list(
        fields.Str(), "Pages of the English Wikipedia, in the order of labels.", key="Wikipedia"
    )


class Predictions(Schema):
    """The answer in the form of the old service."""

    labels = _list(fields.Str(), "The most probable labels, best first; at most top_k.")
    probabilities = _list(
        fields.Float(validate=validate.Range(0, 1)), "Their probabilities, each from 0 to 1."
    )
    labels_info = _list(
        fields.Str(),
        "What the model says of them, else their common names, parted by commas; empty where none "
        "is known.",
    )
    links = _object(SearchLinks, "Addresses to read on.")


class ResultLinks(Schema):
    """Addresses that search for one taxon."""

    gbif = _text("Address: the species search of the Global Biodiversity Information Facility.")
    powo = _text("Address: the search of Plants of the World Online (Kew).")
    wikipedia = _text("Address: the page of the English Wikipedia.")
    wikimedia = _text("Address: the category of Wikimedia Commons.")


class Result(Schema):
    """One label."""

    rank = _count("Place in the list, from 1, the most probable first.")
    label = _text("The label as the model has it, such as 'Rosa sp.'.")
    species = _text("The species; null where the label is only a genus.", nullable=True)
    genus = _text("The genus.")
    family = _text("The family; null where unknown.", nullable=True)
    author = _text("Author of the name; null where unknown.", nullable=True)
    probability = _probability("Calibrated probability, from 0 to 1; those of all labels sum to 1.")
    common_names = fields.Dict(
        keys=fields.Str(),
        values=fields.List(fields.Str()),
        required=True,
        metadata={
            "description": "Common names by language code, the usual one first; empty where none "
            "is known."
        },
    )
    links = _object(ResultLinks, "Addresses that search for the taxon.")


class TaxonProbability(Schema):
    """A genus or a family."""

    name = _text("Name of the genus or family.")
    probability = _probability("Sum over all its labels, from 0 to 1.")


ONE_PHOTO = "it is known of one photo, without a species list, and where prior.csv says nothing."


class SafeAnswer(Schema):
    """The most specific taxon that can be given."""

    name = _text("The taxon; null where nothing is safe.", nullable=True)
    rank = _text("species, genus or family; null where nothing is safe.", nullable=True)
    probability = _probability(
        "Its probability, from 0 to 1; null where nothing is safe.", nullable=True
    )
    confidence = _probability("The confidence that was asked for, above 0 and at most 1.")
    promised = fields.Bool(
        required=True,
        metadata={"description": "Whether that share of such answers is right; " + ONE_PHOTO},
    )


class Plausible(Schema):
    """The smallest set of species that holds the right one with a stated coverage."""

    coverage = _probability("The coverage that was asked for, above 0 and below 1.")
    promised = fields.Bool(
        required=True,
        metadata={
            "description": "Whether that share of such sets holds the right name; " + ONE_PHOTO
        },
    )
    species = _list(fields.Str(), "The names of the set, the most probable first; never empty.")


class IsPlant(Schema):
    """Whether the photos look like a plant that the model was trained on."""

    probability = _probability(
        "Probability that a photo of such a plant looks as little like one, from 0 to 1."
    )
    threshold = _probability(
        "From which probability it counts as a plant, from 0 to 1: so many plants are rejected."
    )
    binary = fields.Bool(
        required=True, metadata={"description": "Whether the probability reaches the threshold."}
    )


class SeenPhoto(Schema):
    """A photo that was looked at."""

    name = _text("File name or address as sent, without its query.")
    width = _count("Width of the upright photo in pixels, from 1.")
    height = _count("Height of the upright photo in pixels, from 1.")
    format = _text("JPEG, PNG, WEBP, GIF, TIFF, AVIF or HEIF, told by the content.")
    sha256 = _text(
        "SHA-256 of the bytes, 64 hexadecimal digits; null where unknown.", nullable=True
    )
    organ = _text("The organ as sent; null where none was said.", nullable=True)


class SimilarPhoto(Schema):
    """A known photo that looks like those that were sent."""

    photo = _text("Its path in the folder that was indexed.")
    label = _text("What it shows.")
    similarity = fields.Float(
        required=True, metadata={"description": "From -1 to 1; 1 for the same photo."}
    )


class AnsweringModel(Schema):
    """The model that answered."""

    name = _text("Name of the model.")
    architecture = _text("Name of its network.")
    labels = _count("Number of its labels, from 1.")
    version = _text("12 hexadecimal digits that change whenever the model changes.")


def answer_fields() -> dict[str, fields.Field]:
    """The fields of an answer; each is always there.

    DEEPaaS makes a schema of them, calls it ``ModelPredictionResponse`` and loads every answer
    strictly: an unknown field, or NaN, is an error of the server.
    """
    return {
        "status": _text("Always OK; an error has another HTTP status and says error here."),
        "labels": Predictions().fields["labels"],
        "probabilities": Predictions().fields["probabilities"],
        "predictions": _object(Predictions, "The same in the form of the old service."),
        "results": _list(Result, "The most probable labels, best first; at most top_k."),
        "genera": _list(TaxonProbability, "The most probable genera, best first; at most top_k."),
        "families": _list(
            TaxonProbability,
            "The most probable families, best first; at most top_k, empty where none is known.",
        ),
        "safe_answer": _object(
            SafeAnswer, "The most specific taxon that can be given with the confidence asked for."
        ),
        "plausible": _object(
            Plausible,
            "The smallest set of names that holds the right one with the coverage asked for; null "
            "where too few photos were held back in training to promise it.",
            nullable=True,
        ),
        "is_plant": _object(
            IsPlant,
            "Whether the photos show a plant; null where the model cannot say.",
            nullable=True,
        ),
        "rejected": fields.Bool(
            required=True,
            allow_none=True,
            metadata={
                "description": "True where the photos show no plant, or none that the model was "
                "trained on: nothing is safe then. Never with no_reject; null where the model "
                "cannot say."
            },
        ),
        "similar": _list(
            SimilarPhoto,
            "Known photos that look most like these, the most similar first; null where the model "
            "has no index.",
            nullable=True,
        ),
        "photos": _list(SeenPhoto, "The photos that were looked at, in the order sent."),
        "model": _object(AnsweringModel, "The model that answered."),
        "warnings": _list(fields.Str(), "Sentences about what may make the answer worse."),
    }
