"""Photos in stores that fsspec knows, and what cannot be read of one."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from plant_classification import Classifier
from plant_classification.bulk.observations import Grouping, find
from plant_classification.bulk.remote import read_remote
from plant_classification.bulk.run import Job, run
from plant_classification.cli import cli
from plant_classification.errors import ArgumentError, UrlError
from plant_classification.models import read_model_folder
from plant_classification.models.choosing import STARTER_FOLDER
from plant_classification.question import Question
from plant_classification.settings import Settings, load_settings

pytest.importorskip("fsspec")


@pytest.fixture
def store(flower: Path, tmp_path: Path) -> str:
    """Two photos and a text in a store, by its address."""
    folder = tmp_path / "garden"
    (folder / "bed").mkdir(parents=True)
    for name in ("bed/2.jpg", "bed/1.jpg", "notes.txt"):
        shutil.copy(flower, folder / name)
    return f"file://{folder}"


def names(place: str) -> list[str]:
    return [one.name for one in find([place], Grouping())]


def test_a_folder_a_pattern_and_a_photo(store: str) -> None:
    both = [f"{store}/bed/1.jpg", f"{store}/bed/2.jpg"]
    assert names(store) == names(f"{store}/bed/") == names(f"{store}/*/*.jpg") == both
    assert names(both[0]) == both[:1]
    assert [one.photos for one in find([store], Grouping("folder"))] == [tuple(both)]


def test_a_place_that_is_not_there(store: str) -> None:
    with pytest.raises(ArgumentError, match="holds no photo"):
        names(f"{store}/*.tif")
    with pytest.raises(ArgumentError, match="nowhere://x cannot be listed: Protocol not known"):
        names("nowhere://x")


def test_its_photos_are_rows_and_one_that_is_gone_is_an_error(
    store: str, flower: Path, tmp_path: Path, settings: Settings
) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.write(flower, "in/1.jpg")
    zipped = f"zip://in/1.jpg::{tmp_path}/all.zip"
    table = tmp_path / "photos.csv"
    table.write_text(f"url\n{store}/bed/1.jpg\n{store}/gone.jpg\n{flower}\n{zipped}\n")
    model = read_model_folder(STARTER_FOLDER)
    job = Job((str(table),), Grouping(), Question(), tmp_path / "t.jsonl")
    assert run(job, model, settings).errors == 1
    remote, gone, local, packed = map(json.loads, job.out.read_text().splitlines())
    assert "gone.jpg does not exist" in gone["error"]
    for row in (remote, packed):
        assert {**row, "observation": "", "photos": []} == {
            **local, "observation": "", "photos": [],
        }  # fmt: skip


def test_its_photos_are_named_without_a_table_too(store: str, flower: Path) -> None:
    result = CliRunner().invoke(cli, ["identify", "--json", f"{store}/bed", str(flower)])
    assert result.exit_code == 0, result.output
    first, second, local = (json.loads(line)["labels"] for line in result.stdout.splitlines())
    assert first == second == local


def test_no_more_is_read_than_a_photo_may_have(store: str, flower: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.write(flower, "1.jpg")
    content = read_remote(f"zip://1.jpg::{tmp_path}/all.zip", load_settings(max_photo_bytes=999))
    assert content == flower.read_bytes()[:1000]


def test_a_pipe_in_a_store_of_files_is_not_waited_for(
    store: str, tmp_path: Path, settings: Settings
) -> None:
    os.mkfifo(tmp_path / "garden/bed/3.jpg")
    model = read_model_folder(STARTER_FOLDER)
    job = Job((f"{store}/bed",), Grouping(), Question(), tmp_path / "t.jsonl")
    assert run(job, model, settings).errors == 1
    assert "3.jpg is not a file" in job.out.read_text()


def test_photos_in_an_archive_in_a_store(flower: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for name in ("a/1.jpg", "2.jpg"):
            archive.write(flower, name)
    inside = f"::file://{tmp_path}/all.zip"
    assert names(f"zip://*/*.jpg{inside}") == [f"zip://a/1.jpg{inside}"]
    assert names(f"zip://{inside}") == [f"zip://2.jpg{inside}", f"zip://a/1.jpg{inside}"]


def test_a_store_whose_package_is_missing() -> None:
    with pytest.raises(UrlError, match="cannot be read: Install adlfs"):
        read_remote("abfs://container/1.jpg", load_settings())


def test_a_server_never_reads_such_an_address(store: str) -> None:
    with pytest.raises(UrlError, match="Addresses of the scheme 'file' are not read"):
        Classifier.load().identify(f"{store}/bed/1.jpg")
