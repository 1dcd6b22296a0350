"""Addresses: what may be asked, and that bytes and seconds have an end. Servers are real."""

from __future__ import annotations

import dataclasses
import gzip
import ipaddress
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote, unquote

import pytest
from certificates import write_certificate
from web_replies import reply

from plant_classification.errors import PhotoError, SlowUrlError, UnreachableUrlError, UrlError
from plant_classification.fetching.photos import REFUSED, Reply, ask, fetch, is_public
from plant_classification.settings import Settings

BODY = bytes(range(256)) * 400


class Handler(BaseHTTPRequestHandler):
    """Answers by path; keeps the headers that it was asked with."""

    asked: ClassVar[list[dict[str, str]]]

    def do_GET(self) -> None:
        self.asked.append({key.lower(): value for key, value in self.headers.items()})
        kind, _, rest = self.path.lstrip("/").partition("/")
        getattr(self, f"answer_{kind}")(rest)

    def log_message(self, *_: object) -> None:
        pass

    def answer_photo(self, _: str) -> None:
        reply(self, 200, BODY, {"Content-Length": str(len(BODY)), "Set-Cookie": "a=b; Path=/"})

    def answer_stream(self, _: str) -> None:
        reply(self, 200, BODY)

    def answer_gzip(self, _: str) -> None:
        reply(self, 200, gzip.compress(BODY), {"Content-Encoding": "gzip"})

    def answer_bomb(self, _: str) -> None:
        reply(self, 200, gzip.compress(bytes(400_000_000), 1), {"Content-Encoding": "gzip"})

    def answer_declared(self, count: str) -> None:
        reply(self, 200, b"", {"Content-Length": count})

    def answer_status(self, status: str) -> None:
        reply(self, int(status), BODY)

    def answer_later(self, told: str) -> None:
        reply(self, 429, BODY, {"Retry-After": unquote(told)})

    def answer_to(self, target: str) -> None:
        reply(self, 302, b"", {"Location": target, "Set-Cookie": "a=b; Path=/"})

    def answer_raw_to(self, target: str) -> None:
        """Redirect in the very bytes that the path stands for."""
        reply(self, 302, b"", {"Location": unquote(target, "latin-1")})

    def answer_path(self, path: str) -> None:
        reply(self, 200, path.encode())

    def answer_redirect(self, status: str) -> None:
        reply(self, int(status), b"", {"Location": "/photo/"})

    def answer_hops(self, count: str) -> None:
        target = f"/hops/{int(count) - 1}" if count != "0" else "/photo/"
        reply(self, 302, b"", {"Location": target})

    def answer_endless(self, _: str) -> None:
        reply(self, 200, b"")
        with suppress(OSError):
            while True:
                self.wfile.write(bytes(65536))

    def answer_endless_redirect(self, _: str) -> None:
        reply(self, 302, b"", {"Location": "/photo/"})
        with suppress(OSError):
            while True:
                self.wfile.write(bytes(65536))


@contextmanager
def serving(context: ssl.SSLContext | None = None) -> Iterator[tuple[str, list[dict[str, str]]]]:
    class OwnHandler(Handler):
        asked: ClassVar[list[dict[str, str]]] = []

    with ThreadingHTTPServer(("127.0.0.1", 0), OwnHandler) as server:
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"127.0.0.1:{server.server_port}", OwnHandler.asked
        server.shutdown()
        thread.join()


@pytest.fixture
def server() -> Iterator[tuple[str, list[dict[str, str]]]]:
    with serving() as served:
        yield served


@pytest.fixture
def pair(server: tuple[str, list[dict[str, str]]]) -> str:
    """``host:port`` of a server on the loopback."""
    return server[0]


@pytest.fixture
def named(settings: Settings, pair: str) -> Settings:
    """Settings that allow this one server, and small limits."""
    return dataclasses.replace(
        settings, url_private_hosts=(pair,), max_photo_bytes=len(BODY), url_seconds=20
    )


@contextmanager
def raw_server(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that says what it likes, once its visitor has said something."""
    listening = socket.create_server(("127.0.0.1", 0))
    visitors: list[socket.socket] = []

    def accept() -> None:
        with suppress(OSError):
            while True:
                visitor, _ = listening.accept()
                visitors.append(visitor)
                threading.Thread(target=meet, args=(visitor,), daemon=True).start()

    def meet(visitor: socket.socket) -> None:
        with suppress(OSError), visitor:
            visitor.recv(65536)
            talk(visitor)

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"127.0.0.1:{listening.getsockname()[1]}"
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()


def test_an_address_is_fetched(pair: str, named: Settings) -> None:
    assert fetch(f"http://{pair}/photo/", named) == BODY
    assert fetch(f"http://{pair}/stream/", named) == BODY


def test_a_request_carries_nothing_of_its_sender(
    server: tuple[str, list[dict[str, str]]],
    named: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pair, asked = server
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    fetch(f"http://{pair}/to//photo/", named)
    assert len(asked) == 2
    for headers in asked:
        assert set(headers) <= {"host", "user-agent", "accept", "accept-encoding", "connection"}
        assert headers["accept-encoding"] == "identity"
        assert headers["host"] == pair


def test_proxies_of_the_environment_are_not_used(
    pair: str, named: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving() as (proxy, seen):
        for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(variable, f"http://{proxy}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        assert fetch(f"http://{pair}/photo/", named) == BODY
        assert seen == []


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1",
        "127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "169.254.169.254",  # noqa: S104
        "100.64.0.1", "100.100.100.200", "100.127.255.255", "192.0.0.192", "192.0.2.1",
        "198.18.0.1", "198.51.100.1", "203.0.113.1", "192.88.99.1", "224.0.0.1", "239.1.2.3",
        "240.0.0.1", "255.255.255.255", "168.63.129.16",
        "::", "::1", "::7f00:1", "::a00:1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::8.8.8.8",
        "64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1", "100::1", "2001::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:10::1", "2001:20::1", "2001:db8::1",
        "2002:7f00:1::", "2002:808:808::", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254",
        "fd12:3456::1", "fe80::1", "fe80::1%1", "fec0::1", "ff02::1", "4000::1",
    ],
)  # fmt: skip
def test_an_address_that_is_not_public_is_told(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00::1"]
)
def test_an_address_that_is_public_is_told(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1/a.jpg", "http://localhost/a.jpg", "https://localhost/a.jpg",
        "http://127.1/", "http://2130706433/", "http://0x7f000001/", "http://0177.0.0.1/",
        "http://0/", "http://0.0.0.0/", "http://[::1]/", "http://[::]/", "http://[::7f00:1]/",
        "http://[::ffff:127.0.0.1]/", "http://[64:ff9b::7f00:1]/", "http://[2002:7f00:1::]/",
        "http://[fd00:ec2::254]/latest/meta-data/", "http://169.254.169.254/latest/meta-data/",
        "http://10.1.2.3/", "http://192.168.1.1/", "http://100.64.1.1/", "http://224.0.0.1/",
        "http://LOCALHOST/", "http://127.0.0.1:443/",
    ],
)  # fmt: skip
def test_a_private_address_is_refused_in_the_same_words(address: str, settings: Settings) -> None:
    with pytest.raises(UrlError) as caught:
        fetch(address, settings)
    assert type(caught.value) is UrlError
    assert caught.value.message == REFUSED
    assert caught.value.status == 422


def test_an_open_port_is_refused_in_the_same_words_as_a_closed_one(
    pair: str, settings: Settings
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        closed = f"127.0.0.1:{other.getsockname()[1]}"
    for address in (pair, closed):
        with pytest.raises(UrlError) as caught:
            fetch(f"http://{address}/photo/", settings)
        assert caught.value.message == REFUSED


@pytest.mark.parametrize(
    "address",
    [
        "", "photo.jpg", "/etc/passwd", "file:///etc/passwd", "ftp://example.org/a.jpg",
        "gopher://example.org/", "data:,x", "http:", "http://", "http:///a.jpg", "http://:80/",
        "http://me:secret@example.org/a.jpg", "http://me@example.org/", "http://@example.org/",
        "http://example.org:8080/", "http://example.org:22/",
        "http://example.org:99999/", "http://example.org:x/", "http://[::1/", "http://*/",
        "http://example.org\\@127.0.0.1/", "http://127.0.0.1\\@example.org/", "http://a b/",
    ],
)  # fmt: skip
def test_an_address_that_must_not_be_asked_is_refused(address: str, settings: Settings) -> None:
    with pytest.raises(UrlError) as caught:
        fetch(address, settings)
    assert type(caught.value) is UrlError
    assert caught.value.message == REFUSED


def test_a_redirect_is_followed(pair: str, named: Settings) -> None:
    for status in (301, 302, 303, 307, 308):
        assert fetch(f"http://{pair}/redirect/{status}", named) == BODY
    assert fetch(f"http://{pair}/hops/2", named) == BODY


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_a_redirect_with_umlauts_as_they_are_is_followed(
    encoding: str, pair: str, named: Settings
) -> None:
    raw = quote("/path/Blüte.jpg", encoding=encoding)
    assert fetch(f"http://{pair}/raw_to/{raw}", named) == b"Bl%C3%BCte.jpg"


def test_too_many_redirects_are_a_502(pair: str, named: Settings) -> None:
    with pytest.raises(UnreachableUrlError, match="more than 3 times") as caught:
        fetch(f"http://{pair}/hops/3", named)
    assert caught.value.status == 502


@pytest.mark.parametrize(
    "target",
    ["file:///etc/passwd", "http://127.0.0.1/", "http://[::1]/", "//10.0.0.1/", "ftp://a/"],
)
def test_a_redirect_to_what_is_refused_is_refused(target: str, pair: str, named: Settings) -> None:
    with pytest.raises(UrlError) as caught:
        fetch(f"http://{pair}/to/{target}", named)
    assert caught.value.message == REFUSED


def test_a_redirect_to_another_private_port_is_not_asked(pair: str, named: Settings) -> None:
    with serving() as (other, asked):
        with pytest.raises(UrlError) as caught:
            fetch(f"http://{pair}/to/http://{other}/photo/", named)
        assert caught.value.message == REFUSED
        assert asked == []


def test_the_body_of_a_redirect_is_not_read(pair: str, named: Settings) -> None:
    assert fetch(f"http://{pair}/endless_redirect/", named) == BODY


def answers(
    monkeypatch: pytest.MonkeyPatch, *rounds: list[str], host: str = "rose.example"
) -> list[str]:
    """Let one name resolve to these addresses, round by round; returns what was asked."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def resolve(name: str, port: int, *rest: object, **options: object) -> object:
        if name != host:
            return real(name, port, *rest, **options)  # type: ignore[arg-type]
        asked.append(name)
        chosen = rounds[min(len(asked), len(rounds)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in chosen]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return asked


def test_each_answer_of_a_name_must_be_public(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    answers(monkeypatch, ["93.184.215.14", "127.0.0.1"])
    with pytest.raises(UrlError) as caught:
        fetch("http://rose.example/", settings)
    assert caught.value.message == REFUSED


@pytest.mark.parametrize("second", ["127.0.0.1", "168.63.129.16"])
def test_a_name_whose_second_answer_is_private_is_refused(
    second: str, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    asked = answers(monkeypatch, ["93.184.215.14"], [second])
    with pytest.raises(UrlError) as caught:
        fetch("http://rose.example/", settings)
    assert caught.value.message == REFUSED
    assert asked


def test_the_address_that_was_checked_is_connected_to(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    """What connects is given a number, and so has no name to resolve again."""
    asked = answers(monkeypatch, ["93.184.215.14"], ["93.184.215.14"], ["127.0.0.1"])
    connected: list[tuple[str, int]] = []

    def connect(self: socket.socket, address: tuple[str, int]) -> None:
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket.socket, "connect", connect)
    with pytest.raises(UnreachableUrlError):
        fetch("http://rose.example/", settings)
    assert connected == [("93.184.215.14", 80)]
    assert len(asked) == 2


def test_no_address_is_asked_where_the_settings_forbid_it(pair: str, named: Settings) -> None:
    with pytest.raises(UrlError) as caught:
        fetch(f"http://{pair}/photo/", dataclasses.replace(named, allow_urls=False))
    assert "not fetched by address here" in caught.value.message


def test_an_allow_list_of_hosts_holds_exact_names(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    asked = answers(monkeypatch, ["127.0.0.1"])
    listed = dataclasses.replace(settings, url_hosts=("Rose.example",))
    for host in ("example", "a.rose.example", "rose.example.org", "xrose.example"):
        with pytest.raises(UrlError) as caught:
            fetch(f"http://{host}/", listed)
        assert caught.value.message == REFUSED
    for host in ("127.0.0.1", "localhost"):
        private = dataclasses.replace(settings, url_hosts=(host,))
        with pytest.raises(UrlError) as caught:
            fetch(f"http://{host}/", private)
        assert caught.value.message == REFUSED
    assert asked == []
    with pytest.raises(UrlError):
        fetch("http://ROSE.example/", listed)
    assert asked


def test_a_named_private_host_is_allowed_on_its_port_alone(pair: str, named: Settings) -> None:
    port = int(pair.rpartition(":")[2])
    listed = dataclasses.replace(named, url_hosts=("example.org",))
    assert fetch(f"http://{pair}/photo/", listed) == BODY
    for address in (f"127.0.0.1:{port + 1}", "127.0.0.1", f"localhost:{port}", f"127.0.0.2:{port}"):
        with pytest.raises(UrlError) as caught:
            fetch(f"http://{address}/photo/", named)
        assert caught.value.message == REFUSED


@pytest.mark.parametrize("status", [204, 206, 304, 401, 404, 500])
def test_another_status_is_a_502_that_tells_it(status: int, pair: str, named: Settings) -> None:
    with pytest.raises(UnreachableUrlError, match=str(status)) as caught:
        fetch(f"http://{pair}/status/{status}?key=secret", named)
    assert caught.value.status == 502
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("9" * 400, None),
        ("Mon, 01 Jan 2001 00:00:00 GMT", 0),
        ("Mon, 01 Jan 2001 00:00:00 +99999999", None),
    ],
)
def test_how_long_a_server_asks_to_wait_is_told(
    told: str, seconds: float | None, pair: str, named: Settings
) -> None:
    assert ask(f"http://{pair}/later/{quote(told)}", named) == Reply(429, b"", seconds)


def test_a_server_may_name_the_time_to_come_again(pair: str, named: Settings) -> None:
    told = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=90))
    waits = ask(f"http://{pair}/later/{quote(told)}", named).wait_seconds
    assert waits is not None
    assert 60 < waits <= 90


def test_a_200_is_a_reply_with_content(pair: str, named: Settings) -> None:
    assert ask(f"http://{pair}/photo/", named) == Reply(200, BODY, None)


def test_what_does_not_answer_is_a_502(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        pair = f"127.0.0.1:{closed.getsockname()[1]}"
    named = dataclasses.replace(settings, url_private_hosts=(pair,))
    with pytest.raises(UnreachableUrlError, match="cannot be reached") as caught:
        fetch(f"http://{pair}/", named)
    assert caught.value.status == 502


def test_an_unknown_name_is_a_502(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    def resolve(*_: object, **__: object) -> object:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(UnreachableUrlError):
        fetch("http://rose.invalid/", settings)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"no http at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nplain",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\nContent-Length: 7\r\n\r\nplain",
        b"HTTP/1.1 302 Found\r\nLocation: http://[::1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 1000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX-A: " + b"b" * 100_000 + b"\r\n\r\n",
    ],
)
def test_a_broken_answer_is_a_502_or_refused(answer: bytes, settings: Settings) -> None:
    with raw_server(lambda visitor: visitor.sendall(answer)) as pair:
        named = dataclasses.replace(settings, url_private_hosts=(pair,))
        with pytest.raises(UrlError) as caught:
            fetch(f"http://{pair}/", named)
        assert type(caught.value) is UnreachableUrlError or caught.value.message == REFUSED


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for rose.example that vouches for itself; its key stands beside it."""
    path = tmp_path_factory.mktemp("tls") / "certificate"
    return write_certificate(path, "rose.example", "DNS:rose.example")


@contextmanager
def serving_tls(certificate: Path) -> Iterator[tuple[str, list[str | None]]]:
    """A TLS server, and the names that it was asked for (SNI)."""
    names: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key"))
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    with serving(context) as (pair, _):
        yield pair, names


def test_a_certificate_that_nobody_vouches_for_is_a_502(
    certificate: Path, settings: Settings
) -> None:
    with serving_tls(certificate) as (pair, _):
        named = dataclasses.replace(settings, url_private_hosts=(pair,))
        with pytest.raises(UnreachableUrlError):
            fetch(f"https://{pair}/photo/", named)


@pytest.mark.parametrize("host", ["rose.example", "tulip.example"])
def test_the_certificate_must_be_of_the_name_and_not_of_the_number(
    host: str, certificate: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    """The name's public address is connected to, which is the test's own server here."""
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(certificate))
    trusting = ssl.create_default_context(
        cafile=certificate
    )  # requests 2.32.3 keeps one of its own
    monkeypatch.setattr("requests.adapters._preloaded_ssl_context", trusting, raising=False)
    answers(monkeypatch, ["93.184.215.14"], host=host)
    connect = socket.socket.connect
    with serving_tls(certificate) as (pair, names):
        port = int(pair.rpartition(":")[2])

        def connect_here(self: socket.socket, address: tuple[str, int]) -> None:
            assert address == ("93.184.215.14", 443)
            connect(self, ("127.0.0.1", port))

        monkeypatch.setattr(socket.socket, "connect", connect_here)
        if host == "rose.example":
            assert fetch(f"https://{host}/photo/", settings) == BODY
        else:
            with pytest.raises(UnreachableUrlError):
                fetch(f"https://{host}/photo/", settings)
        assert names == [host]


def test_too_many_bytes_are_a_422(pair: str, named: Settings) -> None:
    small = dataclasses.replace(named, max_photo_bytes=len(BODY) - 1)
    for kind in ("photo", "stream", "gzip", "endless"):
        with pytest.raises(PhotoError, match=f"{len(BODY) - 1:,} bytes") as caught:
            fetch(f"http://{pair}/{kind}/", small)
        assert type(caught.value) is PhotoError
        assert caught.value.status == 422


def test_a_declared_length_is_believed(pair: str, named: Settings) -> None:
    with pytest.raises(PhotoError):
        fetch(f"http://{pair}/declared/99999999999", named)


def test_what_is_compressed_unasked_is_read(pair: str, named: Settings) -> None:
    assert fetch(f"http://{pair}/gzip/", named) == BODY


def test_a_gzip_bomb_takes_no_memory(pair: str) -> None:
    """In a process of its own: 400 MB are sent in 2 MB, a tenth of them is too much already."""
    program = (
        "import pathlib, sys\n"
        "from plant_classification import errors, fetching, settings\n"
        "def peak():\n"
        "    status = pathlib.Path('/proc/self/status').read_text()\n"
        "    return int(status.split('VmHWM:')[1].split()[0]) * 1024\n"
        "pair = sys.argv[1]\n"
        "chosen = settings.load_settings(url_private_hosts=[pair], max_photo_bytes=1_000_000)\n"
        "fetching.fetch(f'http://{pair}/photo/', chosen)\n"
        "before = peak()\n"
        "try:\n"
        "    fetching.fetch(f'http://{pair}/bomb/', chosen)\n"
        "except errors.PhotoError:\n"
        "    print(peak() - before)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, pair], capture_output=True, text=True, check=True
    )
    assert int(ended.stdout) < 40_000_000


def drip(visitor: socket.socket, before: bytes, drop: bytes) -> None:
    visitor.sendall(before)
    while True:
        visitor.sendall(drop)
        time.sleep(0.05)


HEAD = b"HTTP/1.1 200 OK\r\n"
SLOW_ANSWERS = {
    "silence": (b"", b""),
    "dripping status": (b"HTTP/1.1 ", b"0"),
    "dripping header": (HEAD + b"X-A: ", b"x"),
    "dripping headers": (HEAD, b"X-A: b\r\n"),
    "endless continuation": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "dripping body": (HEAD + b"Content-Length: 50000\r\n\r\n", b"x"),
    "dripping body of no length": (HEAD + b"\r\n", b"x"),
    "dripping chunks": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    "dripping redirect": (b"HTTP/1.1 302 Found\r\n", b"X-A: b\r\n"),
}


@pytest.mark.parametrize("what", SLOW_ANSWERS)
def test_a_slow_answer_is_a_504_and_leaves_no_thread(what: str, settings: Settings) -> None:
    before, drop = SLOW_ANSWERS[what]
    hung_up = threading.Event()

    def talk(visitor: socket.socket) -> None:
        try:
            drip(visitor, before, drop) if drop else visitor.recv(1)
        finally:
            hung_up.set()

    with raw_server(talk) as pair:
        quick = dataclasses.replace(settings, url_private_hosts=(pair,), url_seconds=0.3)
        with pytest.raises(SlowUrlError, match=r"within 0\.3 seconds") as caught:
            fetch(f"http://{pair}/?key=secret", quick)
        assert caught.value.status == 504
        assert "secret" not in caught.value.message
        assert hung_up.wait(20)
        for thread in threading.enumerate():
            if thread.name == "fetch":
                thread.join(20)
                assert not thread.is_alive()


def test_a_slow_handshake_is_a_504(settings: Settings) -> None:
    with raw_server(lambda visitor: drip(visitor, b"\x16\x03\x03\x40\x00\x02", b"\0")) as pair:
        quick = dataclasses.replace(settings, url_private_hosts=(pair,), url_seconds=0.3)
        with pytest.raises(SlowUrlError):
            fetch(f"https://{pair}/", quick)


def test_slow_redirects_share_one_deadline(settings: Settings) -> None:
    def talk(visitor: socket.socket) -> None:
        time.sleep(0.2)
        visitor.sendall(b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n")

    with raw_server(talk) as pair:
        quick = dataclasses.replace(
            settings, url_private_hosts=(pair,), url_seconds=0.5, url_redirects=1000
        )
        with pytest.raises(SlowUrlError):
            fetch(f"http://{pair}/", quick)


def test_a_slow_resolution_is_a_504(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    released = threading.Event()

    def resolve(*_: object, **__: object) -> object:
        released.wait()
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(SlowUrlError):
        fetch("http://rose.example/", dataclasses.replace(settings, url_seconds=0.2))
    released.set()


def test_many_fetches_leave_no_open_socket(pair: str, named: Settings) -> None:
    def sockets() -> int:
        return sum(path.is_socket() for path in Path("/proc/self/fd").iterdir())

    fetch(f"http://{pair}/photo/", named)
    before = sockets()
    for _ in range(20):
        fetch(f"http://{pair}/photo/", named)
        with pytest.raises(UnreachableUrlError):
            fetch(f"http://{pair}/status/404", named)
    assert sockets() <= before + 2
