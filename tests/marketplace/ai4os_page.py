"""The rules of the AI4OS page for what it draws and sends, as its sources (deepaas_ui) have them.

The page is made of ``swagger.json`` alone. It knows arguments and fields by name and type, and some
by a word in their description.
"""

from __future__ import annotations

import base64
import json
import mimetypes
from pathlib import Path
from typing import Any

import requests

JSON = "application/json"
MEDIA = ("image", "audio", "video")
INPUTS = {
    "integer": "number",
    "number": "number",
    "boolean": "switch",
    "string": "text",
    "array": "text",
}
OUTPUTS = {"integer": "number", "number": "number", "array": "text", "object": "json"}
CHARTED = {"labels", "probabilities"}
CHART = "classification scores"


class PageError(Exception):
    """The page cannot be made, or shows this instead of an answer."""


def prediction(specification: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Path and operation of the first model; the page is made for no other."""
    path = next(path for path in specification["paths"] if path.endswith("predict/"))
    if "/deepaas-test/" in path:
        raise PageError("DEEPaaS found no model and serves its demo")
    return path, specification["paths"][path]["post"]


def tabs(operation: dict[str, Any]) -> list[str]:
    """One for each media type of the answer."""
    types = [media for media in operation["produces"] if media != "*/*"]
    for media in types:
        if media.partition("/")[0] not in ("application", *MEDIA):
            raise PageError(f"there is no page: it cannot draw {media}")
    return types


def inputs(operation: dict[str, Any]) -> dict[str, str]:
    """What is drawn for each argument."""
    *shown, last = operation["parameters"]
    if last["name"] != "accept":
        raise PageError("inputs are counted by place without accept, so that it must come last")
    return {parameter["name"]: _input(parameter) for parameter in shown}


def _input(parameter: dict[str, Any]) -> str:
    kind = parameter.get("type", "string")
    if "enum" in parameter:
        return "choice"
    if kind == "integer" and {"minimum", "maximum"} <= parameter.keys():
        return "slider"
    if kind == "file":
        return _medium(parameter) or "file"
    if kind not in INPUTS:
        raise PageError(f"there is no page: it cannot draw {parameter['name']}, a {kind}")
    return INPUTS[kind]


def outputs(specification: dict[str, Any]) -> dict[str, str]:
    """What is drawn for each field of the answer, which the page knows by the schema's name."""
    fields = specification["definitions"]["ModelPredictionResponse"]["properties"]
    drawn = {
        name: _output(name, field)
        for name, field in fields.items()
        if name not in CHARTED or "type" not in field
    }
    return drawn | ({CHART: "chart"} if fields.keys() >= CHARTED else {})


def _output(name: str, field: dict[str, Any]) -> str:
    kind = field.get("type")
    if kind is None:
        return "text"
    if kind in ("string", "boolean"):
        return _medium(field) or "text"
    if kind not in OUTPUTS:
        raise PageError(f"there is no page: it cannot draw {name}, a {kind}")
    return OUTPUTS[kind]


def _medium(described: dict[str, Any]) -> str | None:
    description = described.get("description", "").lower()
    media = [medium for medium in MEDIA if medium in description]
    return media[0] if len(media) == 1 and "#noparse" not in description else None


def submit(root: str, specification: dict[str, Any], **filled: Any) -> dict[str, Any]:
    """What the page shows, by field, when these inputs are filled in and the others left."""
    path, operation = prediction(specification)
    query: dict[str, Any] = {}
    files = {}
    for parameter in operation["parameters"]:
        name, kind = parameter["name"], parameter.get("type", "string")
        value = filled.get(name, parameter.get("default"))
        if name == "accept" or (not value and value is not False):
            continue
        if kind == "file":
            photo = Path(value)
            files[name] = (photo.name, photo.read_bytes(), mimetypes.guess_type(photo)[0])
        elif kind == "array" and isinstance(value, str):
            query[name] = json.loads(f"[{value}]")
        else:
            query[name] = int(value) if kind == "integer" else value
    response = requests.post(
        root + path.rstrip("/"),
        params={**query, "accept": JSON},
        headers={"accept": JSON},
        files=files,
        timeout=300,
    )
    if response.status_code != 200:
        raise PageError(response.text)
    answer = response.json()
    if answer.get("status") == "error":
        raise PageError(answer["message"])
    return {name: _shown(name, drawn, answer) for name, drawn in outputs(specification).items()}


def _shown(name: str, drawn: str, answer: dict[str, Any]) -> Any:
    if drawn == "chart":
        return dict(zip(answer["labels"], answer["probabilities"], strict=False))
    return base64.b64decode(answer[name]) if drawn in MEDIA else answer.get(name)
