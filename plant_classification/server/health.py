"""Whether the process lives, whether it can answer, and how it does."""

from __future__ import annotations

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from plant_classification.server.state import PREDICTORS


def add_routes(app: web.Application) -> None:
    """``/healthz`` (the process), ``/readyz`` (a model is loaded), ``/metrics`` (Prometheus)."""
    app.router.add_get("/healthz", _health)
    app.router.add_get("/readyz", _readiness)
    app.router.add_get("/metrics", _metrics)


async def _health(_request: web.Request) -> web.Response:
    return web.json_response({"status": "OK"})


async def _readiness(request: web.Request) -> web.Response:
    predictors = request.app[PREDICTORS]
    if predictors.is_ready:
        return web.json_response({"status": "OK"})
    predictors.try_again()  # no request would come to it where a balancer waits for this route
    return web.json_response(
        {"status": "error", "message": "No model is loaded yet."},
        status=web.HTTPServiceUnavailable.status_code,
        headers={"Retry-After": "1"},
    )


async def _metrics(_request: web.Request) -> web.Response:
    return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})
