"""Training over HTTP: a real ``deepaas-run`` starts, shows, ends and cancels trainings."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from api.service import MODULE, Service, running
from api.test_bad_requests import refused
from drawn_plants import SPECIES, draw_plants
from processes import all_gone, children, wait_until

from plant_classification import api
from plant_classification.training.config import WITHOUT_PURPOSE, training_options

pytestmark = pytest.mark.xdist_group("training")

FAST = {"base_directory": "plants", "mode": "fast", "init": "starter"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("deepaas")
    draw_plants(folder / "data" / "plants")
    draw_plants(folder / "data" / "many", photos=40)
    (folder / "data" / "empty").mkdir()
    draw_plants(folder / "elsewhere" / "secret")
    (folder / "data" / "way_out").symlink_to(folder / "elsewhere")
    draw_plants(folder / "data" / "leaky", species=1, photos=1)
    (folder / "data" / "leaky" / "way_out").symlink_to(folder / "elsewhere")
    (folder / "data" / "circle").symlink_to(folder / "data" / "circle")
    with running(folder, "--workers", "2", **folders(folder)) as service:
        yield service


def folders(folder: Path) -> dict[str, Path]:
    return {"data_dir": folder / "data", "trainings_dir": folder / "trainings"}


def address(service: Service, uuid: str = "") -> str:
    return f"{service.root}/v2/models/{MODULE}/train/{uuid}"


def start(service: Service, **arguments: Any) -> requests.Response:
    return requests.post(address(service), params=arguments, timeout=60)


def end(service: Service, started: requests.Response) -> dict[str, Any]:
    """The status of a training that was started, when it is no longer running."""
    assert started.status_code == 200, started.text
    uuid = started.json()["uuid"]
    status: dict[str, Any] = {}

    def has_ended() -> bool:
        nonlocal status
        status = requests.get(address(service, uuid), timeout=60).json()
        return bool(status["status"] != "running")

    wait_until(has_ended, "the training has ended", 300)
    return status


def left(service: Service) -> list[str]:
    """What is in the folders of models and trainings, but the models that tests have made."""
    folders = (service.models, service.folder / "trainings")
    return sorted(path.name for folder in folders if folder.exists() for path in folder.iterdir())


def test_a_training_gives_a_model_that_predicts_by_its_name(service: Service) -> None:
    started = start(service, **FAST, name="garden")
    assert started.json()["status"] == "running"
    status = end(service, started)
    assert status["status"] == "done", status["message"]
    output = status["result"]["output"]
    assert output["modelname"] == output["model"]["name"] == "garden"
    assert output["model"]["labels"] == 3
    assert 0 <= output["model"]["metrics"]["val"]["top_1"] <= 1
    assert output["warnings"] == []
    report = service.models / output["report"]
    assert report.read_text().lstrip().lower().startswith("<!doctype html>")
    photo = service.folder / "data" / "plants" / SPECIES[0] / "0.jpg"
    answer = service.post(photo, model="garden").json()
    assert answer["labels"][0] == SPECIES[0]
    assert answer["model"]["version"] == output["model"]["version"]
    metadata = service.get(f"/v2/models/{MODULE}/").json()
    assert metadata["model"]["name"] == "garden"


def test_the_old_services_arguments_come_as_json_and_those_without_purpose_are_told(
    service: Service,
) -> None:
    old = {
        "base_directory": '"plants"',
        "mode": '"fast"',
        "init": '"starter"',
        "image_size": "null",
        "initial_lr": "0.001",
        "epochs": "7",
        "lr_step_schedule": "[0.7, 0.9]",
        "train_mode": '{"h_flip": 0.5}',
        "use_early_stopping": "false",
        "mean_RGB": "",
        "use_remote": "false",
        "use_multiprocessing": '"true"',
        "what_nobody_knows": "1",
    }
    status = end(service, start(service, **old))
    assert status["status"] == "done", status["message"]
    warned = [warning.split()[0] for warning in status["result"]["output"]["warnings"]]
    assert sorted(warned) == ["use_multiprocessing", "use_remote"]
    assert status["args"]["epochs"] == 7


def test_arguments_come_as_a_form_or_as_json_too(service: Service) -> None:
    as_form = requests.post(address(service), data={**FAST, "epochs": "0"}, timeout=60)
    as_json = requests.post(address(service), json={**FAST, "epochs": 0}, timeout=60)
    assert "epochs" in refused(as_form, 422, "epochs")
    assert "epochs" in refused(as_json, 422, "epochs")
    augmented = {**FAST, "train_mode": {"h_flip": 2}}
    response = requests.post(address(service), json=augmented, timeout=60)
    assert "from 0 to 1" in refused(response, 422, "train_mode")


def test_json_without_end_is_refused_like_any_other(service: Service) -> None:
    deep = {**FAST, "train_mode": "[" * 100_000}
    response = requests.post(address(service), data=deep, timeout=60)
    assert "probabilities by name" in refused(response, 422, "train_mode")
    for depth in range(200, 1200, 50):
        body = '{"train_mode": ' + "[" * depth + "]" * depth + "}"
        response = requests.post(
            address(service), data=body, headers={"Content-Type": "application/json"}, timeout=60
        )
        assert response.status_code in (400, 422), depth


@pytest.mark.parametrize(
    ("argument", "value", "rule"),
    [
        ("mode", "faster", "one of: normal, fast"),
        ("epochs", "0", "greater than or equal to 1"),
        ("epochs", "1.5", "integer"),
        ("initial_lr", "-1", "greater than or equal to 0"),
        ("initial_lr", "NaN", "nan"),
        ("use_validation", "perhaps", "boolean"),
        ("batch_size", "0", "whole number from 1 to 4096, or auto"),
        ("batch_size", "many", "whole number from 1 to 4096, or auto"),
        ("lr_step_schedule", "[0.9, 0.7]", "growing list of fractions"),
        ("mean_RGB", "[1, 2]", "three numbers"),
        ("train_mode", '{"h_flop": 1}', "no augmentation; there are"),
        ("tensorboard_port", "70000", "less than or equal to 65535"),
        ("name", "../up", "letters, digits"),
        ("name", "starter", "means something else"),
        ("name", "imagenet", "means something else"),
        ("init", "/etc/passwd", "There is no model"),
        ("init", "../starter", "There is no model"),
        ("extend", "nobody", "There is no model"),
    ],
)
def test_an_argument_that_cannot_be_used_is_refused_with_its_rule(
    service: Service, argument: str, value: str, rule: str
) -> None:
    before = requests.get(address(service), timeout=60).json()
    response = start(service, **{**FAST, argument: value})
    assert rule.lower() in refused(response, 422, argument).lower()
    assert requests.get(address(service), timeout=60).json() == before


@pytest.mark.parametrize(
    "place",
    [
        "/etc",
        "..",
        "../elsewhere/secret",
        "plants/../../elsewhere",
        "way_out",
        "way_out/secret",
        "way_out/not there",
        "plants\0",
        "x" * 300,
    ],
)
def test_a_data_set_lies_in_the_data_directory(service: Service, place: str) -> None:
    sentence = refused(start(service, **{**FAST, "base_directory": place}), 422, "base_directory")
    assert "Must be a path inside the data directory" in sentence


@pytest.mark.parametrize("place", ["roses", "circle"])
def test_a_data_set_that_is_not_there_is_told(service: Service, place: str) -> None:
    response = start(service, **{**FAST, "base_directory": place})
    assert f"nothing of that name in the data directory of the server. {place!r} came" in refused(
        response, 422, "base_directory"
    )


@pytest.mark.parametrize("place", ["/etc", "../many"])
def test_the_photos_folder_lies_in_the_data_set(service: Service, place: str) -> None:
    sentence = refused(
        start(service, **{**FAST, "images_directory": place}), 422, "images_directory"
    )
    assert "Must be a path inside the data set" in sentence


def test_a_link_out_of_the_data_set_is_seen_when_it_starts(service: Service) -> None:
    leaky = {**FAST, "base_directory": "leaky", "images_directory": "way_out/secret"}
    status = end(service, start(service, **leaky))
    assert status["status"] == "error"
    assert "Must be a path inside the data set" in status["message"]


def test_a_data_set_that_cannot_be_used_is_a_sentence_without_places_of_the_server(
    service: Service,
) -> None:
    before = left(service)
    status = end(service, start(service, **{**FAST, "base_directory": "empty"}))
    assert status["status"] == "error"
    assert "empty" in status["message"]
    assert str(service.folder) not in status["message"]
    assert left(service) == before


def training_processes(service: Service) -> list[int]:
    """The guards of trainings, and what they guard."""
    guards = [
        child
        for worker in children(service.pid)
        for child in children(worker)
        if b"training import process" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]
    return [*guards, *(trainer for guard in guards for trainer in children(guard))]


def started_well(service: Service, **arguments: Any) -> tuple[str, list[int]]:
    """A training that has begun, and its processes."""
    chosen = {**FAST, "base_directory": "many", "views": 64, **arguments}
    uuid = start(service, **chosen).json()["uuid"]
    progress = service.folder / "trainings" / str(arguments["name"]) / "progress.json"
    wait_until(lambda: progress.exists() and "starting" not in progress.read_text(), "it trains")
    processes = training_processes(service)
    assert len(processes) == 2
    return uuid, processes


def test_cancelling_leaves_no_model_and_no_process(service: Service, flower: Path) -> None:
    before = left(service)
    uuid, processes = started_well(service, name="cancelled")
    requests.delete(address(service, uuid), timeout=60)  # DEEPaaS 2.6 says 500 although it worked
    wait_until(all_gone(processes), "the training is gone")
    assert left(service) == before
    assert requests.get(address(service, uuid), timeout=60).status_code == 404
    for _ in range(2):  # a worker each
        assert service.post(flower, model="starter").status_code == 200


def test_a_training_that_is_killed_ends_with_a_sentence_and_predict_goes_on(
    service: Service, flower: Path
) -> None:
    uuid, (_, trainer) = started_well(service, name="killed")
    assert service.post(flower, model="starter").status_code == 200  # by the other worker
    os.kill(trainer, signal.SIGKILL)
    status: dict[str, Any] = {}

    def has_ended() -> bool:
        status.update(requests.get(address(service, uuid), timeout=60).json())
        return bool(status["status"] != "running")

    wait_until(has_ended, "the training has ended")
    assert status["status"] == "error"
    assert "died (SIGKILL)" in status["message"]
    assert service.post(flower, model="starter").status_code == 200


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_server_that_ends_takes_its_trainings_along(
    tmp_path: Path, number: signal.Signals
) -> None:
    draw_plants(tmp_path / "data" / "many", photos=40)
    with running(tmp_path, **folders(tmp_path)) as service:
        _, processes = started_well(service, name="orphan")
        processes += children(service.pid)
        os.kill(service.pid, number)
        wait_until(all_gone(processes), "the training is gone")
        assert left(service) == []


def test_every_option_and_every_old_argument_is_an_argument() -> None:
    assert list(api.get_train_args()) == [*training_options(), *WITHOUT_PURPOSE]
