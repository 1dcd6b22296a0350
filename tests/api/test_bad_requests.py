"""A real ``deepaas-run``: status and body of every refusal; the next request is answered."""

from __future__ import annotations

import gzip
import io
import re
import shutil
import zlib
from pathlib import Path
from typing import Any

import pytest
import requests
from api.service import MAX_BODY_BYTES, MAX_PHOTO_BYTES, MAX_TOTAL_BYTES, URL_SECONDS, Service
from api.test_deepaas_run import data_uri, drop_model
from api.web import Web
from drawn_photos import encode, ramp
from PIL import Image

pytestmark = pytest.mark.xdist_group("deepaas")

PHOTO = encode(ramp(), "JPEG")


def refused(response: requests.Response, status: int, *fields: str) -> str:
    """The sentence of a refusal, whose status, form and fields are checked."""
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"].startswith("application/json")
    body: dict[str, Any] = response.json()
    assert set(body) == {"status", "message", "errors", "request_id"}
    assert body["status"] == "error"
    assert re.fullmatch("[0-9a-f]{32}", body["request_id"])
    assert set(body["errors"]) == set(fields)
    for rules in body["errors"].values():
        assert rules
        assert all(isinstance(rule, str) and rule for rule in rules)
    return str(body["message"])


def test_no_photo(service: Service) -> None:
    assert "neither came" in refused(service.post(), 422, "data", "urls")


def test_a_photo_and_a_url(service: Service, web: Web) -> None:
    response = service.post(PHOTO, PHOTO, urls=f"{web.root}/photo")
    assert "both came" in refused(response, 422, "data", "data2", "urls")


def test_more_than_five_photos(service: Service) -> None:
    urls = [data_uri(encode(ramp(32, 32), "JPEG"))] * 6
    assert "6 came" in refused(service.post(urls=urls), 422, "urls")


@pytest.mark.parametrize(("name", "field"), [("data", "data"), ("data6", "data6")])
def test_a_photo_that_nobody_would_read(service: Service, name: str, field: str) -> None:
    files = [("data", ("a.jpg", PHOTO)), (name, ("b.jpg", PHOTO))]
    response = requests.post(service.address, files=files, timeout=60)
    assert "under a name of its own" in refused(response, 422, field)


def test_a_compressed_body(service: Service) -> None:
    body = gzip.compress(b'{"urls": ["' + b"a" * 1_000_000 + b'"]}')
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    response = requests.post(service.address, data=body, headers=headers, timeout=60)
    assert "without Content-Encoding" in refused(response, 415)


def test_a_model_whose_name_is_deep_json(service: Service) -> None:
    response = requests.post(
        service.address,
        files={"data": ("a.jpg", PHOTO)},
        data={"model": "[" * 200_000},
        timeout=60,
    )
    assert len(refused(response, 422, "model")) < 1000


def test_a_data_uri_that_is_not_ascii(service: Service) -> None:
    response = requests.post(service.address, json={"urls": ["data:,\ud800"]}, timeout=60)
    assert "ASCII" in refused(response, 422, "urls")


@pytest.mark.parametrize("organs", [["leaf"], ["leaf", "flower", "fruit"]])
def test_organs_that_do_not_match_the_photos(service: Service, organs: list[str]) -> None:
    message = refused(service.post(PHOTO, PHOTO, organs=organs), 422, "organs")
    assert f"{len(organs)} came for 2 photos" in message


def test_an_unknown_organ(service: Service) -> None:
    message = refused(service.post(PHOTO, organs="root"), 422, "organs")
    assert "'root'" in message
    assert "flower" in message


@pytest.mark.parametrize("form", ["nothing", '"nothing"'])
@pytest.mark.parametrize("argument", ["model", "timestamp"])
def test_an_unknown_model(service: Service, argument: str, form: str) -> None:
    message = refused(service.post(PHOTO, **{argument: form}), 422, argument)
    assert "'nothing'" in message
    assert "there are: starter" in message


@pytest.mark.parametrize("name", ["../starter", "/etc", "%2e%2e", "9" * 5000])
def test_a_path_is_no_model(service: Service, name: str) -> None:
    refused(service.post(PHOTO, model=name), 422, "model")


def test_an_unknown_checkpoint(service: Service) -> None:
    message = refused(service.post(PHOTO, ckpt_name="final_model.h5"), 422, "ckpt_name")
    assert "there are: network.xml" in message


def test_model_and_timestamp_that_differ(service: Service) -> None:
    response = service.post(PHOTO, model="starter", timestamp="other")
    message = refused(response, 422, "model", "timestamp")
    assert "'starter'" in message
    assert "'other'" in message


@pytest.mark.parametrize(
    ("argument", "value", "rule"),
    [
        ("top_k", "0", "greater than or equal to 1"),
        ("top_k", "101", "less than or equal to 100"),
        ("top_k", "many", "Not a valid integer"),
        ("top_k", "", "Not a valid integer"),
        ("crops", "3", "1, 5, 10"),
        ("confidence", "0", "greater than 0"),
        ("coverage", "1", "less than 1"),
        ("confidence", "1.01", "less than or equal to 1"),
        ("confidence", "nan", "nan"),
        ("confidence", "inf", "nan or infinity"),
        ("accept", "text/html", "application/json, image/png, text/csv"),
        ("accept", "text/csv;q=0, text/*", "application/json, image/png, text/csv"),
    ],
)
def test_a_value_out_of_range(service: Service, argument: str, value: str, rule: str) -> None:
    message = refused(service.post(PHOTO, **{argument: value}), 422, argument)
    assert rule in message
    assert repr(value) in message
    assert argument in message


def test_a_taxon_without_a_picture_that_explains_it(service: Service, flower: Path) -> None:
    response = service.post(flower, taxon="Rosa")
    assert "ask for accept: image/png with it" in refused(response, 422, "taxon")
    assert service.post(flower, taxon="").status_code == 200


def test_a_taxon_that_the_answer_does_not_hold(service: Service, flower: Path) -> None:
    response = service.post(flower, taxon="Quercus", accept="image/png")
    assert "must be one that the answer holds (" in refused(response, 422, "taxon")


@pytest.mark.parametrize(
    ("argument", "value", "sentence"),
    [
        ("species_list", "moon", "There is no species list 'moon'. There are: park."),
        ("species_list", "../park", "must be the name of a list"),
        ("species_list", "/etc/passwd", "must be the name of a list"),
        ("species_list", "park", "line 1: 'Rossa canina' (nearest: Rosa"),
        ("region", "moon", "region needs a prior.csv"),
        ("month", "3", "month needs a prior.csv"),
        ("month", "13", "month must be a number from 1 to 12, not 13"),
        ("month", "3.7", "Not a valid integer"),
        ("month", "may", "Not a valid integer"),
    ],
)
def test_where_and_which_that_cannot_be_used(
    service: Service, argument: str, value: str, sentence: str
) -> None:
    listed = service.models / "park.txt"
    listed.write_text("Rossa canina", "utf-8")
    try:
        assert sentence in refused(service.post(PHOTO, **{argument: value}), 422, argument)
    finally:
        listed.unlink()


@pytest.mark.parametrize(
    ("argument", "in_address", "in_body"),
    [
        ("urls", "http://127.0.0.1:1/photo", "http://127.0.0.1:2/photo"),
        ("organs", "leaf", ["", "flower"]),
        ("top_k", "2", "3"),
        ("region", "hills", "moors"),
    ],
)
def test_an_argument_in_the_address_and_in_the_body(
    service: Service, argument: str, in_address: str, in_body: str | list[str]
) -> None:
    query = {argument: in_address}
    photo = {"data": PHOTO}
    as_form = requests.post(
        service.address, params=query, data={argument: in_body}, files=photo, timeout=60
    )
    as_json = requests.post(service.address, params=query, json={argument: in_body}, timeout=60)
    for response in (as_form, as_json):
        assert "in the address and otherwise in the body" in refused(response, 422, argument)


def test_several_values_out_of_range_are_all_named(service: Service) -> None:
    refused(service.post(PHOTO, top_k=0, crops=2), 422, "top_k", "crops")


@pytest.mark.parametrize("argument", ["top_k", "urls", "model"])
def test_a_file_where_text_belongs(service: Service, argument: str) -> None:
    files = {"data": ("photo.jpg", PHOTO), argument: ("five.jpg", PHOTO)}
    message = refused(requests.post(service.address, files=files, timeout=60), 422, argument)
    assert "A file came" in message


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b""),
        ("multipart/form-data; boundary=edge", b"no edge"),
        ("multipart/form-data; boundary=edge", b"--edge\r\nContent-Disposition: form-data\r\n"),
        ("multipart/form-data; boundary=edge", b"--edge\r\n\r\n\r\n--edge--\r\n"),
        ("application/x-www-form-urlencoded; charset=none-such", b"model=starter"),
        ("application/json", b"{"),
        ("application/json", b"\xff"),
    ],
)
def test_a_body_that_cannot_be_read(service: Service, content_type: str, body: bytes) -> None:
    headers = {"Content-Type": content_type}
    response = requests.post(service.address, data=body, headers=headers, timeout=60)
    assert "cannot be read" in refused(response, 400)


@pytest.mark.parametrize("body", [b"[]", b"null", b"7", b'"data"', b'{"data": 7}', b"{}"])
def test_json_without_a_photo(service: Service, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    response = requests.post(service.address, data=body, headers=headers, timeout=60)
    assert response.status_code == 422
    assert response.json()["status"] == "error"


def test_text_where_a_file_belongs(service: Service) -> None:
    response = requests.post(service.address, data={"data3": "/etc/passwd"}, timeout=60)
    assert "must be a file" in refused(response, 422, "data3")


def test_a_photo_over_the_limit(service: Service) -> None:
    photo = PHOTO + bytes(MAX_PHOTO_BYTES)
    message = refused(service.post(PHOTO, photo), 413, "data2")
    assert f"{MAX_PHOTO_BYTES:,}" in message
    assert "data2.jpg" in message


def test_photos_over_the_limit_together(service: Service) -> None:
    photo = PHOTO + bytes(MAX_TOTAL_BYTES // 3)
    message = refused(service.post(photo, photo, photo), 413, "data", "data2", "data3")
    assert f"{MAX_TOTAL_BYTES:,}" in message


def test_a_body_over_the_limit_of_the_server(service: Service) -> None:
    refused(service.post(PHOTO, bytes(MAX_BODY_BYTES)), 413)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        b'<svg xmlns="http://www.w3.org/2000/svg" width="99" height="99"></svg>',
        b"<!DOCTYPE html><html></html>",
        b"%PDF-1.7\n",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n",
        encode(ramp(), "BMP"),
    ],
    ids=["empty", "text", "SVG", "HTML", "PDF", "EPS", "BMP"],
)
def test_what_is_no_photo(service: Service, content: bytes) -> None:
    message = refused(service.post(PHOTO, content), 415, "data2")
    assert "data2.jpg" in message
    assert "JPEG, PNG, WebP, GIF, TIFF, AVIF" in message


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_truncated_photo(service: Service, kind: str) -> None:
    content = encode(ramp(), kind)
    message = refused(service.post(PHOTO, content[: len(content) // 2]), 422, "data2")
    assert "data2.jpg" in message
    assert "truncated or damaged" in message


def test_a_photo_of_more_than_100_megapixels(service: Service) -> None:
    bomb = io.BytesIO()
    Image.new("1", (10_001, 10_000)).save(bomb, "PNG")
    assert "100,000,000 pixels" in refused(service.post(bomb.getvalue()), 422, "data")


def test_a_photo_that_says_it_has_gigapixels(service: Service) -> None:
    header = b"IHDR" + (60_000).to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    content = b"\x89PNG\r\n\x1a\n" + (13).to_bytes(4, "big") + header
    content += zlib.crc32(header).to_bytes(4, "big") + encode(ramp(), "PNG")[33:]
    assert "60000x60000" in refused(service.post(content), 422, "data")


def test_a_photo_with_a_side_under_16_pixels(service: Service) -> None:
    assert "15x99" in refused(service.post(encode(ramp(15, 99), "PNG")), 422, "data")


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1/",
        "http://localhost/",
        "http://[::1]/",
        "http://10.0.0.1/",
        "http://192.168.1.1/photo.jpg",
        "http://169.254.169.254/latest/meta-data/",
        "http://100.64.0.1/",
        "http://224.0.0.1/",
        "http://0.0.0.0/",
        "http://[::ffff:127.0.0.1]/",
        "http://[2002:7f00:1::]/",
        "http://2130706433/",
        "http://user:word@203.0.113.9/",
        "http://203.0.113.9:22/",
        "ftp://203.0.113.9/photo.jpg",
        "file:///etc/passwd",
        "/etc/passwd",
        "{root}/inward",
    ],
)
def test_a_refused_address_is_refused_in_the_same_words(
    service: Service, web: Web, address: str
) -> None:
    expected = refused(service.post(urls="http://127.0.0.1:1/photo"), 422, "urls")
    assert refused(service.post(urls=address.format(root=web.root)), 422, "urls") == expected


def test_an_address_without_a_photo(service: Service, web: Web) -> None:
    refused(service.post(urls=f"{web.root}/page"), 415, "urls")


def test_an_address_that_is_not_there(service: Service, web: Web) -> None:
    assert "404" in refused(service.post(urls=f"{web.root}/missing"), 502, "urls")


def test_an_address_that_holds_too_much(service: Service, web: Web) -> None:
    message = refused(service.post(urls=f"{web.root}/huge"), 422, "urls")
    assert f"{MAX_PHOTO_BYTES:,}" in message


@pytest.mark.parametrize("path", ["endless", "silent"])
def test_an_address_that_never_ends(service: Service, web: Web, path: str) -> None:
    assert f"within {URL_SECONDS} seconds" in refused(
        service.post(urls=f"{web.root}/{path}"), 504, "urls"
    )


@pytest.mark.parametrize("uri", ["data:image/jpeg", "data:image/jpeg;base64,/9j/!!"])
def test_a_malformed_data_uri(service: Service, uri: str) -> None:
    refused(service.post(urls=uri), 422, "urls")


def test_a_data_uri_without_a_photo(service: Service) -> None:
    refused(service.post(urls=data_uri(b"hello")), 415, "urls")


def test_a_damaged_model_is_an_error_of_the_server_without_its_path(service: Service) -> None:
    folder = drop_model(service, "damaged", created="2000-01-01T00:00:00+00:00")
    (folder / "network.bin").write_bytes(b"")
    response = service.post(PHOTO, model="damaged")
    shutil.rmtree(folder)
    message = refused(response, 500)
    assert "/" not in message
    assert str(service.folder) not in response.text
    assert "Traceback" not in response.text
    (line,) = [line for line in service.log().splitlines() if response.json()["request_id"] in line]
    assert str(folder / "network.bin") in line
