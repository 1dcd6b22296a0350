"""The module that DEEPaaS loads, in this process: schemas, errors, and what importing it costs."""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import marshmallow
import pytest
from deepaas.model.v2.wrapper import UploadedFile
from marshmallow import fields, validate

from plant_classification import Classifier, api, schemas
from plant_classification.api.requests import RequestError
from plant_classification.settings import load_settings

# deepaas-cli takes only a bare Field for a file.
pytestmark = pytest.mark.filterwarnings("ignore:`Field` should not be instantiated")


@pytest.fixture(scope="module")
def answer(flower: Path) -> dict[str, Any]:
    settings = load_settings(models_dir="/nowhere")
    photos = [flower, flower]
    answer = Classifier.load(settings=settings).identify(photos, ["flower", "auto"], top_k=119)
    loaded: dict[str, Any] = json.loads(json.dumps(answer.to_dict(), allow_nan=False))
    return loaded


@pytest.fixture
def response() -> marshmallow.Schema:
    """The schema as DEEPaaS makes it: unknown keys are refused."""
    made: marshmallow.Schema = marshmallow.Schema.from_dict(api.schema)()
    return made


def test_a_real_answer_has_exactly_the_fields_of_the_schema(
    answer: dict[str, Any], response: marshmallow.Schema
) -> None:
    response.load(answer)


def keys_of(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of each named field of an answer, but language codes, which are no fields."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*path, key)
            if key != "common_names":
                yield from keys_of(inner, (*path, key))
    elif isinstance(value, list):
        for inner in value[:1]:
            yield from keys_of(inner, (*path, 0))


def without(value: Any, path: tuple[Any, ...]) -> Any:
    if not path[1:]:
        return {key: inner for key, inner in value.items() if key != path[0]}
    inner = without(value[path[0]], path[1:])
    if isinstance(value, list):
        return [inner, *value[1:]]
    return {**value, path[0]: inner}


def test_every_field_of_an_answer_is_required(
    answer: dict[str, Any], response: marshmallow.Schema
) -> None:
    for path in keys_of(answer):
        with pytest.raises(marshmallow.ValidationError, match="Missing data"):
            response.load(without(answer, path))


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -0.01, 1.01])
def test_no_probability_outside_0_to_1_leaves(
    answer: dict[str, Any], response: marshmallow.Schema, number: float
) -> None:
    with pytest.raises(marshmallow.ValidationError):
        response.load({**answer, "probabilities": [number]})


def described(schema: marshmallow.Schema) -> Iterator[tuple[str, fields.Field]]:
    for name, field in schema.fields.items():
        yield name, field
        inner = field.inner if isinstance(field, fields.List) else field
        if isinstance(inner, fields.Nested):
            yield from described(inner.schema)


def test_every_field_of_an_answer_is_described(response: marshmallow.Schema) -> None:
    names = [name for name, field in described(response) if not field.metadata.get("description")]
    assert names == []


def test_what_may_be_null_is_said(response: marshmallow.Schema) -> None:
    for name, field in described(response):
        assert field.allow_none == ("null" in field.metadata["description"]), name


def test_every_argument_is_described_and_has_a_default() -> None:
    for name, argument in [*api.get_predict_args().items(), *api.get_train_args().items()]:
        assert "Default" in argument.metadata["description"], name
        assert argument.load_default is not marshmallow.missing, name


def test_each_call_makes_the_arguments_anew() -> None:
    first, second = (api.get_predict_args()["accept"].validate for _ in range(2))
    assert isinstance(first, validate.OneOf)
    assert isinstance(second, validate.OneOf)
    assert first.choices == second.choices == [schemas.JSON, schemas.PNG]
    assert first.choices is not second.choices  # DEEPaaS appends to them


def test_an_error_survives_pickling() -> None:
    error = RequestError(503, "a sentence", {"data": ["a rule"]}, retry_after=7)
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (copy.status, copy.text, str(copy)) == (503, error.text, "a sentence")
    assert copy.headers == error.headers
    assert copy.headers["Retry-After"] == "7"


def test_a_bug_is_a_500_without_its_words_and_the_upload_is_deleted(
    tmp_path: Path, flower: Path, caplog: pytest.LogCaptureFixture
) -> None:
    upload = tmp_path / "upload"
    upload.write_bytes(flower.read_bytes())
    defaults = {name: field.load_default for name, field in api.get_predict_args().items()}
    defaults["data"] = UploadedFile("data", str(upload), "image/jpeg", "flower.jpg")
    with pytest.raises(RequestError) as caught:
        api.predict(**{**defaults, "organs": 7})  # DEEPaaS hands on a list
    assert caught.value.status == 500
    body = json.loads(caught.value.text or "")
    assert "int" not in body["message"]
    assert body["errors"] == {}
    assert body["request_id"] in caplog.text
    assert "TypeError" in caplog.text
    assert not upload.exists()


@pytest.mark.parametrize(
    ("command_line", "workers"),
    [
        ([], 1),
        (["--workers", "3"], 3),
        (["-p", "2", "--listen-port", "5001", "--nowarm"], 2),
    ],
)
def test_a_worker_process_knows_how_many_there_are(
    monkeypatch: pytest.MonkeyPatch, command_line: list[str], workers: int
) -> None:
    monkeypatch.setattr(sys, "argv", ["deepaas-run", *command_line])
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(api._workers) == workers


def test_outside_of_a_server_there_is_one_worker() -> None:
    assert api._workers() == 1


def test_the_server_process_loads_neither_engine_nor_training(tmp_path: Path) -> None:
    program = (
        "import sys; from plant_classification import api;"
        "api.get_predict_args(); api.get_train_args(); api.get_metadata(); api.schema;"
        "print(*sys.modules)"
    )
    modules = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PLANT_CLASSIFICATION_MODELS_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    ).stdout.split()
    assert not {"openvino", "tensorflow", "keras", "requests_hardened"} & set(modules)
