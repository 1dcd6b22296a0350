"""Downloads: what breaks off goes on, and what is there is whole and right. Servers are real."""

from __future__ import annotations

import base64
import dataclasses
import fcntl
import gzip
import hashlib
import random
import select
import signal
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from certificates import write_certificate
from processes import wait_until
from site_of_one_file import (
    Act,
    Site,
    Visit,
    answer,
    answer_endlessly,
    break_off,
    break_off_without_ranges,
    serve,
    serve_without_ranges,
    serving,
)

from plant_classification.errors import ArgumentError, DownloadError
from plant_classification.fetching.downloads import Patience, download

CONTENT = random.Random(8).randbytes(300_000)
OTHER = random.Random(9).randbytes(300_000)
DIGEST = hashlib.sha256(CONTENT).hexdigest()
OTHER_DIGEST = hashlib.sha256(OTHER).hexdigest()
PATIENCE = Patience(silence_seconds=20, pauses=(0, 0, 0), least_bytes=1000)
IMPATIENCE = Patience(silence_seconds=0.3, pauses=(0, 0), least_bytes=10_000)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The servers of the tests are asked themselves, wherever the tests run."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def site() -> Iterator[Site]:
    with serving(CONTENT) as served:
        yield served


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "archives" / "plants.tar.xz"


def get(site: Site, target: Path, sha256: str | None = DIGEST, **options: Any) -> str:
    chosen: dict[str, Any] = {"most_bytes": 1_000_000, "patience": PATIENCE} | options
    return download(site.address, target, sha256=sha256, **chosen)


def partial(target: Path) -> Path:
    return target.with_name(target.name + ".partial")


def is_clean(target: Path) -> bool:
    """Whether nothing is left beside the target."""
    return set(target.parent.iterdir()) <= {target}


# The whole file


def test_a_file_arrives_with_its_checksum(site: Site, target: Path) -> None:
    target.parent.mkdir()
    target.write_bytes(b"an older one")
    assert get(site, target) == DIGEST
    assert target.read_bytes() == CONTENT
    assert is_clean(target)
    assert site.ranges == [None]


def test_progress_is_told_up_to_the_last_byte(site: Site, target: Path) -> None:
    told: list[tuple[int, int | None]] = []
    site.acts = [break_off(200_000)]
    get(site, target, progress=lambda have, total: told.append((have, total)))
    assert told[0] == (0, len(CONTENT))
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert told == sorted(told)


def test_an_empty_file_is_a_file(site: Site, target: Path) -> None:
    site.content = b""
    digest = hashlib.sha256(b"").hexdigest()
    assert get(site, target, digest) == digest
    assert target.read_bytes() == b""
    assert is_clean(target)


@pytest.mark.parametrize("end", [b"0\r\n\r\n", b""])
def test_chunks_are_put_together_and_their_end_is_seen(
    end: bytes, site: Site, target: Path
) -> None:
    def act(visit: Visit) -> None:
        visit.protocol_version = "HTTP/1.1"
        visit.head(200, Transfer_Encoding="chunked", Connection="close", ETag='"first"')
        visit.close_connection = True
        visit.wfile.write(b"30d40\r\n" + CONTENT[:200_000] + b"\r\n")
        if end:
            visit.wfile.write(b"186a0\r\n" + CONTENT[200_000:] + b"\r\n" + end)

    site.acts = [act]
    assert get(site, target) == DIGEST
    assert site.ranges == [None] if end else [None, "bytes=200000-"]


def test_what_the_server_compressed_stays_as_it_came(site: Site, target: Path) -> None:
    packed = gzip.compress(CONTENT)
    site.acts = [answer(200, packed, Content_Encoding="gzip", Content_Length=len(packed))]
    assert get(site, target, hashlib.sha256(packed).hexdigest())
    assert target.read_bytes() == packed
    assert site.asked[0]["accept-encoding"] == "identity"


# Going on


def test_what_breaks_off_goes_on_at_the_byte_reached(site: Site, target: Path) -> None:
    site.acts = [break_off(100_000), break_off(50_001)]
    assert get(site, target) == DIGEST
    assert target.read_bytes() == CONTENT
    assert site.ranges == [None, "bytes=100000-", "bytes=150001-"]
    assert [headers.get("if-range") for headers in site.asked] == [None, '"first"', '"first"']


def test_a_reset_connection_goes_on(site: Site, target: Path) -> None:
    def act(visit: Visit) -> None:
        visit.wfile.write(CONTENT[visit.start() :][:1000])
        wait_until(partial(target).read_bytes, "the first bytes")
        visit.reset()

    site.acts = [act]
    assert get(site, target) == DIGEST
    assert site.ranges == [None, "bytes=1000-"]


def test_tries_that_bring_something_may_be_many(site: Site, target: Path) -> None:
    site.acts = [break_off(PATIENCE.least_bytes)] * 50
    assert get(site, target) == DIGEST
    assert len(site.asked) == 51


def test_tries_that_bring_almost_nothing_end(site: Site, target: Path) -> None:
    site.acts = [break_off(10)] * 50
    with pytest.raises(DownloadError, match="broke off, after 4 tries without progress"):
        get(site, target)
    assert len(site.asked) == 4


def test_a_later_call_goes_on(site: Site, target: Path) -> None:
    site.acts = [break_off(100_000)] + [answer(503)] * 4
    with pytest.raises(DownloadError) as caught:
        get(site, target)
    kept = partial(target)
    assert caught.value.message == (
        f"{site.address} answers with the status 503 (Service Unavailable), after 4 tries without "
        f"progress. 100,000 bytes are kept in {kept}; the same command goes on from there."
    )
    assert kept.read_bytes() == CONTENT[:100_000]
    assert not target.exists()
    told: list[int] = []
    assert get(site, target, progress=lambda have, _: told.append(have)) == DIGEST
    assert told[0] == 100_000
    assert site.ranges[-1] == "bytes=100000-"
    assert is_clean(target)


def test_a_last_modified_date_serves_where_the_etag_is_weak(site: Site, target: Path) -> None:
    date = "Tue, 11 Mar 2025 10:00:00 GMT"
    site.validators = {"ETag": 'W/"first"', "Last-Modified": date}
    site.acts = [break_off(100_000)]
    assert get(site, target) == DIGEST
    assert site.asked[1]["if-range"] == date
    assert site.ranges[1] == "bytes=100000-"


def test_without_a_version_it_begins_anew(site: Site, target: Path) -> None:
    site.validators = {}
    site.acts = [break_off(100_000)]
    assert get(site, target) == DIGEST
    assert site.ranges == [None, None]


def test_nothing_is_kept_that_is_of_no_use(site: Site, target: Path) -> None:
    site.validators = {}
    site.acts = [break_off(100_000)] * 10
    with pytest.raises(DownloadError, match="Nothing is kept"):
        get(site, target)
    assert is_clean(target)
    assert len(site.asked) < 6


def test_a_server_without_ranges_begins_anew(site: Site, target: Path) -> None:
    site.acts = [break_off_without_ranges(100_000, ETag='"first"'), serve_without_ranges]
    assert get(site, target) == DIGEST
    assert site.ranges == [None, "bytes=100000-"]


def test_a_server_without_ranges_that_breaks_off_ends(site: Site, target: Path) -> None:
    site.acts = [break_off_without_ranges(100_000, ETag='"first"')] * 20
    with pytest.raises(DownloadError, match="broke off"):
        get(site, target)
    assert len(site.asked) < 7


def other_206(visit: Visit) -> None:
    """Go on with another file, whatever If-Range says."""
    visit.head(
        206, ETag='"second"', Content_Range="bytes 100000-299999/300000", Content_Length=200_000
    )
    visit.wfile.write(OTHER[100_000:])


@pytest.mark.parametrize("act", [serve, other_206])
def test_a_file_that_changed_is_fetched_anew(act: Act, site: Site, target: Path) -> None:
    def change(visit: Visit) -> None:
        site.content, site.validators = OTHER, {"ETag": '"second"'}
        act(visit)

    site.acts = [break_off(100_000), change]
    assert get(site, target, OTHER_DIGEST) == OTHER_DIGEST
    assert target.read_bytes() == OTHER


@pytest.mark.parametrize(
    "told",
    [
        "bytes 0-299999/300000",
        "bytes 100001-299999/300000",
        "bytes 100000-299999/300001",
        "bytes 100000-300000/300000",
        "bytes 100000-99999/300000",
        "bytes 100000-299999/*",
        "bytes */300000",
        "bytes=100000-299999/300000",
        "items 100000-299999/300000",
        "",
        None,
    ],
)
def test_a_range_that_does_not_fit_begins_anew(told: str | None, site: Site, target: Path) -> None:
    wrong = answer(206, CONTENT[100_000:], Content_Range=told, ETag='"first"')
    site.acts = [break_off(100_000), wrong]
    assert get(site, target) == DIGEST
    assert site.ranges == [None, "bytes=100000-", None]


def test_a_part_of_the_range_is_taken_and_the_rest_asked_for(site: Site, target: Path) -> None:
    part = answer(
        206, CONTENT[100_000:150_000], Content_Range="bytes 100000-149999/300000", ETag='"first"'
    )
    site.acts = [break_off(100_000), part]
    assert get(site, target) == DIGEST
    assert site.ranges == [None, "bytes=100000-", "bytes=150000-"]


def test_more_than_the_range_begins_anew(site: Site, target: Path) -> None:
    more = answer(
        206, CONTENT[100_000:] + b"more", Content_Range="bytes 100000-299999/300000", ETag='"first"'
    )
    site.acts = [break_off(100_000), more]
    assert get(site, target) == DIGEST


def test_a_range_that_nobody_asked_for_is_not_taken(site: Site, target: Path) -> None:
    site.acts = [answer(206, CONTENT, Content_Range="bytes 0-299999/300000")]
    assert get(site, target) == DIGEST
    assert site.ranges == [None, None]


def test_more_than_the_file_has_begins_anew(site: Site, target: Path) -> None:
    site.acts = [break_off(100_000)] + [answer(503)] * 4
    with pytest.raises(DownloadError):
        get(site, target)
    with partial(target).open("ab") as file:
        file.write(bytes(300_000))
    assert get(site, target) == DIGEST
    assert site.ranges[-2:] == ["bytes=400000-", None]


def test_what_was_interrupted_after_the_last_byte_is_not_asked_for(
    site: Site, target: Path
) -> None:
    site.acts = [break_off(299_999)] + [answer(503)] * 4
    with pytest.raises(DownloadError):
        get(site, target)
    with partial(target).open("ab") as file:
        file.write(CONTENT[-1:])
    before = len(site.asked)
    assert get(site, target) == DIGEST
    assert len(site.asked) == before


def test_what_is_there_already_is_held_to_the_limit_too(site: Site, target: Path) -> None:
    site.acts = [break_off(299_999)] + [answer(503)] * 4
    with pytest.raises(DownloadError):
        get(site, target)
    with partial(target).open("ab") as file:
        file.write(CONTENT[-1:])
    with pytest.raises(DownloadError, match="more than the 299,999 bytes"):
        get(site, target, most_bytes=299_999)
    assert is_clean(target)


@pytest.mark.parametrize("words", ["", "{", "[]", "{}", '{"address": 1}', "[" * 9000, "null"])
def test_what_is_kept_of_an_unknown_file_is_dropped(words: str, site: Site, target: Path) -> None:
    target.parent.mkdir()
    partial(target).write_bytes(OTHER[:1000])
    partial(target).with_name(partial(target).name + ".json").write_text(words)
    assert get(site, target) == DIGEST
    assert site.ranges == [None]


def test_what_is_kept_of_another_address_is_dropped(site: Site, target: Path) -> None:
    with serving(OTHER) as other:
        other.acts = [break_off(100_000)] + [answer(503)] * 4
        with pytest.raises(DownloadError):
            get(other, target, OTHER_DIGEST)
    assert partial(target).stat().st_size == 100_000
    assert get(site, target) == DIGEST
    assert site.ranges == [None]


# Statuses


@pytest.mark.parametrize("status", [204, 304, 400, 401, 403, 404, 410])
def test_a_status_that_will_not_change_is_told_at_once(
    status: int, site: Site, target: Path
) -> None:
    site.acts = [answer(status)]
    with pytest.raises(DownloadError, match=f"the status {status} \\([A-Z]"):
        get(site, target)
    assert len(site.asked) == 1
    assert is_clean(target)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_status_that_may_pass_is_tried_again(status: int, site: Site, target: Path) -> None:
    site.acts = [answer(status), answer(status)]
    assert get(site, target) == DIGEST


def test_a_status_in_between_keeps_what_came(site: Site, target: Path) -> None:
    site.acts = [break_off(100_000), answer(404)]
    with pytest.raises(DownloadError, match="404"):
        get(site, target)
    assert partial(target).stat().st_size == 100_000


# Limits and checksums


@pytest.mark.parametrize("sha256", [DIGEST.upper(), DIGEST])
def test_the_checksum_may_be_in_capitals(sha256: str, site: Site, target: Path) -> None:
    assert get(site, target, sha256) == DIGEST


def test_a_wrong_checksum_names_both_and_leaves_nothing(site: Site, target: Path) -> None:
    with pytest.raises(DownloadError) as caught:
        get(site, target, OTHER_DIGEST)
    assert DIGEST in caught.value.message
    assert OTHER_DIGEST in caught.value.message
    assert is_clean(target)
    assert not target.exists()


@pytest.mark.parametrize("sha256", ["", "abc", DIGEST[:-1], DIGEST + "0", "g" * 64, f"{DIGEST}\n"])
def test_what_is_no_checksum_is_refused(sha256: str, site: Site, target: Path) -> None:
    with pytest.raises(ArgumentError, match="64 hexadecimal digits") as caught:
        get(site, target, sha256)
    assert caught.value.field == "sha256"
    assert site.asked == []


@pytest.mark.parametrize(
    "act",
    [
        serve,
        serve_without_ranges,
        answer(200, CONTENT),
        answer(200, b"", Content_Length=300_000),
        answer(200, b"", Content_Length=10**17),
        answer_endlessly(200),
    ],
)
def test_more_bytes_than_allowed_are_refused(act: Act, site: Site, target: Path) -> None:
    site.acts = [act]
    with pytest.raises(DownloadError, match="more than the 299,999 bytes"):
        get(site, target, most_bytes=299_999)
    assert is_clean(target)
    assert len(site.asked) == 1


def test_as_many_bytes_as_allowed_are_taken(site: Site, target: Path) -> None:
    assert get(site, target, most_bytes=300_000) == DIGEST


@pytest.mark.parametrize("told", [500_000, 10**15])
def test_a_length_that_is_never_reached_ends(told: int, site: Site, target: Path) -> None:
    site.acts = [answer(200, CONTENT, Content_Length=told, ETag='"first"')] * 10
    with pytest.raises(DownloadError, match="broke off"):
        get(site, target, most_bytes=10**16)


def test_a_length_that_is_too_short_is_a_wrong_checksum(site: Site, target: Path) -> None:
    site.acts = [answer(200, CONTENT, Content_Length=1000)]
    with pytest.raises(DownloadError, match="SHA-256"):
        get(site, target)


@pytest.mark.parametrize("told", ["-5", "many", "1" * 5000, "²", ""])
def test_a_length_that_is_none_is_not_believed(told: str, site: Site, target: Path) -> None:
    site.acts = [answer(200, CONTENT, Content_Length=told)]
    assert get(site, target) == DIGEST


@pytest.mark.parametrize(
    "words",
    [
        b"",
        b"no http at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3000",
        b"HTTP/1.1 2x0 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\nplain",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 1000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX-A: " + b"b" * 100_000 + b"\r\n\r\n",
    ],
)
def test_a_broken_answer_is_tried_again(words: bytes, site: Site, target: Path) -> None:
    site.acts = [lambda visit: visit.connection.sendall(words)]
    assert get(site, target) == DIGEST


def test_what_does_not_answer_is_told(target: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        site = Site(f"127.0.0.1:{closed.getsockname()[1]}", CONTENT)
    with pytest.raises(
        DownloadError, match=r"cannot be reached \(it refuses connections\), after 4 tries"
    ):
        get(site, target)
    assert is_clean(target)


# Addresses


def test_http_is_asked_only_for_what_is_checked(site: Site, target: Path) -> None:
    with pytest.raises(DownloadError, match="by http anybody on the way can change what comes"):
        get(site, target, None)
    assert site.asked == []
    assert not target.parent.exists()


@pytest.mark.parametrize(
    "address",
    [
        "",
        "plants.tar.xz",
        "/plants.tar.xz",
        "file:///etc/passwd",
        "ftp://127.0.0.1/plants.tar.xz",
        "https://",
        "https:///plants.tar.xz",
        "https://[::1/",
        "https://host:port/",
        "https://host:0/",
        "https://host/\x1b[2J",
        "https://host/\ud800",
        "https://user:sec/ret@host/",
        "https://user:sec?ret@host/",
    ],
)
def test_what_is_no_address_is_refused_without_its_password(address: str, target: Path) -> None:
    with pytest.raises(DownloadError, match="is not asked: it must") as caught:
        download(address, target, sha256=DIGEST, most_bytes=1000, patience=PATIENCE)
    assert "sec" not in caught.value.message
    assert caught.value.message.isprintable()


@pytest.mark.parametrize("host", ["*.a b", "a" * 70, "€:€@127.0.0.1"])
def test_a_host_that_cannot_be_is_refused(host: str, target: Path) -> None:
    with pytest.raises(DownloadError, match="cannot be asked"):
        download(f"https://{host}/", target, most_bytes=1000, patience=PATIENCE)


def test_redirects_are_followed(site: Site, target: Path) -> None:
    absolute = answer(301, Location=f"http://{site.pair}/second")
    site.acts = [absolute, answer(302, Location="/third?key=1"), answer(307, Location="fourth")]
    assert get(site, target) == DIGEST
    assert site.paths == ["/plants.tar.xz", "/second", "/third?key=1", "/fourth"]


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_a_redirect_with_umlauts_as_they_are_is_followed(
    encoding: str, site: Site, target: Path
) -> None:
    raw = "/Blüte".encode(encoding).decode("latin-1")  # as http.server writes headers
    site.acts = [answer(302, Location=raw)]
    assert get(site, target) == DIGEST
    assert site.paths[-1] == "/Bl%C3%BCte"


def test_a_redirected_file_goes_on(site: Site, target: Path) -> None:
    to_file = answer(302, Location="/file")
    site.acts = [to_file, break_off(100_000), to_file]
    assert get(site, target) == DIGEST
    assert site.ranges[-1] == "bytes=100000-"


def test_redirects_have_an_end(site: Site, target: Path) -> None:
    site.acts = [answer(302, Location="/again")] * 100
    with pytest.raises(DownloadError, match="redirects more than 10 times"):
        get(site, target)
    assert len(site.asked) == 11


def test_the_body_of_a_redirect_is_not_read(site: Site, target: Path) -> None:
    site.acts = [answer_endlessly(302, Location="/file")]
    assert get(site, target) == DIGEST


@pytest.mark.parametrize("further", ["file:///etc/passwd", "ftp://a/", "http://[::1", "http://:80"])
def test_a_redirect_to_what_is_not_asked_is_refused(further: str, site: Site, target: Path) -> None:
    site.acts = [answer(302, Location=further)]
    with pytest.raises(DownloadError, match="redirects to an address that is not asked"):
        get(site, target)


def basic(words: str) -> str:
    return "Basic " + base64.b64encode(words.encode()).decode()


def test_a_password_is_given_to_its_host_alone_and_never_shown(site: Site, target: Path) -> None:
    with serving(CONTENT) as other:
        site.acts = [
            answer(302, Location=f"http://{site.pair}/here"),
            answer(302, Location=f"http://{other.pair}/there"),
        ]
        other.acts = [answer(404)]
        with pytest.raises(DownloadError) as caught:
            download(
                f"http://user:s%40cret@{site.pair}/plants?key=hidden#part",
                target, sha256=DIGEST, most_bytes=1_000_000, patience=PATIENCE,
            )  # fmt: skip
    assert [headers["authorization"] for headers in site.asked] == [basic("user:s@cret")] * 2
    assert "authorization" not in other.asked[0]
    assert caught.value.message.startswith(f"http://{site.pair}/plants answers with the status 404")


def test_what_is_kept_holds_no_password(site: Site, target: Path) -> None:
    site.acts = [break_off(100_000), answer(404)]
    with pytest.raises(DownloadError):
        download(
            f"http://user:secret@{site.pair}/plants?key=hidden",
            target, sha256=DIGEST, most_bytes=1_000_000, patience=PATIENCE,
        )  # fmt: skip
    words = b"".join(path.read_bytes() for path in target.parent.iterdir())
    assert b"first" in words
    assert b"secret" not in words
    assert b"hidden" not in words


def test_the_proxy_of_the_environment_is_asked(
    site: Site, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://{site.pair}")
    monkeypatch.setenv("no_proxy", "")
    download(
        "http://plants.invalid/a.tar", target, sha256=DIGEST, most_bytes=10**6, patience=PATIENCE
    )
    assert site.paths == ["http://plants.invalid/a.tar"]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that vouches for itself; its key stands beside it."""
    path = tmp_path_factory.mktemp("tls") / "certificate"
    return write_certificate(path, "127.0.0.1", "IP:127.0.0.1")


@pytest.fixture
def safe_site(certificate: Path) -> Iterator[Site]:
    """A site behind TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key"))
    with serving(CONTENT, context) as served:
        yield served


def get_safely(site: Site, target: Path, sha256: str | None = None) -> str:
    address = f"https://{site.pair}/plants.tar.xz"
    return download(address, target, sha256=sha256, most_bytes=10**6, patience=PATIENCE)


def test_https_needs_no_checksum_and_trusts_whom_the_environment_names(
    safe_site: Site, target: Path, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    safe_site.acts = [break_off(100_000)]
    assert get_safely(safe_site, target) == DIGEST
    assert safe_site.ranges == [None, "bytes=100000-"]


@contextmanager
def tunnel() -> Iterator[tuple[str, list[bytes]]]:
    """A proxy for https, and the lines that it was asked with."""
    lines: list[bytes] = []

    class Tunnel(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            lines.append(self.rfile.readline())
            while self.rfile.readline().strip():
                pass
            host, _, port = lines[-1].split()[1].decode().partition(":")
            with socket.create_connection((host, int(port))) as far:
                self.connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                self.pass_on(far)

        def pass_on(self, far: socket.socket) -> None:
            ways = {self.connection: far, far: self.connection}
            with suppress(OSError):
                while True:
                    for ready in select.select(list(ways), [], [])[0]:
                        block = ready.recv(1 << 16)
                        if not block:
                            return
                        ways[ready].sendall(block)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Tunnel) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}", lines
        server.shutdown()
        thread.join()


def test_https_goes_through_the_proxy_of_the_environment(
    safe_site: Site, target: Path, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    monkeypatch.setenv("no_proxy", "")
    safe_site.acts = [break_off(100_000)]
    with tunnel() as (pair, lines):
        monkeypatch.setenv("https_proxy", f"http://user:secret@{pair}")
        assert get_safely(safe_site, target) == DIGEST
    assert [line.split()[:2] for line in lines] == [[b"CONNECT", safe_site.pair.encode()]] * 2


def test_a_certificate_that_nobody_vouches_for_is_told_at_once(
    safe_site: Site, target: Path
) -> None:
    with pytest.raises(DownloadError, match=r"no valid certificate.*REQUESTS_CA_BUNDLE"):
        get_safely(safe_site, target)
    assert safe_site.asked == []


def test_certificates_that_are_not_there_are_named(
    safe_site: Site, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/certificates")
    with pytest.raises(DownloadError, match="/nowhere/certificates"):
        get_safely(safe_site, target)


@pytest.mark.parametrize("sha256", [None, DIGEST])
def test_https_may_lead_to_http_only_if_what_comes_is_checked(
    sha256: str | None, safe_site: Site, site: Site, target: Path,
    certificate: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    safe_site.acts = [answer(302, Location=site.address)]
    if sha256:
        assert get_safely(safe_site, target, sha256) == DIGEST
    else:
        with pytest.raises(DownloadError, match=r"redirects to .* by http anybody on the way"):
            get_safely(safe_site, target)
        assert site.asked == []


# Time


def drip(before: bytes, drop: bytes) -> Act:
    def act(visit: Visit) -> None:
        visit.connection.sendall(before)
        while True:
            visit.connection.sendall(drop)
            time.sleep(0.02)

    return act


def keep_silent(before: bytes) -> Act:
    def act(visit: Visit) -> None:
        visit.connection.sendall(before)
        visit.connection.recv(1)  # until the visitor hangs up

    return act


HEAD = b"HTTP/1.1 200 OK\r\n"
LONG = HEAD + b"Content-Length: 300000\r\n\r\n"


@pytest.mark.parametrize(
    "act",
    [
        keep_silent(b""),
        keep_silent(HEAD),
        keep_silent(LONG + b"some"),
        drip(HEAD, b"X-A: b\r\n"),
        drip(HEAD + b"X-A: ", b"x"),
        drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        drip(LONG, b"x"),
        drip(HEAD + b"\r\n", b"x"),
        drip(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    ],
)
def test_silence_and_dripping_end(act: Act, site: Site, target: Path) -> None:
    site.acts = [act] * 10
    with pytest.raises(DownloadError, match="after 3 tries without progress"):
        get(site, target, patience=IMPATIENCE)
    assert len(site.asked) == 3
    assert is_clean(target)


def test_a_slow_file_is_waited_for(site: Site, target: Path) -> None:
    """In all it takes longer than silence is borne."""
    patience = dataclasses.replace(IMPATIENCE, silence_seconds=1.5)

    def act(visit: Visit) -> None:
        visit.start()
        for start in range(0, len(CONTENT), 10_000):
            visit.connection.sendall(CONTENT[start : start + 10_000])
            time.sleep(0.1)

    site.acts = [act]
    assert get(site, target, patience=patience) == DIGEST
    assert len(site.asked) == 1


def test_pauses_are_made_between_tries(site: Site, target: Path) -> None:
    times: list[float] = []

    def act(visit: Visit) -> None:
        times.append(time.monotonic())
        visit.head(503)

    site.acts = [act] * 3
    patience = Patience(silence_seconds=20, pauses=(0.1, 0.3))
    with pytest.raises(DownloadError):
        get(site, target, patience=patience)
    first, second = times[1] - times[0], times[2] - times[1]
    assert first >= 0.1
    assert second >= 0.3


# Processes and disks

PROGRAM = """
import resource, sys
from pathlib import Path
from plant_classification.errors import DownloadError
from plant_classification.fetching.downloads import Patience, download
address, target, sha256, most = sys.argv[1:]
if most:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(most), int(most)))
patience = Patience(silence_seconds=60, pauses=(0,), least_bytes=1)
try:
    print(download(address, Path(target), sha256=sha256, most_bytes=10**6, patience=patience))
except DownloadError as error:
    print(error)
"""


def start(site: Site, target: Path, most: str = "") -> subprocess.Popen[str]:
    words = [sys.executable, "-c", PROGRAM, site.address, str(target), DIGEST, most]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


class Gate:
    """An act that gives the first 100,000 bytes, and the others once it is opened."""

    def __init__(self) -> None:
        self.opened = threading.Event()

    def __call__(self, visit: Visit) -> None:
        place = visit.start()
        visit.connection.sendall(CONTENT[place : place + 100_000])
        self.opened.wait(60)
        visit.connection.sendall(CONTENT[place + 100_000 :])


def has_bytes(target: Path, count: int) -> bool:
    return partial(target).exists() and partial(target).stat().st_size == count


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_process_that_is_ended_leaves_what_came(
    end: signal.Signals, site: Site, target: Path
) -> None:
    gate = Gate()
    site.acts = [gate]
    with start(site, target) as process:
        wait_until(lambda: has_bytes(target, 100_000), "the first bytes")
        process.send_signal(end)
        process.communicate(timeout=60)
    gate.opened.set()
    assert process.returncode == -end
    assert not target.exists()
    assert get(site, target) == DIGEST
    assert site.ranges[-1] == "bytes=100000-"
    assert is_clean(target)


def test_two_at_once_do_not_mix(site: Site, target: Path) -> None:
    gate = Gate()
    site.acts = [gate]
    with start(site, target) as process:
        wait_until(lambda: has_bytes(target, 100_000), "the first bytes")
        with pytest.raises(DownloadError, match="being written by another process"):
            get(site, target)
        assert len(site.asked) == 1
        gate.opened.set()
        said, _ = process.communicate(timeout=60)
    assert said.strip() == DIGEST
    assert target.read_bytes() == CONTENT


def test_many_at_once_leave_one_whole_file(site: Site, target: Path) -> None:
    """Some wait in vain, some come when another has just ended."""
    outcomes: list[str] = []

    def outcome() -> str:
        try:
            return get(site, target)
        except DownloadError as error:
            return error.message

    def work() -> None:
        for _ in range(5):
            outcomes.append(outcome())  # noqa: PERF401 - told one by one

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 30
    assert DIGEST in outcomes
    assert all(said == DIGEST or "by another process" in said for said in outcomes)
    assert target.read_bytes() == CONTENT
    assert is_clean(target)


def test_what_another_process_has_just_finished_is_not_touched(
    site: Site, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was opened here as a partial file, and is the whole one by the time of the lock."""
    finished = target.with_name("finished")
    lock = fcntl.flock

    def flock(descriptor: int, operation: int) -> None:
        if not finished.exists():
            partial(target).write_bytes(CONTENT)
            partial(target).rename(finished)
        lock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    assert get(site, target) == DIGEST
    assert target.read_bytes() == finished.read_bytes() == CONTENT


def test_a_full_disk_is_told_and_keeps_what_came(site: Site, target: Path) -> None:
    """A limit on the size of files stands for the disk."""
    with start(site, target, "123456") as process:
        said, _ = process.communicate(timeout=60)
    assert "cannot be written: File too large. 123,456 bytes are kept" in said
    assert get(site, target) == DIGEST
    assert site.ranges[-1] == "bytes=123456-"


def test_a_place_that_cannot_be_written_is_told(site: Site, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    with pytest.raises(DownloadError, match="cannot be written"):
        get(site, tmp_path / "file" / "plants")
    with pytest.raises(DownloadError, match="is a folder"):
        get(site, tmp_path / "folder")
    with pytest.raises(DownloadError, match="cannot be written: File name too long"):
        get(site, tmp_path / ("a" * 250))
    assert site.asked == []


def test_many_downloads_leave_nothing_open(site: Site, target: Path) -> None:
    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    def threads() -> int:
        return len(threading.enumerate())

    get(site, target)
    before, threads_before = open_files(), threads()
    for _ in range(10):
        site.acts = [answer(302, Location="/a"), break_off(1000), answer(503)]
        get(site, target)
        site.acts = [answer(404)]
        with pytest.raises(DownloadError):
            get(site, target)
    assert open_files() <= before + 2
    wait_until(lambda: threads() < threads_before + 10, "the watching threads end")
