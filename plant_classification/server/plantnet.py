"""Routes that a client of the Pl@ntNet API finds here as it does there."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import TypeVar

from aiohttp import hdrs, web

from plant_classification.errors import ArgumentError, PlantClassificationError
from plant_classification.inference import Request
from plant_classification.photos import Source, Url
from plant_classification.question import Question, check_organs, check_photos
from plant_classification.server import plantnet_openapi, plantnet_projects
from plant_classification.server.plantnet_format import (
    ENGLISH,
    LANGUAGES,
    TYPES,
    Asked,
    identification,
    languages_of,
    species_rows,
)
from plant_classification.server.state import ADDRESSES, PREDICTORS, SETTINGS
from plant_classification.server.uploads import PHOTOS, read_form
from plant_classification.settings import Settings

Handler = Callable[[web.Request], Awaitable[web.Response]]
Result = TypeVar("Result")

MINE = ("identify", "projects", "species", "languages", "_status", "plantnet")
"""Where in ``/v2`` the routes are; DEEPaaS has the rest."""

SPECIES_NOT_FOUND = "Species not found"
PAGE_SIZE = 100
PHRASES = {413: "Request Entity Too Large"}
"""Where the words of HTTP have changed, and the service has the old ones."""


def add_routes(app: web.Application) -> None:
    """Those routes, each with and without a slash at its end."""
    routes: dict[str, dict[str, Handler]] = {
        "/v2/identify/{project}": {hdrs.METH_GET: _by_address, hdrs.METH_POST: _by_upload},
        "/v2/projects": {hdrs.METH_GET: _projects},
        "/v2/projects/{project}/species": {hdrs.METH_GET: _species},
        "/v2/species": {hdrs.METH_GET: _species},
        "/v2/languages": {hdrs.METH_GET: _languages},
        "/v2/_status": {hdrs.METH_GET: _status},
        "/v2/plantnet/openapi.json": {hdrs.METH_GET: _openapi},
    }
    for path, handlers in routes.items():
        for place in (path, f"{path}/"):
            resource = app.router.add_resource(place)
            for method, handler in handlers.items():
                resource.add_route(method, handler)
            # Else DEEPaaS, which has all of /v2, would say that there is no such place.
            resource.add_route(hdrs.METH_ANY, functools.partial(_wrong_method, sorted(handlers)))


def is_mine(path: str) -> bool:
    """Whether a path is one of them."""
    _, version, place, *_ = [*path.split("/"), "", "", ""]
    return version == "v2" and place in MINE


def refusal(status: int, message: str, retry_after: int | None = None) -> web.Response:
    """An error in the form that the service has."""
    error = PHRASES.get(status) or HTTPStatus(status).phrase
    return web.json_response(
        {"statusCode": status, "error": error, "message": message},
        status=status,
        headers=None if retry_after is None else {hdrs.RETRY_AFTER: str(retry_after)},
    )


def refused(error: PlantClassificationError) -> web.Response:
    """An error of the package as the service tells it: there is no 422."""
    status, message = error.status, error.message
    if status == HTTPStatus.UNPROCESSABLE_ENTITY:
        status = HTTPStatus.BAD_REQUEST.value
    if error.field and error.field.startswith("photos["):
        message = f"{PHOTOS}{error.field.removeprefix('photos')}: {message}"
    return refusal(status, message, error.retry_after)


async def _wrong_method(allowed: Sequence[str], request: web.Request) -> web.Response:
    response = refusal(
        HTTPStatus.METHOD_NOT_ALLOWED, f"Ask by {' or '.join(allowed)}, not by {request.method}."
    )
    response.headers[hdrs.ALLOW] = ", ".join(allowed)
    return response


async def _by_upload(request: web.Request) -> web.Response:
    asked = await _asked(request)
    if asked is None:
        return _no_project()
    form = await read_form(request, request.app[SETTINGS])
    photos = [photo.content for photo in form.photos]
    organs = form.texts.get("organs") or _all(request, "organs")
    return await _identify(request, asked, photos, [photo.md5 for photo in form.photos], organs)


async def _by_address(request: web.Request) -> web.Response:
    asked = await _asked(request)
    if asked is None:
        return _no_project()
    addresses = _all(request, PHOTOS)
    organs = _all(request, "organs")
    return await _identify(request, asked, [*map(Url, addresses)], addresses, organs)


async def _identify(
    request: web.Request,
    asked: Asked,
    photos: Sequence[Source],
    names: Sequence[str],
    given_organs: Sequence[str],
) -> web.Response:
    check_photos(len(photos), request.app[SETTINGS].max_photos)
    organs = [organ.strip().lower() for organ in given_organs if organ.strip()] or None
    check_organs(organs, len(photos))
    question = Question(
        top_k=asked.nb_results, species_list=asked.species_list, no_reject=asked.no_reject
    )
    async with request.app[ADDRESSES].fetched(photos) as fetched:
        observation = Request(photos=fetched, organs=organs, question=question)
        answer = await request.app[PREDICTORS].run(lambda one: one.identify(observation))
    if answer.rejected or not answer.candidates:
        return refusal(HTTPStatus.NOT_FOUND, SPECIES_NOT_FOUND)
    return web.json_response(identification(answer, asked, names, organs))


async def _projects(request: web.Request) -> web.Response:
    await _lang(request)
    return web.json_response(await _found(request, plantnet_projects.rows))


async def _species(request: web.Request) -> web.Response:
    lang = await _lang(request)
    project = request.match_info.get("project")
    if project and not await _is_project(request, project):
        return _no_project()
    query = request.query
    page, size = _number(query, "page"), _number(query, "pageSize")
    labels = await _found(request, lambda settings: plantnet_projects.labels(settings, project))
    rows = species_rows(labels, lang, query.get("prefix", ""))
    if page or size:
        size = size or PAGE_SIZE
        start = ((page or 1) - 1) * size
        rows = rows[start : start + size]
    return web.json_response(rows)


async def _languages(request: web.Request) -> web.Response:
    return web.json_response(languages_of(await _found(request, plantnet_projects.labels)))


async def _status(_request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


async def _openapi(_request: web.Request) -> web.Response:
    return web.json_response(plantnet_openapi.document())


async def _asked(request: web.Request) -> Asked | None:
    """What the address asks; None where there is no such project."""
    query = request.query
    project = request.match_info["project"]
    if not await _is_project(request, project):
        return None
    kind = query.get("type") or None
    if kind is not None and kind not in TYPES:
        raise ArgumentError(f"type must be {' or '.join(TYPES)}, not {kind!r}.")
    return Asked(
        project=project,
        lang=await _lang(request),
        nb_results=_number(query, "nb-results") or Asked.nb_results,
        no_reject=_switch(query, "no-reject"),
        include_related_images=_switch(query, "include-related-images"),
        detailed=_switch(query, "detailed"),
        type=kind,
    )


async def _is_project(request: web.Request, name: str) -> bool:
    return await _found(request, lambda settings: plantnet_projects.is_there(settings, name))


def _no_project() -> web.Response:
    return refusal(HTTPStatus.NOT_FOUND, "Project not found; /v2/projects lists those that are.")


async def _lang(request: web.Request) -> str:
    lang = request.query.get("lang", "").strip().lower() or ENGLISH
    if lang not in LANGUAGES:
        languages = languages_of(await _found(request, plantnet_projects.labels))
        if lang not in languages:
            raise ArgumentError(f"lang must be among {', '.join(languages)}, not {lang!r}.")
    return lang


async def _found(request: web.Request, find: Callable[[Settings], Result]) -> Result:
    """What is found on disk, beside the event loop."""
    return await asyncio.to_thread(find, request.app[SETTINGS])


def _all(request: web.Request, name: str) -> list[str]:
    return [value for key, value in request.query.items() if key == name]


def _switch(query: Mapping[str, str], name: str) -> bool:
    text = query.get(name, "").strip().lower()
    if text not in ("", "true", "false", "1", "0"):
        raise ArgumentError(f"{name} must be true or false, not {text!r}.")
    return text in ("true", "1")


def _number(query: Mapping[str, str], name: str) -> int | None:
    """A number from 1 up; None where nothing was said."""
    text = query.get(name, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) > 0):
        raise ArgumentError(f"{name} must be a whole number from 1 up, not {text!r}.")
    return int(text)
