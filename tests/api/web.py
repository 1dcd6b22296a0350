"""A web server on loopback that photos are fetched from."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from api.service import MAX_PHOTO_BYTES
from web_replies import reply


class Web:
    """Its address; ``asked`` is set when the silent path is asked for."""

    def __init__(self, port: int) -> None:
        self.host = f"127.0.0.1:{port}"
        self.root = f"http://{self.host}"
        self.asked = threading.Event()
        self.over = threading.Event()


@contextmanager
def serving(photo: bytes) -> Iterator[Web]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            getattr(self, f"answer_{self.path.split('?')[0].strip('/')}")()

        def log_message(self, *_: object) -> None:
            pass

        def answer_photo(self) -> None:
            reply(self, 200, photo)

        def answer_page(self) -> None:
            reply(self, 200, b"<html><body>a page</body></html>")

        def answer_missing(self) -> None:
            reply(self, 404, photo)

        def answer_inward(self) -> None:
            reply(self, 302, b"", {"Location": "http://127.0.0.1:1/photo"})

        def answer_huge(self) -> None:
            reply(self, 200, photo + bytes(MAX_PHOTO_BYTES))

        def answer_endless(self) -> None:
            reply(self, 200, photo[:1000])
            while not site.over.wait(0.1):
                with suppress(OSError):
                    self.wfile.write(b"0")

        def answer_silent(self) -> None:
            site.asked.set()
            site.over.wait()

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        site = Web(server.server_port)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield site
        site.over.set()
        server.shutdown()
        thread.join()
