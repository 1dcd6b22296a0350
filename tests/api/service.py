"""A real ``deepaas-run`` or ``serve`` with its own home, temporary folder and models folder."""

from __future__ import annotations

import dataclasses
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import requests
from processes import alive, all_gone, children, wait_until

from plant_classification.schemas import PHOTO_FIELDS

MODULE = "plant_classification"
COMMANDS = Path(sys.executable).parent

# Of the server that most tests share.
WORKERS = 2
MAX_PHOTO_BYTES = 1_000_000
MAX_TOTAL_BYTES = 2_000_000
MAX_BODY_BYTES = 3_000_000
URL_SECONDS = 3


@dataclasses.dataclass(frozen=True)
class Service:
    """A server under test.

    Attributes:
        pid: Of the server.
        root: Its address, without a slash at the end.
        folder: Holds its home, temporary and models folders, and its log.
    """

    pid: int
    root: str
    folder: Path

    @property
    def models(self) -> Path:
        return self.folder / "models"

    @property
    def address(self) -> str:
        return f"{self.root}/v2/models/{MODULE}/predict/"

    def get(self, path: str) -> requests.Response:
        return requests.get(self.root + path, timeout=60)

    def post(self, *photos: bytes | Path, **arguments: Any) -> requests.Response:
        """Photos as the files data, data2 ..., ``accept`` as the header, all else in the query."""
        contents = [photo if isinstance(photo, bytes) else photo.read_bytes() for photo in photos]
        names = PHOTO_FIELDS[: len(photos)]
        files = {
            name: (f"{name}.jpg", content) for name, content in zip(names, contents, strict=True)
        }
        headers = {"Accept": arguments.pop("accept")} if "accept" in arguments else None
        return requests.post(
            self.address, params=arguments, files=files or None, headers=headers, timeout=300
        )

    def temporary_files(self) -> list[str]:
        return sorted(str(path) for path in (self.folder / "tmp").rglob("*"))

    def log(self) -> str:
        return (self.folder / "log").read_text("utf-8", "replace")

    def inference_processes(self) -> list[int]:
        """The children of the server, or of its workers, that hold a model."""
        workers = children(self.pid)
        return [
            child
            for child in [*workers, *(child for worker in workers for child in children(worker))]
            if b"plant_classification.inference" in Path(f"/proc/{child}/cmdline").read_bytes()
        ]

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let no inference process do anything meanwhile; one that replaces another works."""
        stopped = self.inference_processes()
        for child in stopped:
            os.kill(child, signal.SIGSTOP)
        try:
            yield
        finally:
            for child in stopped:
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGCONT)


def environment(folder: Path, **settings: object) -> dict[str, str]:
    """This process's, with folders of its own and these settings of the package."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("PLANT_CLASSIFICATION_", "DEEPAAS_", "OS_"))
    }
    for name in ("home", "tmp", "models"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    own = {
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "PLANT_CLASSIFICATION_MODELS_DIR": str(folder / "models"),
    }
    chosen = {f"PLANT_CLASSIFICATION_{key.upper()}": str(value) for key, value in settings.items()}
    return kept | own | chosen


SERVE = (COMMANDS / "plant-classification", "serve")


def running(folder: Path, *options: str, **settings: object) -> AbstractContextManager[Service]:
    """Start ``deepaas-run`` with no option but these, wait until it serves, end it and its kin."""
    command: tuple[Path | str, ...] = (COMMANDS / "deepaas-run", *options, "--listen-port")
    return _running(folder, command, "/v2/models/", settings)


def serving_all(folder: Path, *options: str, **settings: object) -> AbstractContextManager[Service]:
    """The same of ``plant-classification serve``."""
    return _running(folder, (*SERVE, *options, "--port"), "/readyz", settings)


def serving_unready(
    folder: Path, *options: str, **settings: object
) -> AbstractContextManager[Service]:
    """The same, whether it can load a model or not."""
    return _running(folder, (*SERVE, *options, "--port"), "/healthz", settings)


@contextmanager
def _running(
    folder: Path, command: tuple[Path | str, ...], path: str, settings: dict[str, object]
) -> Iterator[Service]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    variables = environment(folder, **settings)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, str(port)],
            stdout=log,
            stderr=subprocess.STDOUT,
            env=variables,
            cwd=folder,
        )
    service = Service(process.pid, f"http://127.0.0.1:{port}", folder)

    def serves() -> bool:
        assert process.poll() is None, service.log()
        try:
            return requests.get(service.root + path, timeout=60).ok
        except requests.ConnectionError:
            return False

    try:
        wait_until(serves, "the server serves", 300)
        yield service
    finally:
        kin = [*children(process.pid), *service.inference_processes()] if alive(process.pid) else []
        process.terminate()
        try:
            process.wait(60)
        finally:
            process.kill()
            process.wait()
        wait_until(all_gone(kin), "the server's children are gone")
