"""Serving looks up no host, writes nothing into the home, and loads no TensorFlow."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

WATCH = """
import os, sys

LOG = os.environ["WATCH_LOG"]

def watch(event, arguments):
    if event == "open":
        path, _, flags = arguments
        if isinstance(path, int) or path == LOG or not flags & (os.O_WRONLY | os.O_RDWR):
            return
    elif event not in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname"):
        return
    log = os.open(LOG, os.O_WRONLY | os.O_APPEND)
    os.write(log, f"{event} {arguments!r}\\n".encode())
    os.close(log)

sys.addaudithook(watch)
"""
SERVE = """
import os, sys
from plant_classification.inference import Classifier, Request, Supervisor
from plant_classification.settings import load_settings
photo = sys.argv[1]
Classifier.load().identify(photo)
supervisor = Supervisor(load_settings())
assert supervisor.identify(Request([photo])).candidates
supervisor.close()
assert not [name for name in sys.modules if name.split(".")[0] in ("tensorflow", "keras", "torch")]
"""


@pytest.mark.parametrize("commanded", [False, True])
def test_no_connection_is_tried_and_nothing_written(
    tmp_path: Path, flower: Path, commanded: bool
) -> None:
    home, site, log = tmp_path / "home", tmp_path / "site", tmp_path / "log"
    home.mkdir()
    site.mkdir()
    (site / "sitecustomize.py").write_text(WATCH)
    log.touch()
    module = ["-m", "plant_classification.cli", "identify", str(flower)]
    subprocess.run(
        [sys.executable, *(module if commanded else ["-c", SERVE, str(flower)])],
        check=True,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "PYTHONPATH": str(site),
            "PYTHONDONTWRITEBYTECODE": "1",
            "WATCH_LOG": str(log),
        },
        cwd=tmp_path,
        timeout=300,
        stdout=subprocess.DEVNULL,
    )
    assert log.read_text() == ""
    assert list(home.iterdir()) == []


def test_the_watch_sees_a_connection_and_a_file_in_a_child_too(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.touch()
    (tmp_path / "sitecustomize.py").write_text(WATCH)
    tries = (
        "import socket, subprocess, sys; socket.getaddrinfo('localhost', 1);"
        "subprocess.run([sys.executable, '-c', 'open(\"written\", \"w\")'], check=True)"
    )
    subprocess.run(
        [sys.executable, "-c", tries],
        check=True,
        env=os.environ | {"WATCH_LOG": str(log), "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        timeout=60,
    )
    seen = log.read_text()
    assert "socket.getaddrinfo" in seen
    assert "open ('written'" in seen
