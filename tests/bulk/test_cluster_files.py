"""The files for Slurm and Kubernetes, each as two Ray nodes on loopback."""

from __future__ import annotations

import os
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

ENVIRONMENT = {
    **os.environ,
    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
}
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


def test_slurm(data: Path) -> None:
    for name, text in (("srun", SRUN), ("scontrol", SCONTROL)):
        (data / name).write_text(text)
        (data / name).chmod(0o755)
    script = (FILES / "slurm.sh").read_text("utf-8").replace("6379", str(free_port()))
    (data / "slurm.sh").write_text(script)
    subprocess.run(
        ["/bin/bash", "slurm.sh", "photos", "--out", "answers.csv"],
        cwd=data,
        env={
            **ENVIRONMENT,
            "PATH": f"{data}:{ENVIRONMENT['PATH']}",
            "SLURM_JOB_NODELIST": "node[1-2]",
            "SLURM_SUBMIT_DIR": str(FILES.parents[1]),
        },
        check=True,
        timeout=240,
    )
    assert len((data / "answers.csv").read_text().splitlines()) == ROWS_AND_HEADER


def test_kubernetes(data: Path) -> None:
    text = (FILES / "kubernetes.yaml").read_text("utf-8")
    service, job = yaml.safe_load_all(text)
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    host = f"{job['metadata']['name']}-0.{service['metadata']['name']}:6379"
    assert service["metadata"]["name"] == pod["subdomain"]
    assert job["spec"]["completions"] == job["spec"]["parallelism"] == int(container["args"][1])
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
        other = stack.enter_context(subprocess.Popen(command(1), env=ENVIRONMENT))
        stack.callback(other.terminate)
        subprocess.run(command(0), env=ENVIRONMENT, check=True, timeout=240)
    assert len((data / "answers.csv").read_text().splitlines()) == ROWS_AND_HEADER
