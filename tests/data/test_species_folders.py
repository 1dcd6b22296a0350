"""A folder for each species: what is found there, and what is told of the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from plant_classification.data import TEST, TRAIN, VALIDATION, Dataset
from plant_classification.data.species_folders import is_species_folders, read_species_folders
from plant_classification.errors import DatasetError
from plant_classification.taxonomy import load_families


def fill(folder: Path, *paths: str) -> Path:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()
    return folder


def read(folder: Path) -> Dataset:
    assert is_species_folders(folder)
    return read_species_folders(folder, load_families())


def photos(dataset: Dataset, split: str = TRAIN) -> list[tuple[str, str]]:
    records = dataset.splits[split]
    return [
        (path, dataset.labels[label].name)
        for path, label in zip(records.paths, records.labels, strict=True)
    ]


def test_each_folder_is_a_label_in_the_order_of_the_names(tmp_path: Path) -> None:
    fill(tmp_path, "Rosa_canina/b.jpg", "Rosa_canina/a.JPEG", "Bellis perennis/c d.png")
    dataset = read(tmp_path)
    assert [label.name for label in dataset.labels] == ["Bellis perennis", "Rosa canina"]
    assert dataset.labels[1].family == "Rosaceae"
    assert photos(dataset) == [
        ("Bellis perennis/c d.png", "Bellis perennis"),
        ("Rosa_canina/a.JPEG", "Rosa canina"),
        ("Rosa_canina/b.jpg", "Rosa canina"),
    ]
    assert dataset.splits[TRAIN].path(1) == tmp_path / "Rosa_canina/a.JPEG"
    assert dataset.splits[TRAIN].observations is None
    assert dataset.notes == ()


@pytest.mark.parametrize("name", ["val", "valid", "Validation"])
def test_folders_of_splits_may_stand_around_them(tmp_path: Path, name: str) -> None:
    fill(tmp_path, "train/Rosa_canina/a.jpg", f"{name}/Bellis_perennis/b.jpg")
    fill(tmp_path, "test/Rosa canina/c.jpg", "notes/plan.txt")
    dataset = read(tmp_path)
    assert photos(dataset) == [("train/Rosa_canina/a.jpg", "Rosa canina")]
    assert photos(dataset, VALIDATION) == [(f"{name}/Bellis_perennis/b.jpg", "Bellis perennis")]
    assert photos(dataset, TEST) == [("test/Rosa canina/c.jpg", "Rosa canina")]
    assert dataset.notes == ("Passed over: folders beside those of the splits (1).",)


def test_training_and_testing_are_names_of_splits_and_no_plants(tmp_path: Path) -> None:
    fill(tmp_path, "Training/Rosa_canina/a.jpg", "Testing/Rosa_canina/b.jpg")
    dataset = read(tmp_path)
    assert [label.name for label in dataset.labels] == ["Rosa canina"]
    assert (len(photos(dataset)), len(photos(dataset, TEST))) == (1, 1)


def test_splits_without_one_for_training_are_told(tmp_path: Path) -> None:
    fill(tmp_path, "Validation/Rosa_canina/a.jpg", "Rosa_canina/b.jpg")
    with pytest.raises(DatasetError, match=r"Validation is for a split, and no folder train is"):
        is_species_folders(tmp_path)


def test_two_folders_for_one_split_are_a_fault(tmp_path: Path) -> None:
    fill(tmp_path, "train/Rosa_canina/a.jpg", "val/Rosa_canina/a.jpg", "valid/Rosa_canina/a.jpg")
    with pytest.raises(DatasetError, match=r"/val and .*/valid are both for val"):
        read_species_folders(tmp_path, {})


def test_what_is_hidden_or_no_picture_is_passed_over(tmp_path: Path) -> None:
    fill(tmp_path, "Rosa_canina/a.jpg", "Rosa_canina/.b.jpg", ".trash/c.jpg", "Bellis/readme.txt")
    fill(tmp_path, "Rosa_canina/Thumbs.db", "Rosa_canina/plan.pdf", "d.jpg")
    dataset = read(tmp_path)
    assert photos(dataset) == [("Rosa_canina/a.jpg", "Rosa canina")]
    assert len(dataset.labels) == 1
    assert dataset.notes == (
        "Passed over: files without the suffix of a picture (3).",
        "Passed over: files in no folder of a species (1).",
    )


def test_a_folder_inside_that_of_a_species_is_an_observation(tmp_path: Path) -> None:
    fill(tmp_path, "Rosa_canina/7/leaf.jpg", "Rosa_canina/7/fruit.jpg", "Rosa_canina/alone.jpg")
    fill(tmp_path, "Bellis_perennis/7/a.jpg", "Bellis_perennis/7/deeper/b.jpg")
    dataset = read(tmp_path)
    observations = {r.path.name: r.observation for r in dataset.splits[TRAIN]}
    assert observations == {
        "a.jpg": "Bellis_perennis/7",
        "leaf.jpg": "Rosa_canina/7",
        "fruit.jpg": "Rosa_canina/7",
        "alone.jpg": None,
    }
    assert dataset.notes == ("Passed over: folders inside that of an observation (1).",)


def test_folders_around_species_are_not_taken_for_species(tmp_path: Path) -> None:
    fill(tmp_path, "images/Rosa_canina/a.jpg")
    with pytest.raises(DatasetError, match=r"/images holds folders.* give it as the data set"):
        is_species_folders(tmp_path)


def test_a_name_that_is_no_species_is_told(tmp_path: Path) -> None:
    fill(tmp_path, "Rosa_canina/a.jpg", "007/b.jpg")
    with pytest.raises(DatasetError, match="'007' is not a scientific name"):
        read(tmp_path)


def test_a_name_that_is_not_utf8_is_told(tmp_path: Path) -> None:
    (fill(tmp_path, "Rosa_canina/a.jpg") / "Rosa_canina" / "\udce9.jpg").touch()
    with pytest.raises(DatasetError, match=r"'\\udce9.jpg', which is not UTF-8; rename it"):
        read(tmp_path)


def test_photos_for_validation_alone_are_none_to_train_on(tmp_path: Path) -> None:
    fill(tmp_path, "train/Rosa_canina/notes.txt", "val/Rosa_canina/a.jpg")
    with pytest.raises(DatasetError, match="/train holds no folder of a species with pictures"):
        read(tmp_path)


def test_folders_without_pictures_are_no_data_set(tmp_path: Path) -> None:
    fill(tmp_path, "Rosa_canina/notes.txt", "a.jpg")
    assert not is_species_folders(tmp_path)
