"""How many photos a second ``serve`` answers, how long a client waits, and whether it stays flat.

Run it with ``python benchmarks/serving.py [SECONDS]`` on a machine that does nothing else; eight
minutes. Needs the extras ``train``, for the network Xception, and ``serve``, and the photos of the
shared data: ``../shared``, or the folder that PLANT_SHARED names. Clients, server, decoding and the
network share the processors; decoding and the network one after the other are the ceiling. The
clients send requests that were made before, over connections that stay open.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import requests
from aiohttp import web
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.batch import bare, write_photos, write_xception
from benchmarks.figures import Figure, show
from plant_classification import Classifier
from plant_classification.models.choosing import STARTER_FOLDER

CLIENTS = (1, 4, 16, 64)
COUNT = 200
ROUNDS = 3
PORT = 5079
PATH = "/v2/models/plant_classification/predict/"
EDGE = "edge-of-a-part"


@dataclasses.dataclass(frozen=True)
class Load:
    """What some clients saw.

    Attributes:
        rate: Answers a second.
        seconds: ``float64 (N,)``, how long each was waited for.
        errors: Answers that were none.
    """

    rate: float
    seconds: NDArray[np.float64]
    errors: int


def requests_of(folder: Path, model: str) -> list[bytes]:
    """A whole request for each photo, as it goes over the wire."""
    made = []
    for path in sorted(folder.iterdir()):
        head = f'--{EDGE}\r\nContent-Disposition: form-data; name="data"; filename="a.jpg"\r\n\r\n'
        body = head.encode() + path.read_bytes() + f"\r\n--{EDGE}--\r\n".encode()
        made.append(
            (
                f"POST {PATH}?model={model} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                f"Content-Type: multipart/form-data; boundary={EDGE}\r\n"
                f"Content-Length: {len(body)}\r\n\r\n"
            ).encode()
            + body
        )
    return made


async def load(port: int, sent: list[bytes], clients: int, seconds: float) -> Load:
    """Let clients ask, each the next photo when it has its answer."""
    waited: list[float] = []
    errors = 0
    end = time.perf_counter() + seconds

    async def client(number: int) -> None:
        nonlocal errors
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        place = number
        while (start := time.perf_counter()) < end:
            writer.write(sent[place % len(sent)])
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split()[0])
            await reader.readexactly(length)
            waited.append(time.perf_counter() - start)
            errors += not head.startswith(b"HTTP/1.1 200 ")
            place += clients
        writer.close()

    start = time.perf_counter()
    await asyncio.gather(*map(client, range(clients)))
    return Load(len(waited) / (time.perf_counter() - start), np.array(waited), errors)


@contextmanager
def serving(models: Path) -> Iterator[int]:
    """The server, as a person starts it; its number among the processes."""
    program = str(Path(sys.executable).with_name("plant-classification"))
    command = [program, "serve", "--port", str(PORT), "--models-dir", str(models)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while not _is_ready():
            time.sleep(0.5)
        try:
            yield process.pid
        finally:
            process.terminate()


def _is_ready() -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{PORT}/readyz", timeout=60).ok
    except requests.ConnectionError:
        return False


async def bare_route(sent: list[bytes], seconds: float) -> Load:
    """The same clients, of a route that reads the form and does nothing."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=str(len(await request.post())))

    app = web.Application(client_max_size=2**26)
    app.router.add_post(PATH, answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", PORT + 1).start()
    found = await load(PORT + 1, sent, 4, seconds)
    await runner.cleanup()
    return found


def used(server: int) -> tuple[int, int]:
    """Bytes and open files of the server and its processes."""
    folders = [Path("/proc", str(server))]
    for folder in folders:
        for children in folder.glob("task/*/children"):
            folders += [Path("/proc", child) for child in children.read_text().split()]
    pages = sum(int((folder / "statm").read_text().split()[1]) for folder in folders)
    files = sum(len(list((folder / "fd").iterdir())) for folder in folders)
    return pages * os.sysconf("SC_PAGESIZE"), files


def figures_of(
    name: str, model: Path, models: Path, photos: Path, least: float, seconds: float
) -> list[Figure]:
    """Of one model."""
    paths = sorted(photos.iterdir())
    measure_alone = bare(Classifier.load(model, for_many=True), paths)
    sent = requests_of(photos, model.name)
    alone = [measure_alone() for _ in range(ROUNDS)]
    loads = {}
    after: list[tuple[int, int]] = []
    with serving(models) as server:
        asyncio.run(load(PORT, sent, 4, 3))
        for clients in CLIENTS:
            loads[clients] = asyncio.run(load(PORT, sent, clients, seconds))
            after.append(used(server))
    alone += [measure_alone() for _ in range(ROUNDS)]
    network, decoding = (statistics.median(column) for column in zip(*alone, strict=True))
    ceiling = 1 / (1 / network + 1 / decoding)
    nothing = asyncio.run(bare_route(sent, seconds / 3))
    figures = []
    for clients, found in loads.items():
        p50, p95, p99 = 1e3 * np.quantile(found.seconds, [0.5, 0.95, 0.99])
        figures.append(
            Figure(
                f"{name}, {clients} clients: photos a second / the ceiling",
                found.rate / ceiling,
                f">= {least}" if clients > 1 else "",
                f"{found.rate:.0f} / {ceiling:.0f} (network {network:.0f}, decoding "
                f"{decoding:.0f}); {found.rate / nothing.rate:.2f} of a route that does nothing; "
                f"p50 {p50:.0f}, p95 {p95:.0f}, p99 {p99:.0f} ms; {found.errors} errors",
            )
        )
    (memory, files), (memory_then, files_then) = after[-1], after[1]
    figures.append(
        Figure(
            f"{name}: memory after {CLIENTS[-1]} clients / after {CLIENTS[1]}",
            memory / memory_then,
            "<= 1.1",
            f"{memory / 2**20:.0f} / {memory_then / 2**20:.0f} MiB",
        )
    )
    figures.append(
        Figure(
            f"{name}: open files after {CLIENTS[-1]} clients / after {CLIENTS[1]}",
            files / files_then,
            "<= 1.05",
            f"{files} / {files_then}",
        )
    )
    return figures


def main() -> None:
    """Measure and print."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 30.0
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        write_photos(work / "photos", COUNT)
        xception = write_xception(work)
        show(
            [
                *figures_of(
                    "starter", STARTER_FOLDER, work / "models", work / "photos", 0.7, seconds
                ),
                *figures_of(
                    "Xception, 224 px, 6,182 labels",
                    xception,
                    work / "models",
                    work / "photos",
                    0.85,
                    seconds,
                ),
            ]
        )


if __name__ == "__main__":
    main()
