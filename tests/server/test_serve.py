"""``plant-classification serve``: a real server, killed, flooded, asked wrongly and stopped."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import pytest
import requests
from api.service import MODULE, Service, serving_all, serving_unready
from api.test_bad_requests import refused
from api.test_crashes import refused_when_killed
from api.web import Web
from click.testing import CliRunner
from drawn_plants import draw_plants
from processes import all_gone, wait_until
from tiny_network import write_tiny_model

from plant_classification import Answer
from plant_classification.cli import cli
from plant_classification.models.choosing import STARTER_FOLDER
from plant_classification.models.folder import NETWORK_WEIGHTS
from plant_classification.server.addresses import AT_ONCE

pytestmark = pytest.mark.xdist_group("serve")

PROCESSES = 2
DAHLIA = Path(__file__).parents[2] / "docs" / "dahlia.jpg"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, site: Web) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("serve")
    options = ("--processes", str(PROCESSES))
    with serving_all(folder, *options, url_private_hosts=site.host, url_seconds=30) as service:
        yield service
        assert service.temporary_files() == []


def test_it_says_what_the_classifier_says(service: Service, flower: Path, named: Answer) -> None:
    answer = service.post(flower).json()
    assert answer["labels"] == [candidate.label.name for candidate in named.candidates]
    assert answer["probabilities"][0] == pytest.approx(named.candidates[0].probability, abs=1e-4)


def test_deepaas_is_there_whole(service: Service) -> None:
    assert MODULE in service.get("/v2/models/").text
    assert service.get("/swagger.json").ok
    assert service.get("/api").ok
    assert service.get("/").json()["versions"]


def test_the_models_folder_that_is_named_is_that_of_all_routes(tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    shutil.copytree(STARTER_FOLDER, folder / "garden")
    with serving_all(tmp_path, "--processes", "1", "--models-dir", str(folder)) as service:
        metadata = service.get(f"/v2/models/{MODULE}/").json()
        assert metadata["model"]["name"] == "garden"
        assert service.get("/page/models").json()["default"] == "garden"
        assert service.post(DAHLIA).json()["model"]["name"] == "garden"


def test_it_is_ready_when_its_model_is_mended_though_nobody_asks(tmp_path: Path) -> None:
    weights = write_tiny_model(tmp_path / "models" / "garden").path / NETWORK_WEIGHTS
    content = weights.read_bytes()
    weights.write_bytes(bytes(len(content)))
    with serving_unready(tmp_path, "--processes", "1") as service:
        wait_until(lambda: "cannot be used yet" in service.log(), "it has tried")
        for _ in range(3):
            assert service.get("/readyz").status_code == 503
        weights.write_bytes(content)
        wait_until(lambda: service.get("/readyz").ok, "it is ready")
        assert service.log().count("cannot be used yet") == 1


def test_process_and_model_are_told_apart(service: Service) -> None:
    assert service.get("/healthz").status_code == 200
    assert service.get("/readyz").status_code == 200


def test_every_answer_has_safe_headers_and_an_id_that_the_log_has(service: Service) -> None:
    for path in ("/healthz", "/nowhere"):
        response = service.get(path)
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        assert response.headers["X-Request-ID"] in service.log()
        assert "Access-Control-Allow-Origin" not in response.headers


def test_a_refusal_has_the_id_that_the_log_has(service: Service, flower: Path) -> None:
    response = service.post(flower, top_k=0)
    name = response.json()["request_id"]
    assert response.headers["X-Request-ID"] == name
    assert f'"request": "{name}"' in service.log()


def test_what_is_not_there_is_told_in_the_form_of_all_errors(service: Service) -> None:
    refused(service.get("/nowhere"), 404)
    refused(requests.delete(service.address, timeout=60), 405)


def test_the_log_tells_nothing_of_what_was_sent(service: Service, flower: Path) -> None:
    service.post(flower, region="a secret place")
    lines = [line for line in service.log().splitlines() if '"POST"' in line]
    told = json.loads(lines[-1][lines[-1].index("{") :])
    assert told["status"] == 422
    assert "secret" not in service.log()


def test_metrics_count_by_route(service: Service, flower: Path) -> None:
    service.post(flower)
    service.get("/a/path/that/nobody/knows")
    metrics = service.get("/metrics").text
    assert f'route="/v2/models/{MODULE}/predict/",status="200"' in metrics
    assert "nobody" not in metrics


def test_a_killed_process_costs_its_request_alone_and_is_replaced_warm(
    service: Service, flower: Path
) -> None:
    refused_when_killed(service, flower)
    with ThreadPoolExecutor(2 * PROCESSES) as pool:
        for response in pool.map(service.post, [flower] * 4 * PROCESSES):
            assert response.status_code == 200
    assert len(service.inference_processes()) == PROCESSES


def test_photos_are_read_side_by_side(service: Service, flower: Path) -> None:
    held = service.inference_processes()[0]
    os.kill(held, signal.SIGSTOP)
    with ThreadPoolExecutor(2) as pool:
        try:
            first, second = (pool.submit(service.post, flower) for _ in range(2))
            wait([first, second], 60, return_when=FIRST_COMPLETED)
            assert service.post(flower).status_code == 200
            assert first.done() != second.done()
        finally:
            os.kill(held, signal.SIGCONT)
        assert {first.result(60).status_code, second.result(60).status_code} == {200}


def test_a_photo_by_address_gets_the_same_answer(service: Service, site: Web, flower: Path) -> None:
    sent = service.post(flower).json()
    address = f"{site.root}/photo?size=large"
    fetched = service.post(urls=address).json()
    assert fetched["probabilities"] == sent["probabilities"]
    assert fetched["photos"] == [{**sent["photos"][0], "name": f"{site.root}/photo"}]
    inline = f"data:;base64,{base64.b64encode(DAHLIA.read_bytes()).decode()}"
    body = {"urls": [inline, address]}
    pair = requests.post(service.address, json=body, timeout=60).json()
    assert [photo["name"] for photo in pair["photos"]] == ["data: URI", f"{site.root}/photo"]


def test_addresses_that_fail_are_told_and_those_that_are_refused_are_not_asked(
    service: Service, site: Web, flower: Path
) -> None:
    site.asked.clear()
    pair = [f"{site.root}/photo", f"{site.root}/missing"]
    assert "status 404" in refused(service.post(urls=pair), 502, "urls")
    assert "6 came" in refused(service.post(urls=[f"{site.root}/silent"] * 6), 422, "urls")
    silent = f"{site.root}/silent"
    assert "both came" in refused(service.post(flower, urls=silent), 422, "data", "urls")
    assert not site.asked.is_set()


def test_slow_addresses_hold_up_those_alone_who_ask_by_address(
    tmp_path: Path, site: Web, flower: Path
) -> None:
    options = ("--processes", "1", "--most-waiting", "0")
    limits = {"url_private_hosts": site.host, "url_seconds": 8}
    slow = {"urls": f"{site.root}/silent"}
    with serving_all(tmp_path, *options, **limits) as service:
        clients = [waiting_client(service, params=slow) for _ in range(AT_ONCE)]
        wait_until(lambda: is_full(service, params=slow), "all are waiting")
        assert service.post(flower).status_code == 200
        for client in clients[::2]:
            client.close()
        for client in clients[1::2]:
            assert b"504" in client.recv(1000)
            client.close()
        photo = f"{site.root}/photo"
        wait_until(lambda: service.post(urls=photo).status_code == 200, "their places are free")


def test_what_is_fetched_for_a_request_has_a_bound(tmp_path: Path, site: Web) -> None:
    limits = {"url_private_hosts": site.host, "max_total_bytes": 200_000}
    with serving_all(tmp_path, "--processes", "1", **limits) as service:
        photo = f"{site.root}/photo"
        assert service.post(urls=photo).status_code == 200
        refused(service.post(urls=[photo, photo]), 413, "urls")
        by_plantnet = {"images": [photo, photo]}
        response = requests.get(f"{service.root}/v2/identify/all", by_plantnet, timeout=60)
        assert response.status_code == 413


def test_too_many_waiting_are_refused_and_who_leaves_makes_room(
    tmp_path: Path, flower: Path
) -> None:
    options = ("--processes", "1", "--most-waiting", "1")
    with (
        serving_all(tmp_path, *options, deadline_seconds=12) as service,
        service.paused(),
        ThreadPoolExecutor(1) as pool,
    ):
        photo = {"files": {"data": flower.read_bytes()}}
        slow = pool.submit(service.post, flower)
        wait_until(service.temporary_files, "it was sent")
        leaving = waiting_client(service, **photo)
        wait_until(lambda: is_full(service, **photo), "one waits")
        response = service.post(flower)
        assert "waiting" in refused(response, 503)
        assert int(response.headers["Retry-After"]) > 0
        leaving.close()
        wait_until(lambda: not is_full(service, **photo), "its place is free")
        assert "12 seconds" in refused(slow.result(60), 504)
        assert service.post(flower).status_code == 200
        wait_until(lambda: service.temporary_files() == [], "no upload is left")


def listens(service: Service) -> bool:
    try:
        service.get("/healthz")
    except requests.ConnectionError:
        return False
    return True


def waiting_client(service: Service, **request: Any) -> socket.socket:
    """Send a request, and wait for nothing."""
    prepared = requests.Request("POST", service.address, **request).prepare()
    body = prepared.body or b""
    assert isinstance(body, bytes)
    host, port = service.root.removeprefix("http://").split(":")
    opened = socket.create_connection((host, int(port)))
    head = f"POST {prepared.path_url} HTTP/1.1\r\nHost: {host}\r\n" + "".join(
        f"{name}: {value}\r\n" for name, value in prepared.headers.items()
    )
    opened.sendall(head.encode() + b"\r\n" + body)
    return opened


def is_full(service: Service, **request: Any) -> bool:
    try:
        response = requests.post(service.address, timeout=0.5, **request)
    except requests.Timeout:
        return False
    return response.status_code == 503


def test_a_body_over_the_limit_is_refused_before_all_of_it_came(tmp_path: Path) -> None:
    with serving_all(tmp_path, "--processes", "1", max_total_bytes=3_000_000) as service:
        host, port = service.root.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), 60) as opened:
            opened.sendall(
                f"POST /v2/models/{MODULE}/predict/ HTTP/1.1\r\nHost: {host}\r\n"
                "Content-Type: multipart/form-data; boundary=x\r\n"
                "Content-Length: 200000000\r\n\r\n"
                '--x\r\nContent-Disposition: form-data; name="data"; filename="a"\r\n\r\n'.encode()
            )
            opened.sendall(bytes(5_000_000))
            assert opened.recv(1000).startswith(b"HTTP/1.1 413 ")


def test_sigterm_finishes_what_runs(tmp_path: Path, flower: Path) -> None:
    with serving_all(tmp_path, "--processes", "1") as service:
        kin = service.inference_processes()
        with ThreadPoolExecutor(1) as pool:
            with service.paused():
                pending = pool.submit(service.post, flower)
                wait_until(service.temporary_files, "it was sent")
                os.kill(service.pid, signal.SIGTERM)
                wait_until(lambda: not listens(service), "it takes no more")
            assert pending.result(60).status_code == 200
        wait_until(all_gone([service.pid, *kin]), "it has ended")


@pytest.mark.slow
def test_sigterm_ends_what_hangs(tmp_path: Path, flower: Path) -> None:
    with (
        serving_all(tmp_path, "--processes", "1", deadline_seconds=600) as service,
        ThreadPoolExecutor(1) as pool,
        service.paused(),
    ):
        kin = service.inference_processes()
        pending = pool.submit(service.post, flower)
        wait_until(service.temporary_files, "it was sent")
        os.kill(service.pid, signal.SIGTERM)
        wait_until(all_gone([service.pid, *kin]), "it has ended")
        assert pending.exception(60)


def test_keys_are_asked_for_and_the_page_and_health_are_not(tmp_path: Path, flower: Path) -> None:
    file = tmp_path / "keys"
    made = CliRunner().invoke(cli, ["keys", "add", "park", "--api-keys", str(file)])
    key = made.stdout.strip()
    with serving_all(tmp_path, "--processes", "1", "--api-keys", str(file)) as service:
        response = service.post(flower)
        assert "API key" in refused(response, 401)
        assert response.headers["WWW-Authenticate"] == "Bearer"
        refused(service.get("/metrics"), 401)
        refused(service.get("/v2/models/"), 401)
        assert service.get("/healthz").ok
        assert requests.get(service.root, headers={"Accept": "text/html"}, timeout=60).ok
        bearer = {"Authorization": f"Bearer {key}"}
        photos = {"data": flower.read_bytes()}
        posted = requests.post(service.address, files=photos, headers=bearer, timeout=60)
        assert posted.status_code == 200
        assert service.post(flower, **{"api-key": key}).status_code == 200
        refused(service.post(flower, **{"api-key": key[:-1]}), 401)
        assert key not in service.log()
        assert '"key": "park"' in service.log()


def test_pages_of_other_sites_may_ask_where_they_are_welcome(tmp_path: Path) -> None:
    welcome = "https://park.example"
    with serving_all(tmp_path, "--processes", "1", "--cors", "https://Park.example") as service:
        for origin, allowed in ((welcome, welcome), ("https://other.example", None)):
            headers = {"Origin": origin}
            for response in (
                requests.get(f"{service.root}/v2/models/", headers=headers, timeout=60),
                requests.get(f"{service.root}/nowhere", headers=headers, timeout=60),
                requests.options(service.address, headers=headers, timeout=60),
            ):
                assert response.headers.get("Access-Control-Allow-Origin") == allowed


@pytest.mark.parametrize("origin", ["https://park.example/", "park.example", "https://"])
def test_a_site_that_no_browser_names_so_is_refused(origin: str) -> None:
    result = CliRunner().invoke(cli, ["serve", "--cors", origin])
    assert result.exit_code == 2
    assert "such as https://park.example" in result.stderr


@pytest.mark.slow
def test_trainings_are_remembered_over_a_restart(tmp_path: Path) -> None:
    draw_plants(tmp_path / "data" / "plants")
    folders = {"data_dir": tmp_path / "data", "trainings_dir": tmp_path / "trainings"}
    fast = {"base_directory": "plants", "mode": "fast", "init": "starter", "name": "first"}

    def trainings(service: Service) -> dict[str, dict[str, Any]]:
        listed = service.get(f"/v2/models/{MODULE}/train/").json()
        return {one["uuid"]: one for one in listed}

    with serving_all(tmp_path, "--processes", "1", **folders) as service:
        address = f"{service.root}/v2/models/{MODULE}/train/"
        first = requests.post(address, params=fast, timeout=60).json()["uuid"]
        wait_until(lambda: trainings(service)[first]["status"] != "running", "it ends", 300)
        done = trainings(service)[first]
        assert done["status"] == "done", done
        second = requests.post(address, params={**fast, "name": "second"}, timeout=60)
        stopped = second.json()["uuid"]
        time.sleep(1)
        os.kill(service.pid, signal.SIGKILL)
        wait_until(all_gone([service.pid]), "it is gone")
    with serving_all(tmp_path, "--processes", "1", **folders) as service:
        kept = trainings(service)
        assert kept[first] == done
        assert kept[stopped]["status"] == "error"
        assert "was stopped before this training ended" in kept[stopped]["message"]
        address = f"{service.root}/v2/models/{MODULE}/train/"
        requests.delete(address + stopped, timeout=60)
        assert set(trainings(service)) == {first}
