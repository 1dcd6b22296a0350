"""The page for people, and what it asks beside a prediction."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from plant_classification.inference.expectation import species_lists
from plant_classification.models import (
    Model,
    find_model,
    labels_of,
    list_models,
    why_not,
)
from plant_classification.photos.decoding import FORMATS_READ
from plant_classification.schemas import JSON, PHOTO_FIELDS
from plant_classification.schemas.arguments import preferred
from plant_classification.server.state import SETTINGS
from plant_classification.settings import Settings
from plant_classification.taxonomy import Label

STATIC = Path(__file__).with_name("static")
INDEX = "index.html"
HTML = "text/html"
TYPES = {
    ".css": "text/css",
    ".html": HTML,
    ".js": "text/javascript",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}


def add_routes(app: web.Application) -> None:
    """The page at ``/``, where programs still get DEEPaaS's list, and the page's own routes."""
    app.middlewares.append(_page_for_people)
    app.router.add_get("/page/static/{name}", _static)
    app.router.add_get("/page/models", _models)
    app.router.add_get("/page/species", _species)


@dataclasses.dataclass(frozen=True)
class StaticFile:
    """A file of the page, and the digest by which a browser knows that it has not changed."""

    content: bytes
    type: str
    digest: str


@functools.cache
def static_files() -> dict[str, StaticFile]:
    """All of them by name, read once: a name that is not here leads nowhere."""
    files = {}
    for path in sorted(STATIC.iterdir()):
        if path.suffix in TYPES:
            content = path.read_bytes()
            digest = hashlib.sha256(content).hexdigest()[:16]
            files[path.name] = StaticFile(content, TYPES[path.suffix], digest)
    return files


def prefers_html(accept: str) -> bool:
    """Whether an Accept header prefers HTML; programs that take anything get JSON."""
    return preferred(accept, (JSON, HTML)) == HTML


@web.middleware
async def _page_for_people(request: web.Request, handler: Handler) -> web.StreamResponse:
    if request.path != "/" or request.method not in (hdrs.METH_GET, hdrs.METH_HEAD):
        return await handler(request)
    is_person = prefers_html(request.headers.get(hdrs.ACCEPT, ""))
    response = _sent(request, static_files()[INDEX]) if is_person else await handler(request)
    response.headers[hdrs.VARY] = hdrs.ACCEPT
    return response


async def _static(request: web.Request) -> web.Response:
    file = static_files().get(request.match_info["name"])
    if file is None:
        raise web.HTTPNotFound
    return _sent(request, file)


def _sent(request: web.Request, file: StaticFile) -> web.Response:
    """The file, or that the browser has it already."""
    known = any(tag.value == file.digest for tag in request.if_none_match or ())
    response = (
        web.Response(status=web.HTTPNotModified.status_code)
        if known
        else web.Response(body=file.content, content_type=file.type, charset="utf-8")
    )
    response.etag = file.digest
    response.headers[hdrs.CACHE_CONTROL] = "no-cache"  # it is asked for anew, and mostly unchanged
    return response


async def _models(request: web.Request) -> web.Response:
    return await _told(functools.partial(choices, request.app[SETTINGS]))


async def _species(request: web.Request) -> web.Response:
    name = request.query.get("model") or None
    return await _told(functools.partial(species, name, request.app[SETTINGS]))


async def _told(find: Callable[[], dict[str, Any]]) -> web.Response:
    """What is found beside the event loop."""
    found = await asyncio.to_thread(find)
    return web.json_response(found, headers={hdrs.CACHE_CONTROL: "no-cache"})


def choices(settings: Settings) -> dict[str, Any]:
    """What can be chosen, and what may be sent."""
    models, _ = list_models(settings.models_dir)
    usual = find_model(None, settings.models_dir)
    return {
        "models": [_described(model) for model in models if why_not(model) is None],
        "default": usual.name,
        "species_lists": species_lists(settings.models_dir),
        "limits": {
            "photos": min(settings.max_photos, len(PHOTO_FIELDS)),
            "photo_bytes": settings.max_photo_bytes,
            "total_bytes": settings.max_total_bytes,
            "urls": settings.allow_urls,
        },
        "formats": FORMATS_READ,
    }


def _described(model: Model) -> dict[str, Any]:
    return {
        "name": model.name,
        "architecture": model.architecture,
        "labels": model.label_count,
        "created": model.created.isoformat(),
    }


def species(name: str | None, settings: Settings) -> dict[str, Any]:
    """The labels that a model knows, by family and genus; those without a family come last.

    Raises:
        UnknownModelError: No such model.
        ModelFolderError: It cannot be read.
    """
    model = find_model(name, settings.models_dir)
    labels = labels_of(model, settings)
    families: dict[str | None, dict[str, list[Label]]] = {}
    for label in sorted(labels, key=lambda one: (one.family is None, one.family or "", one.name)):
        genera = families.setdefault(label.family, {})
        genera.setdefault(label.genus, []).append(label)
    return {
        "model": model.name,
        "labels": len(labels),
        "families": [
            {
                "name": family,
                "genera": [
                    {"name": genus, "labels": [_named(label) for label in found]}
                    for genus, found in sorted(genera.items())
                ],
            }
            for family, genera in families.items()
        ],
    }


def _named(label: Label) -> dict[str, Any]:
    return {
        "name": label.name,
        "species": label.species,
        "common_names": {language: list(names) for language, names in label.common_names},
    }
