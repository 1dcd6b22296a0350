"""Routes that a client of the Pl@ntNet API finds here as it does there."""

from __future__ import annotations

from aiohttp import web


def add_routes(app: web.Application) -> None:
    """Those routes."""


def is_mine(path: str) -> bool:
    """Whether a path is one of them."""
    return path.startswith("/v2/identify")


def refusal(status: int, message: str) -> web.Response:
    """An error in the form that the service has."""
    return web.json_response({"statusCode": status, "error": "", "message": message}, status=status)
