"""What every request goes through: an id, a line in the log, a count, safe headers, a key."""

from __future__ import annotations

import json
import logging
import re
import time
import uuid

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware
from prometheus_client import Counter, Histogram

from plant_classification.api.requests import INTERNAL, RequestError
from plant_classification.errors import (
    PlantClassificationError,
    TooManyBytesError,
    UnavailableError,
)
from plant_classification.server import plantnet
from plant_classification.server.keys import Key, owner_of
from plant_classification.server.uploads import MOST_HELD

LOG = logging.getLogger("plant_classification.server")
REQUEST_ID = "X-Request-ID"
OPEN = ("/healthz", "/readyz", "/static/", "/page/static/", "/v2/_status")
"""Paths that need no key: they tell nothing of anyone's photos or models."""

READING = (hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_OPTIONS)
PORT = re.compile(r":\d*$")
SAFE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' blob: data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
SWAGGER = ("/api", "/static/swagger")
"""Paths of DEEPaaS's Swagger page, which has its scripts and styles inside itself."""

NO_KEY = (
    "This server wants an API key: send it as 'Authorization: Bearer KEY', or as 'api-key=KEY' in "
    "the address."
)
UNKNOWN_KEY = "This server does not know this API key; ask whoever runs it for another."

REQUESTS = Counter(
    "plant_classification_requests", "Requests that were answered", ["method", "route", "status"]
)
SECONDS = Histogram("plant_classification_seconds", "Seconds from request to answer", ["route"])


def middlewares(
    keys: tuple[Key, ...] | None,
    origins: tuple[str, ...],
    most_bytes: int,
    names: tuple[str, ...] | None,
) -> list[Middleware]:
    """Those of the application, outermost first.

    Args:
        keys: Who may ask; None for everybody.
        origins: Web sites whose pages may ask; ``"*"`` is any.
        most_bytes: That the body of a request may have.
        names: By which the server may be asked; None for any.
    """
    found: list[Middleware] = [_told, _safe]
    if origins:
        found.append(_shared(origins))
    found += [_worded, _from_own_pages(origins), _held(most_bytes)]
    if names is not None:
        found.append(_by_name(names))
    if keys is not None:
        found.append(_keyed(keys))
    return [web.middleware(one) for one in found]


async def _told(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Name the request, and tell the log and the metrics what came of it: never what was sent."""
    start = time.perf_counter()
    name = request["id"] = uuid.uuid4().hex
    status = 499  # as nginx calls it when the client has left
    try:
        response = await handler(request)
        status = response.status
        response.headers[REQUEST_ID] = name
        return response
    except web.HTTPException as error:
        status = error.status
        if isinstance(error, RequestError):
            name = error.request_id  # which its body names
        error.headers[REQUEST_ID] = name
        raise
    except Exception:
        status = 500
        raise
    finally:
        seconds = time.perf_counter() - start
        route = _route(request)
        REQUESTS.labels(request.method, route, status).inc()
        SECONDS.labels(route).observe(seconds)
        line = {
            "request": name,
            "method": request.method,
            "path": request.path[:200],
            "status": status,
            "seconds": round(seconds, 4),
            "bytes": request.content_length,
            "key": request.get("key"),
        }
        LOG.info("%s", json.dumps(line))


def _route(request: web.Request) -> str:
    """The pattern that the path fits, so that the metrics have a bounded number of names."""
    resource = request.match_info.route.resource
    return "none" if resource is None else resource.canonical


async def _safe(request: web.Request, handler: Handler) -> web.StreamResponse:
    headers = dict(SAFE_HEADERS)
    if request.path.startswith(SWAGGER):
        headers["Content-Security-Policy"] = (
            "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' "
            "'unsafe-inline'; img-src 'self' data: https:; frame-ancestors 'none'"
        )
    try:
        response = await handler(request)
    except web.HTTPException as error:
        error.headers.update(headers)
        raise
    if not response.prepared:
        response.headers.update(headers)
    return response


def _shared(origins: tuple[str, ...]) -> Middleware:
    """Let pages of other sites ask."""

    async def share(request: web.Request, handler: Handler) -> web.StreamResponse:
        origin = request.headers.get(hdrs.ORIGIN, "")
        is_welcome = bool(origin) and ("*" in origins or origin in origins)
        headers = (
            {
                hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: origin,
                hdrs.ACCESS_CONTROL_ALLOW_METHODS: "GET, POST",
                hdrs.ACCESS_CONTROL_ALLOW_HEADERS: "Accept, Authorization, Content-Type",
            }
            if is_welcome
            else {}
        )
        if is_welcome and request.method == hdrs.METH_OPTIONS:
            return web.Response(status=204, headers=headers)
        try:
            response = await handler(request)
        except web.HTTPException as error:
            error.headers.update(headers)
            raise
        response.headers.update(headers)
        response.headers.add(hdrs.VARY, hdrs.ORIGIN)
        return response

    return share


async def _worded(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Put what aiohttp says of a request that fits nothing in the form of all other errors."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400 or error.content_type == "application/json":
            raise
        response = refusal(request, error.status, f"{error.reason}.")
        if hdrs.ALLOW in error.headers:
            response.headers[hdrs.ALLOW] = error.headers[hdrs.ALLOW]
        return response
    except PlantClassificationError as error:
        if error.status == web.HTTPInternalServerError.status_code:
            LOG.error("request %s: %s", request["id"], error)
            return refusal(request, error.status, INTERNAL)
        if plantnet.is_mine(request.path):
            return plantnet.refused(error)
        return refusal(request, error.status, error.message, error.field, error.retry_after)
    except Exception:
        LOG.exception("request %s failed", request["id"])
        return refusal(request, web.HTTPInternalServerError.status_code, INTERNAL)


def refusal(
    request: web.Request,
    status: int,
    message: str,
    field: str | None = None,
    retry_after: int | None = None,
) -> web.Response:
    """An error in the form that the routes of this path have."""
    if plantnet.is_mine(request.path):
        return plantnet.refusal(status, message, retry_after)
    errors = {field: [message]} if field else {}
    body = {"status": "error", "message": message, "errors": errors, "request_id": request["id"]}
    headers = None if retry_after is None else {hdrs.RETRY_AFTER: str(retry_after)}
    return web.json_response(body, status=status, headers=headers)


def _from_own_pages(origins: tuple[str, ...]) -> Middleware:
    """Let no page of another site act in the name of who looks at it.

    A browser asks before it sends most requests to another site, but not before a plain form.
    """

    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        origin = request.headers.get(hdrs.ORIGIN)
        if site := request.headers.get("Sec-Fetch-Site"):  # right behind a proxy, too
            is_other = site not in ("same-origin", "none")
        else:
            host = (origin or "").partition("://")[2]
            is_other = origin is not None and host.lower() != request.host.lower()
        is_welcome = "*" in origins or origin in origins
        if is_other and not is_welcome and request.method not in READING:
            return refusal(
                request,
                web.HTTPForbidden.status_code,
                "Pages of other sites may not ask this server: name the site with --cors.",
            )
        return await handler(request)

    return check


def _by_name(names: tuple[str, ...]) -> Middleware:
    """Refuse another name of the server, which a page of that name would have it called by."""

    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if PORT.sub("", request.host.lower()) not in names:
            return refusal(
                request,
                web.HTTPForbidden.status_code,
                "This server is for its own machine, by the name of localhost. Start it with "
                "--public or --api-keys to be asked by another name.",
            )
        return await handler(request)

    return check


def _held(most_bytes: int) -> Middleware:
    """Bound what the bodies of all requests take together."""
    held = 0

    async def hold(request: web.Request, handler: Handler) -> web.StreamResponse:
        nonlocal held
        size = request.content_length
        if size is None:
            size = most_bytes if request.can_read_body else 0
        if size > most_bytes:
            raise TooManyBytesError(
                f"A request may have {most_bytes:,} bytes; this one has {size:,}. Send fewer "
                "photos, or smaller ones."
            )
        if held + size > MOST_HELD:
            raise UnavailableError("Too much is being sent at once; send the photo again later.")
        held += size
        try:
            return await handler(request)
        finally:
            held -= size

    return hold


def _keyed(keys: tuple[Key, ...]) -> Middleware:
    """Ask for a key where something could be learned or used up."""

    async def ask(request: web.Request, handler: Handler) -> web.StreamResponse:
        is_page = request.path == "/" and request.method in (hdrs.METH_GET, hdrs.METH_HEAD)
        if is_page or request.path.startswith(OPEN):
            return await handler(request)
        key = _key(request)
        owner = owner_of(key, keys)
        if owner is None:
            response = refusal(
                request, web.HTTPUnauthorized.status_code, UNKNOWN_KEY if key else NO_KEY
            )
            response.headers[hdrs.WWW_AUTHENTICATE] = "Bearer"
            return response
        request["key"] = owner
        return await handler(request)

    return ask


def _key(request: web.Request) -> str:
    kind, _, value = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    return value.strip() if kind.lower() == "bearer" else request.query.get("api-key", "")
