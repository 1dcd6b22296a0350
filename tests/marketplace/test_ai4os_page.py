"""The AI4OS page, which the marketplace opens beside a module, can draw what ours offers."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from api.service import MODULE, Service, running
from drawn_photos import encode, ramp
from marketplace import ai4os_page as page

from plant_classification import Answer
from plant_classification.schemas import PHOTO_FIELDS

pytestmark = pytest.mark.xdist_group("ai4os_page")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("deepaas")) as service:
        yield service


@pytest.fixture(scope="module")
def specification(service: Service) -> dict[str, Any]:
    found: dict[str, Any] = service.get("/swagger.json").json()
    return found


@pytest.fixture(scope="module")
def operation(specification: dict[str, Any]) -> dict[str, Any]:
    return page.prediction(specification)[1]


def test_the_page_is_made_for_this_module(specification: dict[str, Any]) -> None:
    assert page.prediction(specification)[0] == f"/v2/models/{MODULE}/predict/"


def test_it_finds_a_title_an_author_and_a_description(service: Service) -> None:
    metadata = service.get(f"/v2/models/{MODULE}/").json()
    assert metadata["name"]
    assert metadata["author"]
    assert metadata["description"]


def test_it_can_draw_every_type_of_answer(operation: dict[str, Any]) -> None:
    assert page.tabs(operation) == [page.JSON, "image/png"]


def test_each_argument_has_its_input(operation: dict[str, Any]) -> None:
    assert page.inputs(operation) == {
        **dict.fromkeys(PHOTO_FIELDS, "image"),
        "urls": "text",
        "organs": "text",
        "model": "text",
        "timestamp": "text",
        "ckpt_name": "text",
        "top_k": "slider",
        "crops": "choice",
        "confidence": "number",
        "coverage": "number",
        "species_list": "text",
        "region": "text",
        "month": "number",
        "no_reject": "switch",
        "taxon": "text",
    }


def test_each_input_has_its_sentence(operation: dict[str, Any]) -> None:
    for parameter in operation["parameters"]:
        assert parameter["description"].split("\n\n")[0].strip()


def test_a_choice_and_a_slider_stand_at_their_default(operation: dict[str, Any]) -> None:
    drawn = page.inputs(operation)
    for parameter in operation["parameters"]:
        if drawn.get(parameter["name"]) == "choice":
            assert parameter["default"] in parameter["enum"]
        if drawn.get(parameter["name"]) == "slider":
            assert parameter["minimum"] <= parameter["default"] <= parameter["maximum"]


def test_each_field_of_the_answer_is_drawn_and_none_is_taken_for_a_picture(
    specification: dict[str, Any],
) -> None:
    assert page.outputs(specification) == {
        **dict.fromkeys(
            [
                "status",
                "predictions",
                "results",
                "genera",
                "families",
                "safe_answer",
                "plausible",
                "is_plant",
                "rejected",
                "similar",
                "photos",
                "model",
                "warnings",
            ],
            "text",
        ),
        page.CHART: "chart",
    }


def test_a_photo_gets_its_answer_and_its_chart(
    service: Service, specification: dict[str, Any], flower: Path, named: Answer
) -> None:
    shown = page.submit(service.root, specification, data=flower)
    chart = shown[page.CHART]
    assert next(iter(chart)) == named.candidates[0].label.name
    assert len(chart) == 5
    assert list(chart.values()) == sorted(chart.values(), reverse=True)
    assert 0 < sum(chart.values()) <= 1
    assert shown["status"] == "OK"
    assert shown["safe_answer"]["confidence"] == 0.95
    assert shown["photos"][0]["name"] == flower.name


def test_every_input_that_is_filled_in_reaches_the_module(
    service: Service, specification: dict[str, Any], flower: Path
) -> None:
    shown = page.submit(
        service.root,
        specification,
        data=flower,
        data5=flower,
        organs='"flower", "habit"',
        model="starter",
        timestamp="starter",
        top_k=2,
        crops=5,
        confidence=0.5,
    )
    assert [photo["organ"] for photo in shown["photos"]] == ["flower", "habit"]
    assert len(shown[page.CHART]) == 2
    assert shown["safe_answer"]["confidence"] == 0.5


def test_addresses_are_typed_in_quotes(service: Service, specification: dict[str, Any]) -> None:
    address = "data:image/png;base64," + base64.b64encode(encode(ramp(), "PNG")).decode()
    shown = page.submit(service.root, specification, urls=json.dumps(address))
    assert [photo["format"] for photo in shown["photos"]] == ["PNG"]
    with pytest.raises(json.JSONDecodeError):
        page.submit(service.root, specification, urls=address)


def test_an_error_shows_its_sentence(service: Service, specification: dict[str, Any]) -> None:
    with pytest.raises(page.PageError, match="data"):
        page.submit(service.root, specification)
    with pytest.raises(page.PageError, match=r"data.*is not a picture|cannot be read"):
        page.submit(service.root, specification, data=__file__)
