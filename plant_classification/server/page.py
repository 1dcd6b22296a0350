"""The page for people, and what it asks beside a prediction."""

from __future__ import annotations

from aiohttp import web


def add_routes(app: web.Application) -> None:
    """The page's own routes."""
