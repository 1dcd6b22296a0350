"""A model of the old service behind ``deepaas-run``, asked as old clients do and as new ones."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from api.service import Service, environment, running
from api.test_deepaas_cli import run
from legacy_folders import write_legacy_folder
from PIL import Image
from processes import wait_until

pytestmark = pytest.mark.xdist_group("old service")

NAME = "2019-06-01_120000"
LABELS = ["Bellis perennis", "Taraxacum officinale", "Rosa canina", "Abies alba"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A server's folder, in whose models folder is one of the old service."""
    folder = tmp_path_factory.mktemp("old")
    environment(folder)
    write_legacy_folder(folder / "models" / NAME, size=64, labels=LABELS)
    (folder / "models" / NAME / "dataset_files/info.txt").write_text("daisy\n\nrose\nfir\n")
    checkpoints = folder / "models" / NAME / "ckpts"
    shutil.copy(checkpoints / "final_model.h5", checkpoints / "epoch-01.hdf5")
    return folder


@pytest.fixture(scope="module")
def service(folder: Path) -> Iterator[Service]:
    with running(folder, precision="f32") as service:
        yield service


def ask(service: Service, photo: Path, **arguments: Any) -> requests.Response:
    """What the server answers once a conversion that it may have to wait for has ended."""
    answers: list[requests.Response] = []

    def is_ready() -> bool:
        answers.append(service.post(photo, **arguments))
        return answers[-1].status_code != 503

    wait_until(is_ready, "the model is converted", 300)
    return answers[-1]


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"timestamp": f'"{NAME}"', "ckpt_name": '"final_model.h5"'},
        {"timestamp": NAME, "ckpt_name": "final_model.h5"},
        {"model": NAME},
        {"model": NAME, "timestamp": f'"{NAME}"', "ckpt_name": "null"},
    ],
    ids=["newest", "JSON in a string", "plain", "new name", "both"],
)
def test_old_and_new_arguments_get_the_old_model(
    service: Service, flower: Path, arguments: dict[str, str]
) -> None:
    answer = ask(service, flower, **arguments).json()
    assert answer["model"]["name"] == NAME
    assert answer["model"]["architecture"] == "mobilenet"
    assert answer["labels"] == ask(service, flower).json()["labels"]
    assert sum(answer["probabilities"]) == pytest.approx(1)


def test_another_checkpoint_can_be_asked_for(service: Service, flower: Path) -> None:
    answer = ask(service, flower, timestamp=NAME, ckpt_name="epoch-01.hdf5").json()
    assert answer["status"] == "OK"
    assert answer["model"]["version"] == ask(service, flower).json()["model"]["version"]


def test_a_checkpoint_that_is_not_there_is_refused_with_those_that_are(
    service: Service, flower: Path
) -> None:
    response = ask(service, flower, timestamp=NAME, ckpt_name='"epoch-99.hdf5"')
    assert response.status_code == 422
    assert "there are: final_model.h5, epoch-01.hdf5" in response.json()["errors"]["ckpt_name"][0]


def test_the_answer_has_the_fields_of_both_old_forms(service: Service, flower: Path) -> None:
    answer = ask(service, flower, top_k=4).json()
    old = answer["predictions"]
    assert answer["labels"] == old["labels"]
    assert answer["probabilities"] == old["probabilities"]
    infos = dict(zip(old["labels"], old["labels_info"], strict=True))
    assert infos == dict(zip(LABELS, ["daisy", "", "rose", "fir"], strict=True))
    assert [len(links) for links in old["links"].values()] == [4, 4]
    assert answer["safe_answer"]["name"] is None or answer["families"][0]["name"]


def test_the_metadata_name_the_old_model(service: Service) -> None:
    model = service.get("/v2/models/plant_classification/").json()["model"]
    assert (model["name"], model["architecture"], model["labels"]) == (NAME, "mobilenet", 4)


def test_the_answer_is_that_of_the_network_in_keras_2(
    service: Service, tmp_path: Path, shared: Path
) -> None:
    fixture = shared / "fixtures/legacy_mobilenet"
    expected = json.loads((fixture / "expected_response_photo0.json").read_text())
    place = service.models / "2018-01-01_000000"
    shutil.copytree(fixture, place, copy_function=shutil.copyfile)
    place.chmod(0o755)
    try:
        photo = tmp_path / "photo.png"
        Image.fromarray(np.load(fixture / "golden.npz")["photos"][0]).save(photo)
        answer = ask(service, photo, timestamp='"2018-01-01_000000"').json()
    finally:
        shutil.rmtree(place)
    assert answer["status"] == expected["status"]
    old, ours = expected["predictions"], answer["predictions"]
    assert ours["labels"] == old["labels"]
    np.testing.assert_allclose(ours["probabilities"], old["probabilities"], atol=1e-4)
    assert ours["labels_info"] == old["labels_info"]
    assert set(ours["links"]) == set(old["links"])


def test_a_model_that_cannot_be_converted_is_an_error_of_its_request_alone(
    service: Service, flower: Path
) -> None:
    place = service.models / "broken"
    shutil.copytree(service.models / NAME, place, ignore=shutil.ignore_patterns(".converted"))
    weights = place / "ckpts/final_model.h5"
    weights.write_bytes(weights.read_bytes()[:50_000])
    try:
        response = ask(service, flower, model="broken")
    finally:
        shutil.rmtree(place)
    assert response.status_code == 500
    request = response.json()["request_id"]
    assert f"request {request}" in service.log()
    assert "broken/ckpts/final_model.h5" in service.log()
    assert str(service.folder) not in response.text
    assert ask(service, flower).json()["status"] == "OK"


def test_deepaas_cli_takes_the_old_forms(folder: Path, service: Service, flower: Path) -> None:
    expected = ask(service, flower).json()["labels"]
    out = folder / "answer.json"
    words = ("--deepaas_method_output", out, "predict", "--data", flower)
    done = run(folder, *words, "--timestamp", f'"{NAME}"', "--ckpt_name", '"final_model.h5"')
    assert done.returncode == 0, done.stdout
    answer: dict[str, Any] = json.loads(out.read_text())
    assert answer["labels"] == expected


@pytest.mark.slow
def test_who_does_not_want_to_wait_for_a_conversion_is_told_when_to_ask_again(
    tmp_path: Path, folder: Path, flower: Path
) -> None:
    environment(tmp_path)
    old = tmp_path / "models/old"
    shutil.copytree(
        folder / "models" / NAME, old, ignore=shutil.ignore_patterns(".converted", "*.hdf5")
    )
    with running(tmp_path, deadline_seconds=3) as service:
        assert ask(service, flower, model="starter").status_code == 200
        shutil.rmtree(old / ".converted", ignore_errors=True)
        response = service.post(flower, model="old")
        assert response.status_code == 503
        assert int(response.headers["Retry-After"]) > 0
        assert "is being converted" in response.json()["message"]
        assert service.post(flower, model="starter").status_code == 200
        wait_until(lambda: service.post(flower, model="old").ok, "the old model answers", 120)
        assert len(list((old / ".converted").iterdir())) == 1
