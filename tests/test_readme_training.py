"""The README's way to a model of one's own, run as it stands, on drawn photos."""

from __future__ import annotations

from pathlib import Path

import pytest
from api.service import running
from documentation import README, commands, shell
from drawn_plants import draw_plants


@pytest.mark.slow
@pytest.mark.xdist_group("training")
def test_the_commands_of_the_readme_give_models_that_answer(tmp_path: Path) -> None:
    draw_plants(tmp_path / "photos")
    photo = tmp_path / "photos" / "Bellis perennis" / "1.jpg"
    photo.parent.joinpath("0.jpg").rename(photo.with_name("8.jpg"))
    runs = shell(tmp_path)
    section = commands(README, "A model of your own")
    lines = [line for line in section if not line.startswith("pip install")]
    assert [line.split()[1] for line in lines] == ["dataset", "train", "identify", "train"]
    for line in lines:
        printed = runs(line)
        if "identify" in line:
            assert "Bellis perennis" in printed
    with running(tmp_path) as service:
        for model in ("garden", "meadow"):
            answer = service.post(photo, model=model).json()
            assert (answer["status"], answer["model"]["name"]) == ("OK", model)
            assert answer["model"]["labels"] == 3
        assert service.post(photo, model="garden").json()["labels"][0] == "Bellis perennis"
        newest = service.post(photo).json()["model"]["name"]
        assert newest == "meadow"
