"""An hour of everything at once: at its end the server is as it was after some minutes.

``SOAK_SECONDS`` makes it shorter or longer.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from api.service import MODULE, Service, serving_all
from api.web import Web
from drawn_plants import draw_plants
from mutations import mutated_photos
from processes import alive, children, resident, wait_until

SECONDS = float(os.environ.get("SOAK_SECONDS", "3600"))
PROCESSES = 2
MOST_GROWTH = 1.25
CLIENTS = 6


class Load:
    """What clients do until the end, and how often each kind of answer came."""

    def __init__(self, service: Service, site: Web, flower: Path) -> None:
        self.service, self.site = service, site
        self.photo = flower.read_bytes()
        self.damaged = [content for _, content in mutated_photos(300, 7, flower)]
        self.answers: Counter[tuple[str, int]] = Counter()
        self.faults: list[str] = []
        self.end = time.monotonic() + SECONDS

    def run(self, number: int) -> None:
        """One client."""
        chance = random.Random(number)
        kinds: list[tuple[Callable[[random.Random], requests.Response | None], int]] = [
            (self.good, 40),
            (self.bad, 30),
            (self.by_address, 8),
            (self.plantnet, 15),
            (self.leaving, 5),
            (self.training, 1),
            (self.looking, 5),
        ]
        while time.monotonic() < self.end:
            ((kind, _),) = chance.choices(kinds, [weight for _, weight in kinds])
            try:
                response = kind(chance)
            except requests.ConnectionError as error:
                self.faults.append(f"{kind.__name__}: {error}")
                continue
            if response is not None:
                self.answers[kind.__name__, response.status_code] += 1

    def good(self, _chance: random.Random) -> requests.Response:
        return requests.post(self.service.address, files={"data": self.photo}, timeout=120)

    def bad(self, chance: random.Random) -> requests.Response:
        content = chance.choice(self.damaged)
        return requests.post(self.service.address, files={"data": content}, timeout=120)

    def by_address(self, chance: random.Random) -> requests.Response:
        path = chance.choice(("/photo", "/missing", "/silent"))
        address = f"{self.site.root}{path}"
        return requests.post(self.service.address, params={"urls": address}, timeout=120)

    def plantnet(self, chance: random.Random) -> requests.Response:
        content = chance.choice((self.photo, chance.choice(self.damaged)))
        address = f"{self.service.root}/v2/identify/all"
        return requests.post(address, files={"images": content}, timeout=120)

    def leaving(self, chance: random.Random) -> None:
        with contextlib.suppress(requests.RequestException):
            self.good_within(chance.uniform(0.001, 0.05))

    def good_within(self, seconds: float) -> None:
        requests.post(self.service.address, files={"data": self.photo}, timeout=seconds)

    def training(self, chance: random.Random) -> requests.Response:
        address = f"{self.service.root}/v2/models/{MODULE}/train/"
        options = {
            "base_directory": "plants",
            "mode": "fast",
            "init": "starter",
            "name": f"soak{chance.getrandbits(40)}",
        }
        begun = requests.post(address, params=options, timeout=120)
        if begun.ok and chance.random() < 0.7:
            time.sleep(chance.uniform(0, 3))
            requests.delete(address + begun.json()["uuid"], timeout=120)
        return begun

    def looking(self, chance: random.Random) -> requests.Response:
        path = chance.choice(("/", "/metrics", "/page/models", f"/v2/models/{MODULE}/train/"))
        return requests.get(self.service.root + path, timeout=120)


def kill_now_and_then(service: Service, end: float) -> None:
    chance = random.Random(99)
    while time.monotonic() < end:
        time.sleep(chance.uniform(5, 25))
        with contextlib.suppress(ProcessLookupError, ValueError):
            how = chance.choice((signal.SIGKILL, signal.SIGSEGV))
            os.kill(chance.choice(children(service.pid)), how)


def used(service: Service) -> tuple[int, int, int]:
    """Bytes and open files of the server itself, and how many processes it has."""
    files = len(list(Path(f"/proc/{service.pid}/fd").iterdir()))
    return resident(service.pid), files, sum(map(alive, children(service.pid)))


@pytest.mark.soak
@pytest.mark.xdist_group("soak")
def test_memory_files_and_processes_are_flat(tmp_path: Path, site: Web, flower: Path) -> None:
    draw_plants(tmp_path / "data" / "plants")
    folders = {"data_dir": tmp_path / "data", "trainings_dir": tmp_path / "trainings"}
    limits = {"url_private_hosts": site.host, "url_seconds": 2, "deadline_seconds": 20}
    options = ("--processes", str(PROCESSES))
    with serving_all(tmp_path, *options, **folders, **limits) as service:
        load = Load(service, site, flower)
        clients = [threading.Thread(target=load.run, args=(number,)) for number in range(CLIENTS)]
        killer = threading.Thread(target=kill_now_and_then, args=(service, load.end))
        for thread in (*clients, killer):
            thread.start()
        seen = []
        while time.monotonic() < load.end:
            time.sleep(min(30, SECONDS / 20))
            seen.append(used(service))
        for thread in (*clients, killer):
            thread.join()
        wait_until(lambda: service.get("/readyz").ok, "it is ready")
        trainings = service.get(f"/v2/models/{MODULE}/train/").json()
        for one in trainings:
            requests.delete(f"{service.root}/v2/models/{MODULE}/train/{one['uuid']}", timeout=60)
        for _ in range(4 * PROCESSES):
            assert service.post(flower).ok
        wait_until(lambda: used(service)[2] == PROCESSES, "it has its processes and no other")
        wait_until(lambda: service.temporary_files() == [], "no upload is left")
        memory, files, _ = used(service)
        begun = seen[len(seen) // 5]
        print(f"\n{sum(load.answers.values()):,} answers: {dict(sorted(load.answers.items()))}")
        print(f"memory {begun[0] / 2**20:.0f} -> {memory / 2**20:.0f} MiB, most {max(seen)[0]:,}")
        print(f"open files {begun[1]} -> {files}; processes {begun[2]} -> {PROCESSES}")
        assert load.faults == []
        statuses = {status for _, status in load.answers}
        assert 500 not in statuses, load.answers
        assert load.answers["good", 200] > load.answers["good", 503] * 3
        assert memory < MOST_GROWTH * begun[0]
        assert files <= begun[1] + 5
