"""The files for Slurm and Kubernetes, each as two Ray nodes on loopback."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml
from PIL import Image

pytest.importorskip("ray")
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("cluster")]

FILES = Path(__file__).parents[2] / "etc" / "cluster"
PHOTOS = 12
ROWS_AND_HEADER = PHOTOS + 1

# There is no Slurm here: what its commands do on two machines, done on one.
SRUN = """#!/bin/bash
while [[ $1 == --* ]]; do shift; done
export SLURM_NTASKS=2
SLURM_PROCID=1 "$@" & other=$!
SLURM_PROCID=0 "$@"; status=$?
kill $other; wait $other
exit $status
"""
SCONTROL = """#!/bin/sh
printf '127.0.0.1\\n127.0.0.2\\n'
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Of somebody who has a token already, from another cluster."""
    home = tmp_path / "home"
    (home / ".ray").mkdir(parents=True)
    (home / ".ray" / "auth_token").write_text(secrets.token_hex(32))
    found = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**found, "HOME": str(home), "PATH": path}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for place in range(PHOTOS):
        Image.effect_noise((80, 80), 10 * place + 10).convert("RGB").save(folder / f"{place}.jpg")
    return tmp_path


def free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


def test_slurm(data: Path, environment: dict[str, str]) -> None:
    for name, text in (("srun", SRUN), ("scontrol", SCONTROL)):
        (data / name).write_text(text)
        (data / name).chmod(0o755)
    script = (FILES / "slurm.sh").read_text("utf-8").replace("6379", str(free_port()))
    (data / "slurm.sh").write_text(script)
    subprocess.run(
        ["/bin/bash", "slurm.sh", "photos", "--out", "answers.csv"],
        cwd=data,
        env={
            **environment,
            "PATH": f"{data}:{environment['PATH']}",
            "SLURM_JOB_NODELIST": "node[1-2]",
            "SLURM_SUBMIT_DIR": str(FILES.parents[1]),
        },
        check=True,
        timeout=240,
    )
    assert len((data / "answers.csv").read_text().splitlines()) == ROWS_AND_HEADER


def test_kubernetes(data: Path, environment: dict[str, str]) -> None:
    text = (FILES / "kubernetes.yaml").read_text("utf-8")
    service, job = yaml.safe_load_all(text)
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    host = f"{job['metadata']['name']}-0.{service['metadata']['name']}:6379"
    assert service["metadata"]["name"] == pod["subdomain"]
    assert job["spec"]["completions"] == job["spec"]["parallelism"] == int(container["args"][1])
    (token,) = container["env"]
    environment[token["name"]] = secrets.token_hex(32)
    (volume,) = (one for one in container["volumeMounts"] if one["name"] == "photos")
    here = {
        "/srv/plant-classification/etc/cluster": str(FILES),
        host: f"127.0.0.1:{free_port()}",
        volume["mountPath"]: str(data),
    }

    def command(index: int) -> list[str]:
        words = [*container["command"], *container["args"]]
        for there, instead in {**here, "$(JOB_COMPLETION_INDEX)": str(index)}.items():
            words = [word.replace(there, instead) for word in words]
        return words

    with ExitStack() as stack:
        other = stack.enter_context(subprocess.Popen(command(1), env=environment))
        stack.callback(other.terminate)
        subprocess.run(command(0), env=environment, check=True, timeout=240)
    assert len((data / "answers.csv").read_text().splitlines()) == ROWS_AND_HEADER


def test_nobody_gets_in_without_the_token(data: Path, environment: dict[str, str]) -> None:
    host = f"127.0.0.1:{free_port()}"
    asked = ["plant-classification", "identify", "photos", "--out=a.csv", f"--cluster={host}"]
    done = subprocess.run(
        ["/bin/sh", FILES / "node.sh", "0", "1", host, "env", "-u", "RAY_AUTH_TOKEN", *asked],
        cwd=data,
        env={**environment, "RAY_AUTH_TOKEN": secrets.token_hex(32)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 1
    assert f"The Ray cluster at '{host}' cannot be joined" in done.stderr
    assert "set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN" in done.stderr
    assert not (data / "a.csv").exists()
