"""The image's install steps, in an empty environment instead of an image."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from api.service import MODULE, environment
from marketplace import image
from processes import wait_until

DAHLIA = image.CHECKOUT / "docs" / "dahlia.jpg"


@pytest.mark.slow
def test_what_the_image_installs_answers_a_photo_without_tensorflow(tmp_path: Path) -> None:
    context, commands = tmp_path / "context", tmp_path / "environment" / "bin"
    image.copy_context(context)
    subprocess.run([sys.executable, "-m", "venv", commands.parent], check=True)
    serving = image.stages()[-1].environment()
    variables = {
        **environment(tmp_path),
        **{name: serving[name] for name in ("DEEPAAS_V2_MODEL", "OS_DEFAULT__CLIENT_MAX_SIZE")},
        "PATH": f"{commands}:{os.environ['PATH']}",
        "CC": "false",  # the base image has no compiler
    }
    (words,) = [words for kind, words in image.stages()[-1].instructions if "install.sh" in words]
    subprocess.run(words.split(), cwd=context, env=variables, check=True)

    tensorflow = subprocess.run(
        [commands / "python3", "-c", "import tensorflow"], capture_output=True, check=False
    )
    assert b"ModuleNotFoundError" in tensorflow.stderr

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    # As deep-start starts it; the image's health check is asked.
    started = ["deepaas-run", "--listen-ip=127.0.0.1", f"--listen-port={port}"]
    health = json.loads(image.stages()[-1].last("HEALTHCHECK").partition("CMD")[2])
    health[-1] = health[-1].replace(":5000", f":{port}")
    with subprocess.Popen(
        [commands / started[0], *started[1:]], cwd=tmp_path, env=variables
    ) as server:
        try:
            wait_until(
                lambda: not subprocess.run(health, env=variables, check=False).returncode,
                "the server is healthy",
                120,
            )
            address = f"http://127.0.0.1:{port}/v2/models/{MODULE}/predict/"
            answer = requests.post(address, files={"data": DAHLIA.read_bytes()}, timeout=300)
            assert "Dahlia" in [taxon["name"] for taxon in answer.json()["genera"]]
            too_much = bytes(int(serving["OS_DEFAULT__CLIENT_MAX_SIZE"]) + 1)
            refused = requests.post(address, files={"data": too_much}, timeout=300)
            assert refused.status_code == 413
            assert "more bytes than the server takes" in refused.json()["message"]
        finally:
            server.terminate()
