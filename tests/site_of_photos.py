"""A real server of photos, which does what a test tells it, path by path."""

from __future__ import annotations

import collections
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Act = Callable[["Visit"], None]


class PhotoSite:
    """What the server does, and what it was asked.

    Attributes:
        pair: ``host:port``.
        photos: The content of each path.
        acts: What to do with the next requests for a path; when they are used up, the photo comes.
        asked: The path of each request, in order.
        times: When each came (``time.monotonic``).
        most_at_once: Requests that were answered at the same time.
        over: Set at the end, for whoever waits.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.pair = f"127.0.0.1:{port}"
        self.photos: dict[str, bytes] = {}
        self.acts: dict[str, list[Act]] = collections.defaultdict(list)
        self.asked: list[str] = []
        self.times: list[float] = []
        self.agents: set[str | None] = set()
        self.at_once = 0
        self.most_at_once = 0
        self.counting = threading.Lock()
        self.over = threading.Event()

    def address(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"


class Visit(BaseHTTPRequestHandler):
    """One request."""

    site: PhotoSite

    def do_GET(self) -> None:
        site = self.site
        with site.counting:
            site.asked.append(self.path)
            site.times.append(time.monotonic())
            site.agents.add(self.headers.get("User-Agent"))
            site.at_once += 1
            site.most_at_once = max(site.most_at_once, site.at_once)
            act = site.acts[self.path].pop(0) if site.acts[self.path] else give
        try:
            with suppress(OSError):  # the visitor hung up
                act(self)
        finally:
            with site.counting:
                site.at_once -= 1

    def log_message(self, *_: object) -> None:
        pass

    def answer(self, status: int, content: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def give(visit: Visit) -> None:
    visit.answer(200, visit.site.photos[visit.path])


def give_late(visit: Visit) -> None:
    """Long enough for other requests to come in between."""
    time.sleep(0.2)
    give(visit)


def say(status: int, content: bytes = b"", **headers: str) -> Act:
    return lambda visit: visit.answer(status, content, **headers)


def say_nothing(visit: Visit) -> None:
    visit.site.over.wait()


@contextmanager
def serving() -> Iterator[PhotoSite]:
    class OwnVisit(Visit):
        pass

    with ThreadingHTTPServer(("127.0.0.1", 0), OwnVisit) as server:
        OwnVisit.site = PhotoSite(server.server_port)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield OwnVisit.site
        OwnVisit.site.over.set()
        server.shutdown()
        thread.join()
