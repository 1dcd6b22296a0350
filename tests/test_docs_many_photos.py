"""The commands of docs/many-photos.md, run as they stand."""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from drawn_plants import draw_plants

PAGE = Path(__file__).parents[1] / "docs/many-photos.md"


def test_the_commands_of_the_page_write_their_tables(tmp_path: Path) -> None:
    draw_plants(tmp_path / "photos")
    photos = sorted((tmp_path / "photos").rglob("*.jpg"))
    shutil.copy(photos[0], tmp_path / "new.jpg")
    with (tmp_path / "photos.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "plant"])
        rows.writerows(
            [photo.relative_to(tmp_path), place // 3] for place, photo in enumerate(photos)
        )
    blocks = re.findall(r"```console\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    commands = [line for line in lines if " models quantize " not in line]  # needs a trained model
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    models = str(tmp_path / "models")
    environment = os.environ | {"PATH": path, "PLANT_CLASSIFICATION_MODELS_DIR": models}
    for command in commands:
        words = ["/bin/bash", "-ec", command]
        subprocess.run(words, cwd=tmp_path, env=environment, check=True, capture_output=True)
    found = {}
    for table in tmp_path.glob("*s.csv"):
        with table.open(encoding="utf-8", newline="") as file:
            found[table.name] = [row.get("observation", "") for row in csv.DictReader(file)]
    assert found["answers.csv"] == [str(photo.relative_to(tmp_path)) for photo in photos]
    folders = sorted({str(photo.parent.relative_to(tmp_path)) for photo in photos})
    assert found["beds.csv"] == folders
    assert found["plants.csv"] == [str(place) for place in range(-(-len(photos) // 3))]
