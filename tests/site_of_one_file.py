"""A real server of one file, which does what a test tells it, request by request."""

from __future__ import annotations

import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Act = Callable[["Visit"], None]


class Site:
    """What the server has, and what it was asked.

    Attributes:
        pair: ``host:port``.
        content: The file.
        validators: Headers that name its version.
        acts: What to do with the next requests; when they are used up, ``serve`` follows.
        asked: The headers of each request, with lower-case names.
        paths: The path of each request.
    """

    def __init__(self, pair: str, content: bytes) -> None:
        self.pair = pair
        self.content = content
        self.validators = {"ETag": '"first"'}
        self.acts: list[Act] = []
        self.asked: list[dict[str, str]] = []
        self.paths: list[str] = []

    @property
    def address(self) -> str:
        return f"http://{self.pair}/plants.tar.xz"

    @property
    def ranges(self) -> list[str | None]:
        """The range of each request."""
        return [headers.get("range") for headers in self.asked]


class Visit(BaseHTTPRequestHandler):
    """One request."""

    site: Site

    def do_GET(self) -> None:
        self.site.asked.append({key.lower(): value for key, value in self.headers.items()})
        self.site.paths.append(self.path)
        act = self.site.acts.pop(0) if self.site.acts else serve
        with suppress(OSError):  # the visitor hung up
            act(self)

    def log_message(self, *_: object) -> None:
        pass

    def head(self, status: int, **headers: object) -> None:
        """Send the head; ``_`` in a name stands for ``-``."""
        self.send_response(status)
        for name, value in headers.items():
            if value is not None:
                self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def start(self) -> int:
        """Send the head of an honest answer; returns where its body begins."""
        site = self.site
        told = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(told.group(1)) if told else 0
        size = len(site.content)
        if self.headers.get("If-Range") not in site.validators.values() or not start:
            self.head(200, Content_Length=size, **site.validators)
            return 0
        if start >= size:
            self.head(416, Content_Range=f"bytes */{size}")
            return size
        whole = f"bytes {start}-{size - 1}/{size}"
        self.head(206, Content_Length=size - start, Content_Range=whole, **site.validators)
        return start

    def reset(self) -> None:
        """Hang up without a farewell."""
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


def serve(visit: Visit) -> None:
    visit.wfile.write(visit.site.content[visit.start() :])


def serve_without_ranges(visit: Visit) -> None:
    visit.head(200, Content_Length=len(visit.site.content))
    visit.wfile.write(visit.site.content)


def break_off(count: int) -> Act:
    """Give so many bytes of what is asked for."""

    def act(visit: Visit) -> None:
        start = visit.start()
        visit.wfile.write(visit.site.content[start : start + count])

    return act


def break_off_without_ranges(count: int, **headers: object) -> Act:
    def act(visit: Visit) -> None:
        visit.head(200, Content_Length=len(visit.site.content), **headers)
        visit.wfile.write(visit.site.content[:count])

    return act


def answer(status: int, body: bytes = b"", **headers: object) -> Act:
    def act(visit: Visit) -> None:
        visit.head(status, **headers)
        visit.wfile.write(body)

    return act


def answer_endlessly(status: int, **headers: object) -> Act:
    def act(visit: Visit) -> None:
        visit.head(status, **headers)
        while True:
            visit.wfile.write(bytes(1 << 16))

    return act


@contextmanager
def serving(content: bytes, context: ssl.SSLContext | None = None) -> Iterator[Site]:
    class OwnVisit(Visit):
        pass

    with ThreadingHTTPServer(("127.0.0.1", 0), OwnVisit) as server:
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        OwnVisit.site = Site(f"127.0.0.1:{server.server_port}", content)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield OwnVisit.site
        server.shutdown()
        thread.join()
