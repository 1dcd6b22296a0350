"""Every command that a person can copy from the README and docs/, run as it stands.

What cannot be run here is named with what runs it instead, or with why nothing does.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from api.service import serving_all
from documentation import PAGES, ROOT, Runs, commands, shell
from drawn_photos import encode
from drawn_plants import draw_plants
from PIL import Image

OLD = "2019-06-01_120000"

ELSEWHERE = {
    r"pip install|python3 -m venv": "tests/test_package.py installs, and .ci/run",
    r"^make ": ".ci/run",
    r"^docker ": "nothing: no Docker is here",
    r"^(sbatch|kubectl|ray|export RAY_\w+) |--cluster": "tests/bulk/test_cluster_files.py",
    r"models download|--model plantnet": "tests/test_downloading_models.py, from its own server",
    r"example\.org": "tests/fetching, from a server of its own",
    r"--name (meadow|garden-2)|TF_CONFIG": "tests/test_readme_training.py, tests/training",
    r"models quantize": "tests/evaluation/test_quantization.py",
    r"^(mkdir|cp) ": "nothing: it is no command of the package",
}


def is_elsewhere(line: str) -> bool:
    return any(re.search(pattern, line) for pattern in ELSEWHERE)


def is_for_a_server(line: str) -> bool:
    return line.startswith("curl ")


def is_a_server(line: str) -> bool:
    return line.startswith("plant-classification serve")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, shared: Path, flower: Path) -> Path:
    """What the pages take for granted: photos, lists, a model of the old service, predictions."""
    made = tmp_path_factory.mktemp("docs")
    (made / "docs").mkdir()
    shutil.copy(ROOT / "docs" / "dahlia.jpg", made / "docs")
    draw_plants(made / "photos")
    draw_plants(made / "more-photos", species=4, seed=1)
    photo = made / "photos" / "Bellis perennis" / "1.jpg"
    for name in ("leaf.jpg", "photo.jpg", "new.jpg"):
        shutil.copy(flower, made / name)
    (made / "flower.heic").write_bytes(encode(np.asarray(Image.open(photo)), "HEIF"))
    (made / "photos.csv").write_text(f"path,plant\n{photo.relative_to(made)},1\n")
    (made / "garden.txt").write_text("Bellis perennis\nCrocus vernus\n")
    (made / "old" / "models").mkdir(parents=True)
    shutil.copytree(shared / "fixtures" / "legacy_mobilenet", made / "old" / "models" / OLD)
    published = shared / "data" / "heredia2017"
    for name in ("classes.txt", "families.json"):
        shutil.copy(published / name, made)
    shutil.copy(published / "predictions_plantnet_tool_portugal.json", made / "predictions.json")
    return made


@pytest.fixture(scope="module")
def runs(folder: Path) -> Runs:
    return shell(folder)


@pytest.mark.slow
@pytest.mark.xdist_group("docs")
@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
def test_every_command_of_the_pages_works(runs: Runs, folder: Path) -> None:
    pages = [page for page in PAGES if page.name != "many-photos.md"]  # it has a test of its own
    lines = [line.partition("#")[0].strip() for page in pages for line in commands(page)]
    here = [line for line in dict.fromkeys(lines) if not is_elsewhere(line)]
    assert len(here) > 25
    for line in here:
        if not is_for_a_server(line) and not is_a_server(line):
            out = re.search(r"--out (\S+)|--report (\S+)", line)
            for written in filter(None, out.groups() if out else ()):
                shutil.rmtree(folder / written, ignore_errors=True)
                (folder / written).unlink(missing_ok=True)
                shutil.rmtree(folder / f"{written}.parts", ignore_errors=True)
            runs(line)
    for line in filter(is_a_server, here):
        words = line.split()[2:]
        with serving_all(folder, *words) as running:
            assert running.get("/healthz").ok
    places = {"data_dir": folder, "trainings_dir": folder / "trainings"}
    with serving_all(folder, "--processes", "1", **places) as running:
        for line in filter(is_for_a_server, here):
            runs(line.replace("http://127.0.0.1:5000", running.root) + " --fail-with-body")


def test_what_is_run_elsewhere_is_there() -> None:
    lines = [line for page in PAGES for line in commands(page)]
    for pattern, where in ELSEWHERE.items():
        assert any(re.search(pattern, line) for line in lines), f"no page has {pattern}"
        for path in re.findall(r"tests/[\w./]+\b", where):
            assert (ROOT / path).exists()


def test_every_link_of_the_pages_leads_somewhere() -> None:
    for page in PAGES:
        for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
            if not link.startswith(("http:", "https:")):
                assert (page.parent / link).exists(), f"{page.name} links to {link}"


def test_the_python_of_the_pages_runs(runs: Runs) -> None:
    programs = [
        program
        for page in PAGES
        for program in re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    ]
    assert programs
    for program in programs:
        assert "Dahlia" in runs(f"{sys.executable} - << 'END'\n{program}END")
