"""A web server on loopback that photos are fetched from."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from api.service import MAX_PHOTO_BYTES


class Web:
    """Its address; ``asked`` is set when the silent path is asked for."""

    def __init__(self, port: int) -> None:
        self.host = f"127.0.0.1:{port}"
        self.root = f"http://{self.host}"
        self.asked = threading.Event()
        self.over = threading.Event()


@contextmanager
def serving(photo: bytes) -> Iterator[Web]:  # noqa: C901 - one method for each path
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            getattr(self, f"answer_{self.path.split('?')[0].strip('/')}")()

        def log_message(self, *_: object) -> None:
            pass

        def answer_photo(self) -> None:
            self.answer(200, photo)

        def answer_page(self) -> None:
            self.answer(200, b"<html><body>a page</body></html>")

        def answer_missing(self) -> None:
            self.answer(404, photo)

        def answer_inward(self) -> None:
            self.answer(302, b"", {"Location": "http://127.0.0.1:1/photo"})

        def answer_huge(self) -> None:
            self.answer(200, photo + bytes(MAX_PHOTO_BYTES))

        def answer_endless(self) -> None:
            self.answer(200, photo[:1000])
            while not site.over.wait(0.1):
                with suppress(OSError):
                    self.wfile.write(b"0")

        def answer_silent(self) -> None:
            site.asked.set()
            site.over.wait()

        def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for key, value in (headers or {}).items():
                self.send_header(key, value)
            self.end_headers()
            with suppress(OSError):
                self.wfile.write(body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        site = Web(server.server_port)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield site
        site.over.set()
        server.shutdown()
        thread.join()
