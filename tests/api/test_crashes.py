"""A real ``deepaas-run`` whose processes are killed, or too slow: the next request is answered."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from api.service import WORKERS, Service, running
from api.test_bad_requests import refused
from api.web import Web
from coverage import Coverage
from mutations import mutated_photos
from processes import all_gone, children, resident, wait_until

pytestmark = pytest.mark.xdist_group("deepaas")

MUTATED = 200
MOST_GROWTH = 30_000_000
"""Bytes that the least memory of the inference processes may rise by, from the first hundred
mutated photos to the second. The least, since what one large photo took may stay for a while."""


def refused_when_killed(service: Service, photo: Path) -> None:
    """Kill the inference processes while one works: its request is told so."""
    with service.paused(), ThreadPoolExecutor(1) as pool:
        pending = pool.submit(service.post, photo)
        while not pending.done():  # one that was killed too early is replaced
            with suppress(OSError):  # it is gone already
                for child in service.inference_processes():
                    os.kill(child, signal.SIGKILL)
            time.sleep(0.05)
        response = pending.result()
    assert "died" in refused(response, 503)
    assert int(response.headers["Retry-After"]) > 0


def test_each_worker_has_one_inference_process(service: Service) -> None:
    assert len(service.inference_processes()) == WORKERS


def test_killing_the_inference_process_is_an_error_of_its_request_alone(
    service: Service, flower: Path
) -> None:
    refused_when_killed(service, flower)
    for _ in range(2 * WORKERS):
        assert service.post(flower).status_code == 200


def test_two_hundred_mutated_photos_are_answered_or_refused_and_memory_stays_flat(
    service: Service, flower: Path
) -> None:
    if Coverage.current():
        pytest.skip("what coverage writes down takes memory of its own")
    processes = service.inference_processes()
    memory = []
    statuses = []
    for done, content in mutated_photos(MUTATED, 11, flower):
        response = service.post(content)
        assert response.status_code in (200, 413, 415, 422), f"{done}: {response.text}"
        statuses.append(response.status_code)
        memory.append(sum(map(resident, processes)))
    assert {200, 415, 422} <= set(statuses)
    assert service.inference_processes() == processes
    half = MUTATED // 2
    assert min(memory[half:]) - min(memory[:half]) < MOST_GROWTH


def test_a_request_over_the_deadline_gets_504_and_the_next_one_is_answered(
    tmp_path: Path, web: Web, flower: Path
) -> None:
    limits = {"url_seconds": 600, "deadline_seconds": 10}
    with running(tmp_path, url_private_hosts=web.host, **limits) as service:
        assert "10 seconds" in refused(service.post(urls=f"{web.root}/silent"), 504)
        assert service.post(flower).status_code == 200
        assert service.temporary_files() == []


def test_a_killed_worker_takes_its_inference_process_with_it(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        (child,) = service.inference_processes()
        (worker,) = (pid for pid in children(service.pid) if child in children(pid))
        os.kill(worker, signal.SIGKILL)
        wait_until(all_gone([worker, child]), "the worker and its child are gone")
        # DEEPaaS puts a new worker there, which waits for a lock of the dead one: not even
        # SIGTERM ends such a server.
        for pid in [service.pid, *children(service.pid)]:
            os.kill(pid, signal.SIGKILL)


def test_a_killed_server_leaves_no_process_behind(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        kin = [*children(service.pid), *service.inference_processes()]
        assert len(service.inference_processes()) == 1
        os.kill(service.pid, signal.SIGKILL)
        wait_until(all_gone(kin), "all processes of the server are gone")


def test_a_setting_that_cannot_be_used_stops_the_server_with_a_sentence(tmp_path: Path) -> None:
    sentence = "PLANT_CLASSIFICATION_MAX_PHOTOS sets max_photos to 'many'"
    with pytest.raises(AssertionError, match=sentence), running(tmp_path, max_photos="many"):
        pass
