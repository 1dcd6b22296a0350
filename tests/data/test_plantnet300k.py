"""Pl@ntNet-300K, drawn small: the folders and the two JSON files as they are published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from plant_classification.data import TEST, TRAIN, VALIDATION
from plant_classification.data.plantnet300k import (
    METADATA,
    NAMES,
    is_plantnet300k,
    read_plantnet300k,
)
from plant_classification.errors import DatasetError
from plant_classification.taxonomy import load_families

SPECIES = {
    "1355868": "Lactuca virosa L.",
    "1355920": "Pelargonium capitatum (L.) L'Hér.",
    "1392407": "Hypericum perforatum subsp. veronense (Schrank) Ces.",
}


def photo(species: str, observation: str, organ: str, split: str) -> dict[str, Any]:
    return {
        "obs_id": observation,
        "species_id": species,
        "organ": organ,
        "author": "somebody",
        "license": "cc-by-sa",
        "split": split,
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    metadata = {
        "b0": photo("1355920", "1006", "flower", "train"),
        "a1": photo("1355868", "1007", "leaf", "train"),
        "a2": photo("1355868", "1007", "fruit", "train"),
        "c3": photo("1392407", "1008", "habit", "val"),
    }
    places = ["train/1355920/b0", "train/1355868/a1", "train/1355868/a2", "val/1392407/c3"]
    for place in [*places, "test/1355868/d4"]:
        (tmp_path / "images" / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "images" / f"{place}.jpg").touch()
    (tmp_path / METADATA).write_text(json.dumps(metadata))
    (tmp_path / NAMES).write_text(json.dumps(SPECIES))
    return tmp_path


def test_names_organs_and_observations_are_those_of_the_files(folder: Path) -> None:
    assert is_plantnet300k(folder)
    dataset = read_plantnet300k(folder, load_families())
    assert [label.name for label in dataset.labels] == [
        "Lactuca virosa",
        "Pelargonium capitatum",
        "Hypericum perforatum subsp. veronense",
    ]
    assert [label.author for label in dataset.labels] == ["L.", "(L.) L'Hér.", "(Schrank) Ces."]
    assert dataset.labels[0].family == "Asteraceae"
    first, second, third = dataset.splits[TRAIN]
    assert (first.path, first.label) == (folder / "images/train/1355868/a1.jpg", 0)
    assert (first.organ, first.observation) == ("leaf", "1007")
    assert (second.organ, second.observation) == ("fruit", "1007")
    assert (third.label, third.organ, third.observation) == (1, "flower", "1006")
    assert dataset.splits[VALIDATION][0].label == 2


def test_a_photo_of_which_nothing_is_known_is_noted(folder: Path) -> None:
    dataset = read_plantnet300k(folder, {})
    assert (dataset.splits[TEST][0].label, dataset.splits[TEST][0].organ) == (0, None)
    assert dataset.notes == (f"Photos of which {METADATA} says nothing: 1.",)
    (folder / METADATA).unlink()
    assert read_plantnet300k(folder, {}).notes == (f"Photos of which {METADATA} says nothing: 5.",)


def test_a_folder_without_a_name_is_a_fault(folder: Path) -> None:
    (folder / NAMES).write_text(json.dumps({"1355868": "Lactuca virosa L.", "1355920": 7}))
    with pytest.raises(DatasetError, match=rf"{NAMES} has no name for '1355920', a folder"):
        read_plantnet300k(folder, {})


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (NAMES, "{", "is not JSON"),
        (NAMES, "[]", "must hold a JSON object"),
        (METADATA, "{'a': 1}", "is not JSON"),
        (NAMES, '{"1355868": "42", "1355920": "Rosa", "1392407": "Rosa"}', "'42' is not a scien"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(
    folder: Path, name: str, content: str, words: str
) -> None:
    (folder / name).write_text(content)
    with pytest.raises(DatasetError, match=f"{name}.*{words}"):
        read_plantnet300k(folder, {})


def test_names_without_photos_are_a_fault(tmp_path: Path) -> None:
    (tmp_path / NAMES).write_text("{}")
    with pytest.raises(DatasetError, match="no folder 'images'"):
        read_plantnet300k(tmp_path, {})
    (tmp_path / "images/train").mkdir(parents=True)
    with pytest.raises(DatasetError, match="no photo to train on"):
        read_plantnet300k(tmp_path, {})


def test_all_photos_together_are_found_wherever_their_split_is(folder: Path) -> None:
    everything = read_plantnet300k(folder, load_families()).everything()
    assert len(everything) == 5
    assert all(record.path.is_file() for record in everything)
