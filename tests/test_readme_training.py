"""The README's way to a model of one's own, run as it stands, on drawn photos."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from api.service import environment, running
from drawn_plants import draw_plants

README = Path(__file__).parents[1] / "README.md"
SECTION = "A model of your own"
INSTALLS = "pip install"


def commands(section: str) -> list[str]:
    """The lines of a section's console blocks, without those that install packages."""
    text = README.read_text("utf-8")
    (body,) = re.findall(rf"^## {section}\n(.*?)^## ", text, re.DOTALL | re.MULTILINE)
    blocks = re.findall(r"```console\n(.*?)```", body, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [line for line in lines if not line.startswith(INSTALLS)]


@pytest.mark.slow
@pytest.mark.xdist_group("training")
def test_the_commands_of_the_readme_give_models_that_answer(tmp_path: Path) -> None:
    draw_plants(tmp_path / "photos")
    photo = tmp_path / "photos" / "Bellis perennis" / "1.jpg"
    photo.parent.joinpath("0.jpg").rename(photo.with_name("8.jpg"))
    folders = {"trainings_dir": tmp_path / "trainings"}
    variables = environment(tmp_path, **folders)
    variables["PATH"] = f"{Path(sys.executable).parent}:{variables['PATH']}"
    lines = commands(SECTION)
    assert [line.split()[1] for line in lines] == ["dataset", "train", "identify", "train"]
    for line in lines:
        done = subprocess.run(
            ["/bin/bash", "-ec", line],
            cwd=tmp_path,
            env=variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        if "identify" in line:
            assert "Bellis perennis" in done.stdout
    with running(tmp_path, **folders) as service:
        for model in ("garden", "meadow"):
            answer = service.post(photo, model=model).json()
            assert (answer["status"], answer["model"]["name"]) == ("OK", model)
            assert answer["model"]["labels"] == 3
        assert service.post(photo, model="garden").json()["labels"][0] == "Bellis perennis"
        newest = service.post(photo).json()["model"]["name"]
        assert newest == "meadow"
