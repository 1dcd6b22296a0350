"""A real ``deepaas-run``: what it offers, and what it answers to good requests."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from api.service import MODULE, Service
from api.web import Web
from drawn_photos import FORMATS, encode, ramp
from PIL import Image

from plant_classification import Answer
from plant_classification.models.choosing import STARTER_FOLDER
from plant_classification.schemas import PHOTO_FIELDS

pytestmark = pytest.mark.xdist_group("deepaas")


@pytest.fixture
def newer(service: Service) -> Iterator[str]:
    """A model that is dropped into the models folder while the server runs."""
    folder = drop_model(service, "2030-01-01_120000", created="2030-01-01T12:00:00+00:00")
    yield folder.name
    shutil.rmtree(folder)


def drop_model(service: Service, name: str, **changes: object) -> Path:
    folder = service.models / name
    shutil.copytree(STARTER_FOLDER, folder)
    manifest = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**manifest, "name": name, **changes}))
    return folder


def data_uri(photo: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(photo).decode()


def answer_of(response: requests.Response) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def test_the_module_is_found_and_served_alone(service: Service) -> None:
    models = service.get("/v2/models/").json()["models"]
    assert [model["id"] for model in models] == [MODULE]


def test_the_metadata_are_of_the_package_and_the_served_model(service: Service) -> None:
    metadata = service.get(f"/v2/models/{MODULE}/").json()
    assert metadata["name"] == "plant-classification"
    assert metadata["license"] == "Apache-2.0"
    for key in ("version", "summary", "home-page", "author", "author-email"):
        assert isinstance(metadata[key], str)
    assert metadata["model"]["name"] == "starter"
    assert metadata["model"]["labels"] > 1


def test_the_swagger_page_is_there(service: Service) -> None:
    page = service.get("/api")
    assert page.status_code == 200
    assert "swagger" in page.text.lower()


@pytest.fixture
def parameters(service: Service) -> dict[str, dict[str, Any]]:
    operation = swagger(service)["paths"][f"/v2/models/{MODULE}/predict/"]["post"]
    return {parameter["name"]: parameter for parameter in operation["parameters"]}


def swagger(service: Service) -> dict[str, Any]:
    specification: dict[str, Any] = service.get("/swagger.json").json()
    return specification


def test_swagger_describes_every_argument(parameters: dict[str, dict[str, Any]]) -> None:
    assert set(parameters) >= {*PHOTO_FIELDS, "urls", "organs", "model", "timestamp", "ckpt_name"}
    for parameter in parameters.values():
        assert parameter["description"]
        assert not parameter["required"]


def test_the_ai4os_page_draws_picture_inputs_a_slider_and_choices(
    parameters: dict[str, dict[str, Any]],
) -> None:
    for name in PHOTO_FIELDS:
        description = parameters[name]["description"].lower()
        assert parameters[name]["type"] == "file"
        assert parameters[name]["in"] == "formData"
        assert [kind in description for kind in ("image", "audio", "video")] == [True, False, False]
    assert parameters["top_k"]["type"] == "integer"
    assert parameters["top_k"]["minimum"] == 1
    assert parameters["top_k"]["maximum"] > 5
    assert parameters["crops"]["enum"] == [1, 5, 10]
    assert parameters["urls"]["collectionFormat"] == "multi"


def test_the_ai4os_page_finds_the_answers_schema_by_its_name(service: Service) -> None:
    properties = swagger(service)["definitions"]["ModelPredictionResponse"]["properties"]
    assert properties["labels"]["type"] == properties["probabilities"]["type"] == "array"
    for field in properties.values():
        assert "image" not in field.get("description", "")  # the page would decode it as one


def test_it_lists_json_and_png_alone_since_the_ai4os_page_cannot_draw_csv(service: Service) -> None:
    operation = swagger(service)["paths"][f"/v2/models/{MODULE}/predict/"]["post"]
    assert operation["produces"] == ["application/json", "image/png", "*/*"]


def test_an_upload_is_answered(service: Service, flower: Path) -> None:
    answer = answer_of(service.post(flower))
    assert answer["status"] == "OK"
    assert len(answer["labels"]) == len(answer["probabilities"]) == 5
    assert answer["predictions"]["labels"] == answer["labels"]
    (photo,) = answer["photos"]
    assert (photo["name"], photo["width"], photo["height"]) == ("data.jpg", 640, 427)
    assert photo["sha256"] == hashlib.sha256(flower.read_bytes()).hexdigest()
    assert answer["warnings"] == []


def test_the_answer_is_that_of_python(service: Service, flower: Path, named: Answer) -> None:
    answer = answer_of(service.post(flower))
    assert answer["labels"] == [candidate.label.name for candidate in named.candidates]
    assert "Dahlia" in [result["genus"] for result in answer["results"]]


@pytest.mark.parametrize("kind", FORMATS)
def test_each_format_is_read_whatever_type_is_declared(service: Service, kind: str) -> None:
    files = {"data": ("photo", encode(ramp(), kind), "TEXT/Plain")}
    answer = answer_of(requests.post(service.address, files=files, timeout=60))
    assert answer["photos"][0]["format"] == kind


def test_the_same_photo_gets_the_same_answer(service: Service, flower: Path) -> None:
    assert service.post(flower).content == service.post(flower).content


def test_a_url_and_a_data_uri_get_the_answer_of_an_upload(
    service: Service, web: Web, flower: Path
) -> None:
    uri = data_uri(flower.read_bytes())
    upload = answer_of(service.post(flower))
    by_url = answer_of(service.post(urls=f"{web.root}/photo"))
    by_form = answer_of(requests.post(service.address, data={"urls": uri}, timeout=60))
    assert by_url["results"] == by_form["results"] == upload["results"]
    assert by_url["photos"][0]["name"] == f"{web.root}/photo"


def test_a_data_uri_in_the_query_is_not_split_at_its_comma(service: Service) -> None:
    uri = data_uri(encode(ramp(), "JPEG", quality=30))
    answer = answer_of(service.post(urls=[uri, uri], organs=["leaf", "fruit"]))
    assert [photo["organ"] for photo in answer["photos"]] == ["leaf", "fruit"]


def test_several_photos_of_one_plant_get_one_answer_with_their_organs(
    service: Service, flower: Path
) -> None:
    other = encode(ramp(300, 250), "PNG")
    answer = answer_of(service.post(flower, other, flower, organs=["flower", "leaf", "auto"]))
    photos = [(photo["name"], photo["format"], photo["organ"]) for photo in answer["photos"]]
    assert photos == [
        ("data.jpg", "JPEG", "flower"),
        ("data2.jpg", "PNG", "leaf"),
        ("data3.jpg", "JPEG", "auto"),
    ]


def test_arguments_are_taken_from_the_form_too(service: Service, flower: Path) -> None:
    files = {"data": flower.read_bytes()}
    form = {"top_k": "2", "organs": ["flower"]}
    answer = answer_of(requests.post(service.address, files=files, data=form, timeout=60))
    assert len(answer["labels"]) == 2
    assert answer["photos"][0]["organ"] == "flower"


def test_arguments_are_taken_from_json_too(service: Service, flower: Path) -> None:
    arguments = {"urls": data_uri(flower.read_bytes()), "top_k": 2, "model": "starter"}
    answer = answer_of(requests.post(service.address, json=arguments, timeout=60))
    assert answer["labels"] == answer_of(service.post(flower, top_k=2))["labels"]


def test_empty_arguments_of_a_form_count_as_not_given(service: Service, flower: Path) -> None:
    files = {
        "data": ("flower.jpg", flower.read_bytes(), "image/jpeg"),
        "data2": ("", b"", "application/octet-stream"),  # as a browser sends an empty file input
    }
    texts = {"data3": "", "urls": "", "organs": "", "model": "", "timestamp": "null"}
    texts |= {"species_list": "", "region": "", "month": ""}
    answer = answer_of(requests.post(service.address, files=files, data=texts, timeout=60))
    assert len(answer["photos"]) == 1


def test_an_argument_that_is_empty_in_the_address_or_in_the_body_is_taken_from_the_other(
    service: Service, flower: Path
) -> None:
    address = f"{service.address}?top_k=2&organs=flower&model=starter&month="
    texts = {"top_k": "", "organs": "", "model": "", "month": ""}
    files = {"data": flower.read_bytes()}
    answer = answer_of(requests.post(address, files=files, data=texts, timeout=60))
    assert len(answer["labels"]) == 2
    assert answer["photos"][0]["organ"] == "flower"
    empty = f"{service.address}?top_k=2&organs=&model="
    texts = {"top_k": "2", "organs": "flower", "model": "starter"}
    again = answer_of(requests.post(empty, files=files, data=texts, timeout=60))
    assert again["labels"] == answer["labels"]
    assert again["photos"] == answer["photos"]
    nulls: dict[str, Any] = {"urls": data_uri(flower.read_bytes()), "top_k": None, "organs": []}
    answer = answer_of(requests.post(address, json=nulls, timeout=60))
    assert len(answer["labels"]) == 2


def test_top_k_crops_and_confidence_are_kept(service: Service, flower: Path) -> None:
    answer = answer_of(service.post(flower, top_k=3, crops=5, confidence=0.001, no_reject=True))
    assert len(answer["results"]) == 3
    assert answer["safe_answer"]["confidence"] == 0.001
    assert answer["safe_answer"]["name"]
    one_crop = answer_of(service.post(flower, top_k=3))
    assert answer["probabilities"] != one_crop["probabilities"]


def test_a_picture_shows_what_speaks_for_the_answer(
    service: Service, flower: Path, named: Answer
) -> None:
    pictures = []
    for taxon in (None, *(candidate.label.name for candidate in named.candidates[:2])):
        asked = {"taxon": taxon} if taxon else {}
        response = service.post(flower, flower, accept="image/png", **asked)
        assert response.status_code == 200
        assert response.headers["Content-Type"] == "image/png"
        with Image.open(io.BytesIO(response.content)) as picture:
            assert picture.format == "PNG"
            assert picture.width > 2 * picture.height
        pictures.append(response.content)
    assert pictures[0] == pictures[1] != pictures[2]


def test_a_species_list_and_a_prior_of_the_models_folder_are_used(
    service: Service, flower: Path
) -> None:
    files = {"park.txt": "Rosa\nViola\n", "prior.csv": "species,weight,region\nRosa,1,hills\n"}
    for name, text in files.items():
        (service.models / name).write_text(text, "utf-8")
    try:
        answer = service.post(flower, species_list="park", region="hills").json()
    finally:
        for name in files:
            (service.models / name).unlink()
    assert {taxon["name"] for taxon in answer["genera"]} <= {"Rosa", "Viola"}
    assert sum(answer["probabilities"]) == pytest.approx(1)
    assert "may be none of its species" in answer["warnings"][0]


@pytest.mark.parametrize("accept", ["application/json", "*/*"])
def test_json_is_the_answer_to_any_type(service: Service, flower: Path, accept: str) -> None:
    response = service.post(flower, accept=accept)
    assert response.headers["Content-Type"].startswith("application/json")
    assert answer_of(response) == answer_of(service.post(flower))


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/csv;q=0, application/json", "application/json"),
        ("image/png;q=0.1, application/json", "application/json"),
        ("application/json;q=0.5, Text/CSV; q=0.8, image/png;q=nan", "text/csv"),
        ("text/csv;charset=utf-8, application/json", "text/csv"),
        ("application/*", "application/json"),
        ("text/html, */*;q=0.8", "application/json"),
        ("*/*, application/json;q=0.9", "application/json"),
        ("image/*", "image/png"),
        ("application/json;q=0, */*", "image/png"),
    ],
)
def test_the_answer_comes_as_the_client_likes_it_best(
    service: Service, flower: Path, accept: str, kind: str
) -> None:
    response = service.post(flower, accept=accept)
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"].partition(";")[0] == kind


def test_csv_holds_the_ranked_labels(service: Service, flower: Path) -> None:
    results = answer_of(service.post(flower))["results"]
    response = service.post(flower, accept="text/csv")
    assert response.headers["Content-Type"] == "text/csv"
    rows = list(csv.DictReader(io.StringIO(response.content.decode(), newline="")))
    assert [row["label"] for row in rows] == [result["label"] for result in results]
    assert [float(row["probability"]) for row in rows] == [
        result["probability"] for result in results
    ]


def test_a_new_model_answers_at_once_and_the_old_one_by_name(
    service: Service, flower: Path, newer: str
) -> None:
    assert answer_of(service.post(flower))["model"]["name"] == newer
    assert answer_of(service.post(flower, model="starter"))["model"]["name"] == "starter"
    assert service.get(f"/v2/models/{MODULE}/").json()["model"]["name"] == newer


@pytest.mark.parametrize("argument", ["model", "timestamp"])
@pytest.mark.parametrize("form", ["{}", '"{}"'])
def test_a_model_is_named_plain_or_as_json(
    service: Service, flower: Path, newer: str, argument: str, form: str
) -> None:
    answer = answer_of(service.post(flower, **{argument: form.format(newer)}))
    assert answer["model"]["name"] == newer


def test_model_and_timestamp_may_agree(service: Service, flower: Path) -> None:
    answer_of(service.post(flower, model="starter", timestamp='"starter"'))


@pytest.mark.parametrize("checkpoint", ["network.xml", '"network.xml"', "null"])
def test_a_checkpoint_is_named_plain_or_as_json(
    service: Service, flower: Path, checkpoint: str
) -> None:
    answer_of(service.post(flower, ckpt_name=checkpoint))


def test_many_requests_at_once_each_get_their_own_answer(service: Service) -> None:
    photos = [encode(ramp(200 + place, 150), "PNG") for place in range(16)]

    def seen(photo: bytes) -> str:
        return str(answer_of(service.post(photo))["photos"][0]["sha256"])

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(seen, photos)) == [
            hashlib.sha256(photo).hexdigest() for photo in photos
        ]


def test_a_json_body_does_not_get_into_a_request_beside_it(service: Service, flower: Path) -> None:
    upload = requests.Request("POST", service.address, files={"data": flower.read_bytes()})
    prepared = upload.prepare()
    assert isinstance(prepared.body, bytes)
    place = urlsplit(service.address)
    connection = HTTPConnection(place.netloc, timeout=60)
    connection.putrequest("POST", place.path)
    for name, value in prepared.headers.items():
        connection.putheader(name, value)
    connection.endheaders(prepared.body[:1000])  # the server waits for the rest
    uri = data_uri(encode(ramp(), "JPEG"))
    arguments = {"urls": [uri], "top_k": 2, "organs": ["leaf"]}
    beside = answer_of(requests.post(service.address, json=arguments, timeout=60))
    connection.send(prepared.body[1000:])
    response = connection.getresponse()
    answer = json.load(response)
    connection.close()
    for seen, count, organ in ((beside, 2, "leaf"), (answer, 5, None)):
        assert len(seen["labels"]) == count
        assert [photo["organ"] for photo in seen["photos"]] == [organ]
