"""Known photos that look like another: the index, its commands, and the answer's ``similar``."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from drawn_plants import draw_plants
from numpy.typing import NDArray
from tiny_network import CHANNELS, write_tiny_model

from plant_classification import Classifier
from plant_classification.cli import cli
from plant_classification.errors import ArgumentError, ModelFolderError
from plant_classification.models import ModelFolder
from plant_classification.models.choosing import STARTER_FOLDER
from plant_classification.models.folder import read_model_folder
from plant_classification.settings import Settings
from plant_classification.similarity import FOLDER, PhotoIndex, new_index

pytest.importorskip("usearch")


@pytest.fixture
def model(settings: Settings) -> ModelFolder:
    return write_tiny_model(settings.models_dir / "tiny")


def directions(count: int, seed: int) -> NDArray[np.float32]:
    rows = np.random.default_rng(seed).normal(size=(count, CHANNELS)).astype(np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def write(folder: Path, rows: NDArray[np.float32], model: ModelFolder) -> Path:
    photos = [(f"{place}.jpg", f"label {place % 3}") for place in range(len(rows))]
    with new_index(folder, photos, Path("/photos"), model, CHANNELS) as add:
        for place, row in enumerate(rows):
            add(place, row)
    return folder


def test_nearly_all_of_the_nearest_are_found(tmp_path: Path, model: ModelFolder) -> None:
    known, asked = directions(5000, 0), directions(200, 1)
    index = PhotoIndex.open(write(tmp_path / "i", known, model), model)
    assert len(index) == 5000
    exact = np.argsort(-asked @ known.T, axis=1)[:, :10]
    found = [[int(Path(one.photo).stem) for one in index.nearest(row, 10)] for row in asked]
    shared = [len(set(ours) & set(best)) for ours, best in zip(found, exact, strict=True)]
    assert np.mean(shared) > 9.8


def test_a_photo_is_told_with_its_label_and_how_similar_it_is(
    tmp_path: Path, model: ModelFolder
) -> None:
    known = directions(20, 2)
    index = PhotoIndex.open(write(tmp_path / "i", known, model), model)
    first, second = index.nearest(3 * known[7], 2)
    assert (first.photo, first.label) == ("7.jpg", "label 1")
    assert first.similarity == pytest.approx(1, abs=1e-3)
    assert second.similarity == pytest.approx(np.sort(known @ known[7])[-2], abs=1e-2)
    assert index.root == Path("/photos")


def test_an_index_of_another_network_is_refused(
    tmp_path: Path, model: ModelFolder, settings: Settings
) -> None:
    folder = write(tmp_path / "i", directions(5, 3), model)
    other = write_tiny_model(settings.models_dir / "other", seed=1)
    with pytest.raises(ModelFolderError, match="with another network than other's: make it anew"):
        PhotoIndex.open(folder, other)
    turned = dataclasses.replace(model.preprocessing, size=64)
    with pytest.raises(ModelFolderError, match="another network"):
        PhotoIndex.open(folder, dataclasses.replace(model, preprocessing=turned))


@pytest.mark.parametrize("name", ["vectors.usearch", "photos.csv", "index.json"])
@pytest.mark.parametrize("content", [b"", b"{}", None])
def test_a_damaged_index_is_told(
    tmp_path: Path, model: ModelFolder, name: str, content: bytes | None
) -> None:
    folder = write(tmp_path / "i", directions(5, 4), model)
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    with pytest.raises(ModelFolderError, match="is no index, or is damaged"):
        PhotoIndex.open(folder, model)


def test_what_fails_while_it_is_made_leaves_nothing(tmp_path: Path, model: ModelFolder) -> None:
    with pytest.raises(ArgumentError), new_index(tmp_path / "i", [], Path(), model, 4):
        raise ArgumentError("no photo")
    assert not list(tmp_path.glob("i*"))


def test_an_index_that_is_opened_first_lets_the_network_be_read(
    tmp_path: Path, model: ModelFolder
) -> None:
    write(tmp_path / "i", directions(5, 5), model)
    code = """
import sys
from pathlib import Path
from plant_classification.models.folder import read_model_folder
from plant_classification.similarity import PhotoIndex
model = read_model_folder(Path(sys.argv[1]))
print(len(PhotoIndex.open(Path(sys.argv[2]), model)))
from plant_classification import Classifier
print(len(Classifier.load(model.path).labels))
"""
    command = [sys.executable, "-c", code, str(model.path), str(tmp_path / "i")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["5", "2"], done.stderr


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    draw_plants(tmp_path / "photos")
    return tmp_path / "photos"


def run(settings: Settings, *words: str | Path) -> Result:
    environment = {
        "PLANT_CLASSIFICATION_MODELS_DIR": str(settings.models_dir), "COLUMNS": "200",
    }  # fmt: skip
    return CliRunner().invoke(cli, list(map(str, words)), env=environment)


def test_the_answers_of_a_model_with_an_index_name_similar_photos(
    photos: Path, model: ModelFolder, settings: Settings
) -> None:
    assert (
        Classifier.load("tiny", settings=settings).identify(next(photos.rglob("*.jpg"))).similar
        is None
    )
    broken = photos / "Bellis perennis" / "broken.jpg"
    broken.write_bytes(b"no photo")
    result = run(settings, "index", photos, "--model", "tiny")
    assert result.exit_code == 0, result.output
    count = len(list(photos.rglob("*.jpg"))) - 1
    assert f"{model.path / FOLDER}: {count} photos." in result.output
    assert f"Left out: {broken}: " in result.output
    photo = photos / "Bellis perennis" / "1.jpg"
    classifier = Classifier.load("tiny", settings=settings)
    similar = classifier.identify(photo).to_dict()["similar"]
    assert len(similar) == 5
    assert (similar[0]["photo"], similar[0]["label"]) == (
        "Bellis perennis/1.jpg",
        "Bellis perennis",
    )
    assert similar[0]["similarity"] == pytest.approx(1, abs=1e-3)
    assert read_model_folder(model.path).version == model.version
    again = run(settings, "index", photos, "--model", "tiny")
    assert "is there already" in str(again.exception)


def test_search_lists_them_for_one_photo(
    photos: Path, model: ModelFolder, settings: Settings, tmp_path: Path
) -> None:
    index, photo = tmp_path / "i", photos / "Bellis perennis" / "1.jpg"
    made = run(settings, "index", photos, "--model", "tiny", "--out", index)
    assert made.exit_code == 0, made.output
    shown = run(settings, "search", index, photo, "--model", "tiny", "--count", "2")
    assert shown.output.splitlines()[0].split(maxsplit=3) == [
        "1.000", "Bellis", "perennis", str(photo),
    ]  # fmt: skip
    lines = run(settings, "search", index, photo, "--model", "tiny", "--json").output.splitlines()
    assert json.loads(lines[0])["photo"] == "Bellis perennis/1.jpg"
    refused = run(settings, "search", index, photo, "--model", "starter")
    assert "with another network than starter's" in str(refused.exception)


def test_nothing_is_written_into_the_package(photos: Path, settings: Settings) -> None:
    refused = run(settings, "index", photos, "--model", "starter")
    assert refused.exit_code == 2
    assert "give --out INDEX" in refused.output
    assert not (STARTER_FOLDER / FOLDER).exists()


def test_where_nothing_can_be_written_is_told(
    photos: Path, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("kept")
    result = run(settings, "index", photos, "--model", "starter", "--out", tmp_path / "file" / "i")
    assert "cannot be written: Not a directory" in str(result.exception)
    assert (tmp_path / "file").read_text() == "kept"


def test_no_photo_that_can_be_read(settings: Settings, model: ModelFolder, tmp_path: Path) -> None:
    for name in ("Rosa canina", "Viola odorata"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        (tmp_path / "photos" / name / "1.jpg").write_bytes(b"no photo")
    result = run(settings, "index", tmp_path / "photos", "--model", "tiny")
    assert "No photo of" in str(result.exception)
    assert not (model.path / FOLDER).exists()
