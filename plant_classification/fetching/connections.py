"""How a request is made: its headers, its address in words, and its sockets, which can be cut."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import threading
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

REDIRECTS = {301, 302, 303, 307, 308}
HEADERS = {"User-Agent": "plant-classification", "Accept": "*/*", "Accept-Encoding": "identity"}


def shown(address: str) -> str:
    """The address without what may be secret: its query, its fragment and its password."""
    try:
        urlsplit(address).port  # noqa: B018 - where this fails, what is a password is not known
        is_plain = address.isprintable()
    except ValueError:
        is_plain = False
    if not is_plain:
        return "This address"
    bare = re.split(r"[?#]", address, maxsplit=1)[0]
    return re.sub(r"^([^/]*//)[^/]*@", r"\1", bare)


def redirect_of(response: requests.Response) -> str | None:
    """Where an answer redirects to, in its own words; None where it does not.

    HTTP has headers read as Latin-1, but servers write addresses in UTF-8.
    """
    text = response.headers.get("location")
    if text is None or response.status_code not in REDIRECTS:
        return None
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return text


class Lifeline:
    """The sockets of one fetch: cut from outside when time is up, closed at its end.

    A thread that reads from a socket that is cut comes to its end at once.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._is_cut = False

    def hold(self, connected: socket.socket) -> None:
        """Take a socket that has been connected."""
        with self._lock:
            self._sockets.append(connected)
        if self._is_cut:
            self.cut()

    def cut(self) -> None:
        """End every read, now and later."""
        with self._lock:
            self._is_cut = True
            for connected in self._sockets:
                with contextlib.suppress(OSError):  # closed already
                    socket.socket.shutdown(connected, socket.SHUT_RDWR)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        with self._lock:
            for connected in self._sockets:
                if connected.fileno() >= 0:
                    os.close(connected.detach())


class HeldAdapter(HTTPAdapter):
    """Hands each socket to the lifeline once it is connected."""

    def __init__(self, lifeline: Lifeline, **options: Any) -> None:
        self._lifeline = lifeline
        super().__init__(**options)

    def get_connection_with_tls_context(  # noqa: D102
        self, *arguments: Any, **options: Any
    ) -> Any:
        pool: Any = super().get_connection_with_tls_context(*arguments, **options)
        lifeline = self._lifeline

        class Held(pool.ConnectionCls):  # type: ignore[misc]
            def connect(self) -> None:
                super().connect()
                lifeline.hold(self.sock)

        pool.ConnectionCls = Held
        return pool
