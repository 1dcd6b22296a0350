"""What a client may do to a server, on purpose or not: the others are served all the same."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from api.service import MODULE, SERVE, Service, environment, serving_all
from api.test_bad_requests import refused
from drawn_plants import draw_plants
from processes import alive, all_gone, children, wait_until

from plant_classification.server.uploads import MOST_HELD

pytestmark = pytest.mark.xdist_group("hostile")

TRAIN = f"/v2/models/{MODULE}/train/"
PREDICT = f"/v2/models/{MODULE}/predict/"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("hostile")
    draw_plants(folder / "data" / "plants")
    damage(folder / "trainings" / ".asked")
    folders = {"data_dir": folder / "data", "trainings_dir": folder / "trainings"}
    with serving_all(folder, "--processes", "1", deadline_seconds=8, **folders) as service:
        yield service
        wait_until(lambda: service.temporary_files() == [], "no upload is left")


def damage(folder: Path) -> None:
    """What may lie where trainings are remembered."""
    folder.mkdir(parents=True)
    date = "2026-01-01 00:00:00.000000"
    for name, text in {
        "empty": "",
        "deep": "[" * 100_000,
        "list": "[]",
        "args": json.dumps({"date": date, "args": []}),
        "date": json.dumps({"date": "yesterday", "args": {}}),
        "result": json.dumps({"date": date, "args": {}, "result": 5}),
        "good": json.dumps({"date": date, "args": {}, "message": "It failed."}),
    }.items():
        (folder / f"{name}.json").write_text(text)
    (folder / "nowhere.json").symlink_to(folder / "gone")
    (folder / "circle.json").symlink_to(folder / "circle.json")
    os.mkfifo(folder / "pipe.json")


def connected(service: Service) -> socket.socket:
    host, port = service.root.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), 60)


def test_damaged_memories_of_trainings_are_passed_over(service: Service) -> None:
    listed = {one["uuid"]: one for one in service.get(TRAIN).json()}
    assert listed["good"]["status"] == "error"
    assert listed["good"]["message"] == "It failed."
    assert len(listed) == 1


def test_a_long_list_of_what_cannot_be_used_gets_a_short_answer(service: Service) -> None:
    for count in (100, 20_000):
        body = json.dumps({"urls": [1] * count})
        headers = {"Content-Type": "application/json"}
        response = requests.post(service.address, body, headers=headers, timeout=60)
        refused(response, 422, "urls")
        assert len(response.text) < 1000


@pytest.mark.parametrize("path", [PREDICT, "/v2/identify/all", "/healthz", "/nowhere", TRAIN])
def test_compressed_bodies_are_refused_as_they_are(service: Service, path: str) -> None:
    bomb = gzip.compress(bytes(200_000_000), 1)
    encodings = [("Content-Encoding: identity\r\n" if twice else "") for twice in (False, True)]
    before = cpu_seconds(service.pid)
    for also in encodings:
        with connected(service) as opened:
            opened.sendall(
                f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{also}Content-Encoding: gzip\r\n"
                "Content-Type: multipart/form-data; boundary=x\r\n"
                f"Content-Length: {len(bomb)}\r\n\r\n".encode()
                + bomb
            )
            assert opened.recv(1000).startswith(b"HTTP/1.1 4")
    assert cpu_seconds(service.pid) - before < cpu_to_inflate(bomb)


def cpu_seconds(pid: int) -> float:
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def cpu_to_inflate(bomb: bytes) -> float:
    """What it takes to open one such bomb."""
    start = time.process_time()
    gzip.decompress(bomb)
    return time.process_time() - start


def test_a_page_of_another_site_cannot_act_in_the_name_of_who_looks_at_it(
    service: Service, flower: Path
) -> None:
    photo = {"data": flower.read_bytes()}
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        for address in (service.address, f"{service.root}{TRAIN}"):
            response = requests.post(address, files=photo, headers=headers, timeout=60)
            assert "Pages of other sites" in refused(response, 403)
    behind_a_proxy = {"Origin": "https://plants.example", "Sec-Fetch-Site": "same-origin"}
    for own in ({"Origin": service.root}, behind_a_proxy):
        assert requests.post(service.address, files=photo, headers=own, timeout=60).ok
    renamed = requests.get(service.root, headers={"Host": "evil.example"}, timeout=60)
    assert "--public" in refused(renamed, 403)
    for name in ("localhost", "LOCALHOST:5000", "[::1]", "[::1]:80", "127.0.0.1"):
        assert requests.get(service.root, headers={"Host": name}, timeout=60).ok


def test_a_server_may_be_called_as_it_was_told_to_listen(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.2", 0)) as free:
        port = free.getsockname()[1]
    command: list[Path | str] = [
        *SERVE,
        "--processes",
        "1",
        "--host",
        "127.0.0.2",
        "--port",
        str(port),
    ]
    answered: list[int] = []

    def answers() -> bool:
        with contextlib.suppress(requests.ConnectionError):
            address = f"http://127.0.0.2:{port}/healthz"
            answered.append(requests.get(address, timeout=60).status_code)
        return bool(answered)

    with subprocess.Popen(command, env=environment(tmp_path), stderr=subprocess.DEVNULL) as server:
        try:
            wait_until(answers, "it answers")
        finally:
            server.terminate()
    assert answered == [200]


@pytest.mark.parametrize("path", [PREDICT, "/v2/identify/all"])
def test_a_body_that_does_not_come_is_given_up(service: Service, path: str) -> None:
    with connected(service) as opened:
        opened.sendall(
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n"
            "Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n".encode()
        )
        assert opened.recv(1000).startswith(b"HTTP/1.1 408 ")


def test_all_bodies_together_have_a_bound(service: Service) -> None:
    head = (
        f"POST {PREDICT} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 51000000\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
    )
    with contextlib.ExitStack() as stack:
        for _ in range(MOST_HELD // 51_000_000):
            stack.enter_context(connected(service)).sendall(head.encode())
        wait_until(lambda: service.post(bytes(3_000_000)).status_code == 503, "it is full", 7)
        assert "at once" in refused(service.post(bytes(3_000_000)), 503)
        assert service.get("/healthz").ok
    wait_until(lambda: service.post(bytes(3_000_000)).status_code == 415, "there is room again")


def test_what_was_sent_is_not_in_the_log_where_it_cannot_be_read(service: Service) -> None:
    for line in ("GET /?api-key=SECRET HTTP/9.9", "GET /?api-key=SECRET&x=\x01 HTTP/1.1"):
        with connected(service) as opened:
            opened.sendall(f"{line}\r\nHost: 127.0.0.1\r\n\r\n".encode())
            assert opened.recv(1000).startswith(b"HTTP/1.0 400 ")
    assert "SECRET" not in service.log()
    assert "Traceback" not in service.log()


def test_a_wrong_method_is_told_the_right_ones(service: Service) -> None:
    response = requests.delete(f"{service.root}/healthz", timeout=60)
    refused(response, 405)
    assert "GET" in response.headers["Allow"]


def test_uploads_of_clients_that_leave_are_not_kept(service: Service) -> None:
    content = b"--x\r\nContent-Disposition: form-data; name=data; filename=a\r\n\r\n"
    content += bytes(3_000_000) + b"\r\n--x--\r\n"
    for turn in range(40):
        opened = connected(service)
        opened.sendall(
            f"POST {PREDICT} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(content)}\r\n"
            "Content-Type: multipart/form-data; boundary=x\r\n\r\n".encode()
            + content
        )
        time.sleep(0.0005 * turn)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        opened.close()
    wait_until(lambda: service.temporary_files() == [], "no upload is left")


def trained(service: Service, name: str) -> requests.Response:
    options = {"base_directory": "plants", "mode": "fast", "init": "starter", "name": name}
    return requests.post(f"{service.root}{TRAIN}", params=options, timeout=60)


def status(service: Service, training: str) -> dict[str, str]:
    found: dict[str, str] = service.get(f"{TRAIN}{training}").json()
    return found


def trainers(service: Service) -> list[int]:
    def is_one(pid: int) -> bool:
        return b"training_lane" in Path(f"/proc/{pid}/cmdline").read_bytes()

    return [pid for pid in children(service.pid) if alive(pid) and is_one(pid)]


def test_a_training_whose_process_is_killed_is_told_and_the_next_one_runs(
    service: Service,
) -> None:
    names = [trained(service, f"killed{place}").json()["uuid"] for place in range(2)]
    wait_until(lambda: trainers(service), "it trains")
    (first,) = trainers(service)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: status(service, names[0])["status"] == "error", "it is told")
    assert "died" in status(service, names[0])["message"]
    wait_until(lambda: trainers(service) not in ([], [first]), "the next one trains")
    for name in names:
        assert requests.delete(f"{service.root}{TRAIN}{name}", timeout=60).ok
    wait_until(lambda: trainers(service) == [], "no training runs")


def test_so_many_trainings_wait_and_each_can_be_cancelled(service: Service) -> None:
    with ThreadPoolExecutor(12) as pool:
        told = [*pool.map(lambda place: trained(service, f"waits{place}"), range(12))]
    begun = [response.json()["uuid"] for response in told if response.ok]
    assert len(begun) == 8
    for response in told:
        if not response.ok:
            assert "8 trainings" in refused(response, 503)
            assert int(response.headers["Retry-After"]) > 0
    for name in begun:
        response = requests.delete(f"{service.root}{TRAIN}{name}", timeout=60)
        assert response.json()["status"] == "cancelled"
    wait_until(lambda: trainers(service) == [], "no training runs")
    assert requests.delete(f"{service.root}{TRAIN}%00", timeout=60).status_code == 404
    assert not list((service.folder / "models").glob("waits*"))


def test_a_training_whose_file_cannot_be_removed_is_cancelled_all_the_same(
    service: Service,
) -> None:
    name = trained(service, "kept").json()["uuid"]
    wait_until(lambda: trainers(service), "it trains")
    file = service.folder / "trainings" / ".asked" / f"{name}.json"
    file.unlink()
    file.mkdir()
    response = requests.delete(f"{service.root}{TRAIN}{name}", timeout=60)
    assert response.json()["status"] == "cancelled"
    wait_until(lambda: trainers(service) == [], "no training runs")
    assert f"the training {name} will be listed again" in service.log()


def test_a_signal_to_all_processes_ends_the_server(tmp_path: Path, flower: Path) -> None:
    with serving_all(tmp_path, "--processes", "1") as service:
        assert service.post(flower).ok
        kin = [service.pid, *children(service.pid)]
        for pid in kin:
            os.kill(pid, signal.SIGTERM)
        wait_until(all_gone(kin), "all have ended")
