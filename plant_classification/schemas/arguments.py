"""The arguments of a prediction.

Swagger, the AI4OS page and ``deepaas-cli`` are drawn from these descriptions. The page draws a
picture input where the description of a file says "image", and a slider where a whole number has
both bounds.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

from marshmallow import fields, validate

from plant_classification.photos.decoding import FORMATS_READ
from plant_classification.question import CROP_COUNTS, ORGANS, Question

JSON = "application/json"
CSV = "text/csv"
PNG = "image/png"
PHOTO_FIELDS = ("data", "data2", "data3", "data4", "data5")
MAX_TOP_K = 100
AS_JSON = "x-json"
"""What marks an argument that may come as JSON in a string too; one that is empty is not given."""


def preferred(accept: str, served: Sequence[str]) -> str | None:
    """The media type that an ``Accept`` header prefers, or None where it takes none of the served.

    The highest q wins, then what comes first. A wildcard stands for the first of those served that
    is not refused by a q of 0.
    """
    shares: dict[str, float] = {}
    for media_range in accept.split(","):
        name, *parameters = (part.strip().lower() for part in media_range.split(";"))
        shares[name] = _share(parameters)
    accepted = sorted(filter(shares.get, shares), key=lambda name: -shares[name])
    offered = [media for media in served if shares.get(media, 1) > 0]
    for name in accepted:
        for media in offered:
            if name in (media, media.partition("/")[0] + "/*", "*/*"):
                return media
    return None


def _share(parameters: Iterable[str]) -> float:
    text = next((one[2:] for one in parameters if one.startswith("q=")), "1")
    try:
        return max(0.0, float(text))  # in this order, that "nan" is 0
    except ValueError:
        return 0.0


class MediaType(fields.Str):
    """What an ``Accept`` header prefers of what is served."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> str:
        accepted: str = super()._deserialize(value, attr, data, **options)
        return preferred(accepted, (JSON, PNG, CSV)) or accepted


class WholeNumber(fields.Int):
    """A whole number, which ``fields.Int`` makes of 3.7 as well."""

    def _validated(self, value: Any) -> Any:
        text = str(value).strip()
        if isinstance(value, bool) or not re.fullmatch(r"[+-]?\d+", text):
            raise self.make_error("invalid", input=value)
        return super()._validated(value)


class ListedMediaTypes(validate.OneOf):
    """CSV is served but not listed, since the AI4OS page cannot draw it and would not start."""

    def __call__(self, value: Any) -> Any:  # noqa: D102
        return value if value == CSV else super().__call__(value)


def predict_arguments() -> dict[str, fields.Field]:
    """The arguments of a prediction, made anew at each call since DEEPaaS changes ``accept``."""
    return {
        **{name: _photo(place) for place, name in enumerate(PHOTO_FIELDS, 1)},
        "urls": fields.List(
            fields.Str(),
            load_default=None,
            metadata={
                "description": "Addresses of the photos, instead of files: http, https or data: "
                "URIs, 1 to 5 of one plant. Repeat the argument for each; an address is never "
                "split. On the AI4OS page: in double quotes, parted by commas. Default: none."
            },
        ),
        "organs": fields.List(
            fields.Str(metadata={"enum": list(ORGANS)}),
            load_default=None,
            metadata={
                "description": f"What each photo shows: {', '.join(ORGANS)}; one for each photo, "
                "in the order of the photos. Repeat the argument for each (on the AI4OS page: "
                "in double quotes, parted by commas). It counts where the model has learned how "
                "much photos of an organ say. Default: not said."
            },
        ),
        "model": fields.Str(
            load_default=None,
            allow_none=True,
            metadata={
                "description": "Name of the model, plain or as JSON. Default: the newest one "
                "beside the starter, or the starter where there is no other."
            },
        ),
        "timestamp": fields.Str(
            load_default=None,
            allow_none=True,
            metadata={"description": "Old name of the argument model. Default: not given."},
        ),
        "ckpt_name": fields.Str(
            load_default=None,
            allow_none=True,
            metadata={
                "description": "Checkpoint of the model, plain or as JSON. Default: its usual one."
            },
        ),
        "top_k": WholeNumber(
            load_default=Question.top_k,
            validate=validate.Range(1, MAX_TOP_K),
            metadata={
                "description": f"How many labels, genera and families to list, from 1 to "
                f"{MAX_TOP_K}. Default: {Question.top_k}."
            },
        ),
        "crops": WholeNumber(
            load_default=Question.crops,
            validate=validate.OneOf(CROP_COUNTS),
            metadata={
                "description": "Parts of each photo that are looked at together: 1, 5 (middle "
                "and corners) or 10 (these and their mirror images). More take longer. "
                f"Default: {Question.crops}."
            },
        ),
        "confidence": fields.Float(
            load_default=Question.confidence,
            validate=validate.Range(0, 1, min_inclusive=False),
            metadata={
                "description": "Share of the safe answers that are right at least, above 0 and at "
                "most 1; where the model cannot promise that much, the probability that the safe "
                f"answer must reach. Default: {Question.confidence}."
            },
        ),
        "coverage": fields.Float(
            load_default=Question.coverage,
            validate=validate.Range(0, 1, min_inclusive=False, max_inclusive=False),
            metadata={
                "description": "Share of plausible sets that hold the right name, above 0 and "
                f"below 1. Default: {Question.coverage}."
            },
        ),
        "species_list": fields.Str(
            load_default=None,
            allow_none=True,
            metadata={
                "description": "Name of a list of species in the models folder: only these are "
                "possible. Default: all that the model knows.",
                AS_JSON: True,
            },
        ),
        "region": fields.Str(
            load_default=None,
            allow_none=True,
            metadata={
                "description": "Where the photos were taken, as prior.csv in the models folder "
                "calls it. Default: anywhere.",
                AS_JSON: True,
            },
        ),
        "month": WholeNumber(
            load_default=None,
            allow_none=True,
            metadata={
                "description": "Month in which they were taken, from 1 to 12; it counts as "
                "prior.csv says. Default: any.",
                AS_JSON: True,
            },
        ),
        "no_reject": fields.Bool(
            load_default=Question.no_reject,
            metadata={
                "description": "Whether photos that show no plant, or none that the model was "
                "trained on, are answered like others. Default: false."
            },
        ),
        "taxon": fields.Str(
            load_default=None,
            allow_none=True,
            metadata={
                "description": f"With accept {PNG}: which label, genus or family of the answer the "
                "picture is to explain. Default: the first label.",
                AS_JSON: True,
            },
        ),
        "accept": MediaType(
            load_default=JSON,
            validate=ListedMediaTypes([JSON, PNG], error=f"Must be one of: {JSON}, {PNG}, {CSV}."),
            metadata={
                "location": "headers",
                "description": f"Media type of the answer: {JSON} for all of it, {CSV} for the "
                f"ranked labels as a table, {PNG} for the photos, bright where they speak for the "
                f"taxon. Default: {JSON}.",
            },
        ),
    }


def _photo(place: int) -> fields.Field:
    described = "The photo" if place == 1 else f"Photo {place} of the same plant"
    metadata = {
        "type": "file",
        "location": "form",
        "description": f"{described}, an image file: {FORMATS_READ}, told by its content. "
        "Default: none.",
    }
    with warnings.catch_warnings():  # that deepaas-cli knows a file by a bare Field
        warnings.simplefilter("ignore")
        return fields.Field(load_default=None, metadata=metadata)
