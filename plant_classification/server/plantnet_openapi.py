"""The OpenAPI description of the routes that the Pl@ntNet API has, too."""

from __future__ import annotations

import functools
from importlib import metadata
from typing import Any

from plant_classification.question import ORGANS
from plant_classification.server.plantnet_format import ENGLISH, TYPES, Asked

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
SWITCH: Schema = {"type": "boolean", "default": False}
UNKNOWN: Schema = {"type": "string", "nullable": True, "description": "Null where unknown."}
SHARE: Schema = {
    "type": "number",
    "minimum": 0,
    "maximum": 1,
    "description": "Calibrated probability.",
}
ORGAN: Schema = {"type": "string", "enum": list(ORGANS), "default": "auto"}

FAULTS = {
    "400": "A parameter or a photo that cannot be used.",
    "401": "This server wants an API key.",
    "403": "A page of another site asks, or the server is called by another name.",
    "404": "No such project; or 'Species not found': the photos show no plant, or no known one.",
    "405": "Another method is meant here.",
    "408": "The form did not come in time.",
    "413": "More bytes than a photo, or all of them, may have.",
    "415": "Not a picture that is read, or a form that is compressed.",
    "500": "The server made an error.",
    "502": "An address of a photo cannot be reached.",
    "503": "Too many requests are waiting; Retry-After says when to come again.",
    "504": "It took too long.",
}


@functools.cache
def document() -> Schema:
    """The description, OpenAPI 3.0."""
    return {
        "openapi": "3.0.3",
        "info": {
            "title": "plant-classification: routes of the Pl@ntNet API",
            "description": "A client of my-api.plantnet.org works here with the address changed.",
            "version": metadata.version("plant-classification"),
        },
        "servers": [{"url": "/"}],
        "security": [{}, {"key": []}, {"bearer": []}],
        "paths": _paths(),
        "components": {
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "query", "name": "api-key"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
            "parameters": _parameters(),
            "responses": {
                f"Fault{status}": _answered(words, _ref("schemas", "Fault"))
                for status, words in FAULTS.items()
            },
            "schemas": _schemas(),
        },
    }


def _paths() -> Schema:
    asked = ("project", "lang", "nb-results", "no-reject", "include-related-images", "detailed")
    photos = {
        "type": "array",
        "minItems": 1,
        "items": {"type": "string", "format": "binary"},
    }
    form = {
        "type": "object",
        "properties": {"images": photos, "organs": _list(ORGAN)},
        "required": ["images"],
    }
    body = {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": form,
                "encoding": {"organs": {"style": "form", "explode": True}},
            }
        },
    }
    identified = _ref("schemas", "Identification")
    rows = _list(_ref("schemas", "SpeciesRow"))
    listed = ("lang", "prefix", "page", "pageSize")
    return {
        "/v2/identify/{project}": {
            "get": _operation(
                "Identify a plant in photos at addresses",
                identified,
                (*asked, "images", "organs", "type"),
            ),
            "post": {
                **_operation("Identify a plant in photos", identified, (*asked, "type")),
                "requestBody": body,
            },
        },
        "/v2/projects": {
            "get": _operation(
                "The species lists of this server", _list(_ref("schemas", "Project")), ("lang",)
            )
        },
        "/v2/projects/{project}/species": {
            "get": _operation("The species of a project", rows, ("project", *listed))
        },
        "/v2/species": {"get": _operation("All species that are known", rows, listed)},
        "/v2/languages": {"get": _operation("What lang can be", _list(TEXT))},
        "/v2/_status": {"get": _operation("Whether it works", _object(status=TEXT))},
        "/v2/plantnet/openapi.json": {"get": _operation("This description", {"type": "object"})},
    }


def _operation(summary: str, schema: Schema, parameters: tuple[str, ...] = ()) -> Schema:
    faults = {status: _ref("responses", f"Fault{status}") for status in FAULTS}
    return {
        "summary": summary,
        "parameters": [_ref("parameters", name) for name in parameters],
        "responses": {"200": _answered("OK", schema), **faults},
    }


def _parameters() -> Schema:
    organs = {"style": "form", "explode": True, "description": "None, or one for each photo."}
    many = {"style": "form", "explode": True, "required": True}
    lang = {"type": "string", "default": ENGLISH}
    results = {"type": "integer", "minimum": 1, "default": Asked.nb_results}
    number = {"type": "integer", "minimum": 1}
    found = [
        {
            "name": "project",
            "in": "path",
            "required": True,
            "schema": TEXT,
            "description": "'all', 'best', or one that /v2/projects lists.",
        },
        _query("images", _list({"type": "string", "format": "uri"}), **many),
        _query("organs", _list(ORGAN), **organs),
        _query(
            "lang",
            lang,
            description="Of the common names, as /v2/languages lists it; English where there is "
            "none.",
        ),
        _query("nb-results", results),
        _query("no-reject", SWITCH, description="Answer for photos of no known plant, too."),
        _query("include-related-images", SWITCH, description="Their list is empty here."),
        _query("detailed", SWITCH, description="Add the sums by genus and family."),
        _query("type", {"type": "string", "enum": list(TYPES)}, description="No meaning here."),
        _query("prefix", TEXT, description="What names begin with."),
        _query("page", number, description="From 1; without page and pageSize all come."),
        _query("pageSize", number),
    ]
    return {parameter["name"]: parameter for parameter in found}


def _schemas() -> Schema:
    name, identifier = _ref("schemas", "Name"), _ref("schemas", "Identifier")
    names = dict.fromkeys(
        ("scientificNameWithoutAuthor", "scientificNameAuthorship", "scientificName"), TEXT
    )
    images = _list({"type": "object"})
    result = _object(
        score=SHARE, species=_ref("schemas", "Species"), gbif=identifier, powo=identifier
    )
    result["properties"]["images"] = images
    identification = _object(
        query=_ref("schemas", "Query"),
        predictedOrgans=images,
        language=TEXT,
        preferedReferential=TEXT,
        bestMatch=TEXT,
        results=_list(_ref("schemas", "Result")),
        version=TEXT,
        remainingIdentificationRequests=COUNT,
    )
    identification["properties"]["otherResults"] = _object(
        genus=_list(_object(score=SHARE, genus=name, gbif=identifier)),
        family=_list(_object(score=SHARE, family=name, gbif=identifier)),
    )
    return {
        "Identification": identification,
        "Query": _object(
            project=TEXT,
            images=_list(TEXT),
            organs=_list(ORGAN),
            includeRelatedImages={"type": "boolean"},
            noReject={"type": "boolean"},
            type=UNKNOWN,
        ),
        "Result": result,
        "Name": _object(**names),
        "Species": _object(**names, genus=name, family=name, commonNames=_list(TEXT)),
        "Identifier": _object(id=UNKNOWN),
        "Project": _object(id=TEXT, title=TEXT, description=TEXT, speciesCount=COUNT),
        "SpeciesRow": _object(
            id=TEXT,
            commonNames=_list(TEXT),
            scientificNameWithoutAuthor=TEXT,
            scientificNameAuthorship=TEXT,
            genus=TEXT,
            family=TEXT,
            gbifId=UNKNOWN,
            powoId=UNKNOWN,
            iucnCategory=UNKNOWN,
        ),
        "Fault": _object(statusCode={"type": "integer"}, error=TEXT, message=TEXT),
    }


def _object(**fields: Schema) -> Schema:
    """An object that has all these fields."""
    return {"type": "object", "properties": fields, "required": list(fields)}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _ref(kind: str, name: str) -> Schema:
    return {"$ref": f"#/components/{kind}/{name}"}


def _query(name: str, schema: Schema, **more: Any) -> Schema:
    return {"name": name, "in": "query", "schema": schema, **more}


def _answered(words: str, schema: Schema) -> Schema:
    return {"description": words, "content": {"application/json": {"schema": schema}}}
