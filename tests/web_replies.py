"""What the web servers of the tests answer with."""

from __future__ import annotations

from contextlib import suppress
from http.server import BaseHTTPRequestHandler


def reply(
    to: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str] | None = None
) -> None:
    """Send a status, headers and a body; the client may go before it has them all."""
    to.send_response(status)
    for key, value in (headers or {}).items():
        to.send_header(key, value)
    to.end_headers()
    with suppress(OSError):
        to.wfile.write(body)
