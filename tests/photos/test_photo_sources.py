"""Where photos come from, what they are called, and what is refused before it is opened."""

from __future__ import annotations

import base64
import dataclasses
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from drawn_photos import difference, encode, ramp

from plant_classification import photos
from plant_classification.errors import ArgumentError, PhotoError, TooManyBytesError, UrlError
from plant_classification.photos import Fetched, Upload, Url
from plant_classification.settings import Settings

PNG = encode(ramp(), "PNG")
BASE64 = base64.b64encode(PNG).decode()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a rose?.dat"
    path.write_bytes(PNG)
    return path


def test_a_path_is_named_by_its_file(path: Path, settings: Settings) -> None:
    for source in (path, str(path)):
        photo = photos.read(source, settings)
        assert photo.name == "a rose?.dat"
        assert difference(photo.pixels, ramp()) == 0


def test_an_upload_is_named_by_its_sender(path: Path, settings: Settings) -> None:
    photo = photos.read(Upload(path, "Rosa.JPG"), settings)
    assert (photo.name, photo.format) == ("Rosa.JPG", "PNG")


def test_a_name_that_is_given_wins(path: Path, settings: Settings) -> None:
    for source in (path, PNG, ramp(), Upload(path, "x"), f"data:,{quote(PNG)}"):
        assert photos.read(source, settings, name="photo 3").name == "photo 3"


@pytest.mark.parametrize(
    "address",
    [
        f"data:image/png;base64,{BASE64}",
        f"DATA:IMAGE/JPEG;BASE64,{BASE64}",
        f"data:;base64,{BASE64}",
        f"data:text/html;charset=utf-8;base64,{BASE64}",
        f"data:image/png;base64,{quote(BASE64, safe='')}",
        f"data:image/png;base64,{BASE64.rstrip('=')}",
        f"data:image/png;base64,{BASE64.replace('+', ' ')}",
        f"data:image/png;base64,{BASE64.replace('+', '-').replace('/', '_')}",
        f"data:image/png;base64,{BASE64[:50]}\r\n{BASE64[50:]}\n",
        f"data:image/png,{quote(PNG)}",
        f"  data:,{quote(PNG)}",
    ],
)
def test_a_data_uri_is_read(address: str, settings: Settings) -> None:
    for source in (address, Url(address.strip())):
        photo = photos.read(source, settings)
        assert difference(photo.pixels, ramp()) == 0
        assert photo.name == "data: URI"


@pytest.mark.parametrize(
    "address",
    [
        "data:",
        "data:image/png;base64",
        "data:image/png;base64,a",
        "data:;base64,!!!!",
        "data:;base64,aé==",
    ],
)
def test_a_malformed_data_uri_is_refused_with_422(address: str, settings: Settings) -> None:
    with pytest.raises(UrlError, match="photo 1 ") as caught:
        photos.read(address, settings, name="photo 1")
    assert caught.value.status == 422


@pytest.mark.parametrize(
    "address", [f"data:;base64,{BASE64}", f"data:,{quote(PNG)}"], ids=["base64", "percent"]
)
def test_a_data_uri_has_the_same_limit_of_bytes(address: str, settings: Settings) -> None:
    assert photos.read(address, dataclasses.replace(settings, max_photo_bytes=len(PNG)))
    with pytest.raises(TooManyBytesError):
        photos.read(address, dataclasses.replace(settings, max_photo_bytes=len(PNG) - 1))


def test_data_uris_are_read_where_addresses_are_not(settings: Settings) -> None:
    closed = dataclasses.replace(settings, allow_urls=False)
    assert photos.read(f"data:;base64,{BASE64}", closed).width == 128
    with pytest.raises(UrlError):
        photos.read("https://example.org/rose.jpg", closed)


@pytest.mark.parametrize("scheme", ["file", "FILE", "ftp", "gopher", "s3", "jar+x"])
def test_another_scheme_is_refused_with_422(scheme: str, path: Path, settings: Settings) -> None:
    with pytest.raises(UrlError, match="http:") as caught:
        photos.read(f"{scheme}://{path}", settings)
    assert caught.value.status == 422


def test_a_url_never_opens_a_path(path: Path, settings: Settings) -> None:
    for address in (
        str(path),
        path.name,
        f"file://{path}",
        f"file:{path}",
        "/etc/passwd",
        "",
        "//x",
    ):
        with pytest.raises(UrlError) as caught:
            photos.read(Url(address), settings)
        assert caught.value.status == 422


def test_a_missing_file_is_named(tmp_path: Path, settings: Settings) -> None:
    with pytest.raises(ArgumentError, match=r"missing\.jpg does not exist"):
        photos.read(tmp_path / "missing.jpg", settings)


def test_a_folder_is_no_photo(tmp_path: Path, settings: Settings) -> None:
    with pytest.raises(ArgumentError, match="is a folder"):
        photos.read(tmp_path, settings)


def test_a_fifo_is_refused_without_waiting(tmp_path: Path, settings: Settings) -> None:
    os.mkfifo(tmp_path / "fifo.jpg")
    with pytest.raises(ArgumentError, match="is not a file"):
        photos.read(tmp_path / "fifo.jpg", settings)


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null"])
def test_a_device_is_refused(device: str, settings: Settings) -> None:
    with pytest.raises(ArgumentError, match="is not a file"):
        photos.read(device, settings)


@pytest.mark.parametrize("path", ["a\0b.jpg", "x" * 5000 + ".jpg", "/proc/self/mem"])
def test_a_path_that_cannot_be_opened_is_refused(path: str, settings: Settings) -> None:
    with pytest.raises((ArgumentError, PhotoError)):
        photos.read(path, settings)


def test_messages_about_an_upload_do_not_tell_its_path(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "empty").touch()
    for path in (tmp_path / "gone", tmp_path, tmp_path / "empty"):
        with pytest.raises((ArgumentError, PhotoError), match=r"Rosa\.jpg") as caught:
            photos.read(Upload(path, "Rosa.jpg"), settings)
        assert str(tmp_path) not in caught.value.message


@pytest.mark.parametrize("source", [None, 7, ["a.jpg"], bytearray(PNG), object()])
def test_another_kind_of_source_is_named(source: object, settings: Settings) -> None:
    with pytest.raises(ArgumentError, match=type(source).__name__):
        photos.read(source, settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((32, 32), np.uint8),
        np.zeros((32, 32, 4), np.uint8),
        np.zeros((1, 32, 32, 3), np.uint8),
        np.zeros((32, 32, 3), np.float32),
    ],
)
def test_an_array_of_another_shape_or_type_is_refused(
    array: np.ndarray, settings: Settings
) -> None:
    with pytest.raises(ArgumentError, match=r"uint8 array of the shape \(H, W, 3\), not "):
        photos.read(array, settings)


class Server(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(PNG)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Server) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_an_address_is_read_and_named_without_its_query(server: str, settings: Settings) -> None:
    named = dataclasses.replace(settings, url_private_hosts=(server,))
    address = f"http://{server}/rose.html?key=secret#part"
    for source in (address, f" {address}", Url(address), address.replace("http", "HTTP")):
        photo = photos.read(source, named)
        assert photo.name.lower() == f"http://{server}/rose.html"
        assert difference(photo.pixels, ramp()) == 0


def test_what_lies_at_an_address_can_be_fetched_first(server: str, settings: Settings) -> None:
    named = dataclasses.replace(settings, url_private_hosts=(server,))
    url = Url(f"http://{server}/rose.html?key=secret#part")
    fetched = photos.fetch_first(url, named)
    assert fetched == Fetched(PNG, f"http://{server}/rose.html")
    assert photos.read(fetched, settings).name == photos.read(url, named).name
    with pytest.raises(UrlError, match="refused"):
        photos.fetch_first(url, settings)


def test_what_is_at_hand_is_not_fetched_first(path: Path, settings: Settings) -> None:
    for source in (path, PNG, Upload(path, "x"), Url(f"data:,{quote(PNG)}"), path / "nowhere"):
        assert photos.fetch_first(source, settings) is source


def test_reading_a_file_imports_neither_requests_nor_pillow_heif() -> None:
    program = (
        "import sys\n"
        "from plant_classification import photos, settings\n"
        f"photos.read({PNG!r}, settings.load_settings())\n"
        "print(*{'requests', 'pillow_heif', 'urllib3'} & set(sys.modules))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ended.stdout.strip() == ""
