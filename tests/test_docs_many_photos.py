"""The commands of docs/many-photos.md, run as they stand."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

from documentation import ROOT, commands, shell
from drawn_plants import draw_plants

PAGE = ROOT / "docs" / "many-photos.md"


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
    runs = shell(tmp_path)
    for line in commands(PAGE):
        if (
            not line.startswith("pip install") and " models quantize " not in line
        ):  # not trained yet
            runs(line)
    found = {}
    for table in tmp_path.glob("*s.csv"):
        with table.open(encoding="utf-8", newline="") as file:
            found[table.name] = [row.get("observation", "") for row in csv.DictReader(file)]
    assert found["answers.csv"] == [str(photo.relative_to(tmp_path)) for photo in photos]
    folders = sorted({str(photo.parent.relative_to(tmp_path)) for photo in photos})
    assert found["beds.csv"] == folders
    assert found["plants.csv"] == [str(place) for place in range(-(-len(photos) // 3))]
