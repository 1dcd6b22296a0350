"""Reading whatever data set there is, and holding photos back where none are named."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from plant_classification.data import TRAIN, VALIDATION, Dataset
from plant_classification.data.reading import read_dataset
from plant_classification.errors import ArgumentError, DatasetError, SettingsError

SPECIES = ("Bellis perennis", "Rosa canina", "Taraxacum officinale")


def draw(path: Path, seed: int, size: tuple[int, int] = (128, 96)) -> None:
    """A photo like no other of another seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC).save(path, quality=90)


@pytest.fixture
def species(tmp_path: Path) -> Path:
    """Three species with twenty photos each; every third photo has a copy, smaller."""
    for label, name in enumerate(SPECIES):
        folder = tmp_path / "species" / name.replace(" ", "_")
        for number in range(15):
            draw(folder / f"{number}.jpg", 100 * label + number)
            if number % 3 == 0:
                draw(folder / f"copy of {number}.png", 100 * label + number, (96, 72))
    return tmp_path / "species"


def names(dataset: Dataset, split: str) -> list[str]:
    return list(dataset.splits[split].paths)


def test_photos_are_held_back_where_none_are_named(species: Path) -> None:
    dataset = read_dataset(species, val_fraction=0.2)
    assert [label.name for label in dataset.labels] == list(SPECIES)
    held, kept = names(dataset, VALIDATION), names(dataset, TRAIN)
    assert sorted(held + kept) == sorted(str(f.relative_to(species)) for f in species.glob("*/*"))
    counts = np.bincount(dataset.splits[VALIDATION].labels)
    assert counts.min() >= 3
    assert counts.max() <= 5
    assert f"Held back for validation: {len(held)} of 60 photos" in dataset.notes[-1]
    assert dataset.notes[-1].endswith("near-duplicates: 15.")


def test_a_copy_is_on_the_side_of_its_original(species: Path) -> None:
    for seed in range(3):
        held = set(names(read_dataset(species, seed=seed), VALIDATION))
        for copy in species.glob("*/copy of *.png"):
            original = copy.with_name(copy.name.removeprefix("copy of ")).with_suffix(".jpg")
            sides = {str(file.relative_to(species)) in held for file in (copy, original)}
            assert len(sides) == 1


def test_the_seed_says_which_ones(species: Path) -> None:
    first = read_dataset(species, seed=5)
    assert names(first, VALIDATION) == names(read_dataset(species, seed=5), VALIDATION)
    assert names(first, VALIDATION) != names(read_dataset(species, seed=6), VALIDATION)
    assert first.fingerprint() == read_dataset(species, seed=5).fingerprint()


def test_observations_of_a_table_stay_on_one_side(tmp_path: Path) -> None:
    rows = ["path,label,observation"]
    for number in range(60):
        draw(tmp_path / f"{number}.jpg", number)
        rows.append(f"{number}.jpg,{SPECIES[number % 3]},{number // 6}-{number % 3}")
    (tmp_path / "photos.csv").write_text("\n".join(rows))
    dataset = read_dataset(tmp_path, val_fraction=0.3)
    sides = [{r.observation for r in dataset.splits[s]} for s in (TRAIN, VALIDATION)]
    assert not sides[0] & sides[1]
    assert len(dataset.splits[VALIDATION]) >= 12


def test_what_is_named_for_validation_is_taken_and_no_photo_opened(tmp_path: Path) -> None:
    for place in ("train/Rosa_canina/a.jpg", "train/Zea_mays/c.jpg", "val/Rosa_canina/b.jpg"):
        (tmp_path / place).parent.mkdir(parents=True)
        (tmp_path / place).touch()
    dataset = read_dataset(tmp_path)
    assert names(dataset, VALIDATION) == ["val/Rosa_canina/b.jpg"]
    assert dataset.notes == ()


def test_an_empty_folder_for_validation_is_as_none(species: Path) -> None:
    folders = list(species.iterdir())
    (species / "train").mkdir()
    for folder in folders:
        folder.rename(species / "train" / folder.name)
    (species / "val" / SPECIES[0]).mkdir(parents=True)
    dataset = read_dataset(species)
    assert names(dataset, VALIDATION)
    assert "Held back for validation" in dataset.notes[-1]


def test_split_files_without_val_txt_are_parted_too(species: Path, tmp_path: Path) -> None:
    files = sorted(str(file.relative_to(species)) for file in species.glob("*/[0-9]*.jpg"))
    lines = [f"{name} {SPECIES.index(name.split('/')[0].replace('_', ' '))}" for name in files]
    (tmp_path / "classes.txt").write_text("\n".join(SPECIES))
    (tmp_path / "train.txt").write_text("\n".join(lines))
    (tmp_path / "images").symlink_to(species)
    dataset = read_dataset(tmp_path)
    assert dataset.kind == "split files"
    assert len(dataset.splits[VALIDATION]) in range(4, 10)
    assert sorted(names(dataset, VALIDATION) + names(dataset, TRAIN)) == files
    assert all(record.path.is_file() for record in dataset.splits[VALIDATION])


def test_one_photo_of_each_label_is_kept_for_training(tmp_path: Path) -> None:
    for number, name in enumerate(SPECIES):
        draw(tmp_path / name / "only.jpg", number)
    dataset = read_dataset(tmp_path, val_fraction=0.9)
    assert len(dataset.splits[TRAIN]) == 3
    assert VALIDATION not in dataset.splits
    assert "Held back for validation: 0 of 3 photos" in dataset.notes[-1]


def test_each_kind_is_known_by_what_lies_there(species: Path, tmp_path: Path) -> None:
    assert read_dataset(species).kind == "a folder per species"
    other = tmp_path / "300k"
    draw(other / "images/train/12/a.jpg", 1)
    draw(other / "images/val/12/b.jpg", 2)
    (other / "plantnet300K_species_id_2_name.json").write_text(json.dumps({"12": "Rosa canina L."}))
    assert read_dataset(other).kind == "Pl@ntNet-300K"
    (tmp_path / "photos.csv").write_text("path,label\nspecies/Rosa_canina/0.jpg,Rosa canina\n")
    assert read_dataset(tmp_path).kind == "a table"
    assert read_dataset(tmp_path / "photos.csv").kind == "a table"


def test_a_table_beside_folders_of_species_that_is_none_of_photos_is_let_be(species: Path) -> None:
    (species / "licences.csv").write_text("name,licence\nRosa canina,CC0\n")
    assert read_dataset(species).kind == "a folder per species"


@pytest.mark.parametrize("header", ["photo,name", "file;name"])
def test_the_photographers_of_folders_of_species_are_no_data_set(
    species: Path, header: str
) -> None:
    (species / "credits.csv").write_text(f"{header}\nRosa_canina/1.jpg{header[-5]}Anna Muster\n")
    assert [label.name for label in read_dataset(species).labels] == list(SPECIES)


def test_a_damaged_table_beside_folders_of_species_is_let_be(species: Path) -> None:
    (species / "notes.parquet").write_bytes(b"no table")
    assert len(read_dataset(species).labels) == 3


def test_of_two_tables_one_must_be_named(tmp_path: Path) -> None:
    draw(tmp_path / "images" / "a.jpg", 0)
    for name in ("train.csv", "val.csv"):
        (tmp_path / name).write_text("path,label\na.jpg,Bellis perennis\n")
    with pytest.raises(
        DatasetError, match=r"2 tables of photos, train\.csv, val\.csv: name the one"
    ):
        read_dataset(tmp_path)


def test_a_path_that_cannot_be_looked_at_is_told() -> None:
    with pytest.raises(DatasetError, match=r"cannot be read: File name too long|does not exist"):
        read_dataset(Path("x" * 300))


def test_an_archive_of_darwin_core_is_told_to_be_downloaded(tmp_path: Path) -> None:
    (tmp_path / "occurrence.txt").write_text("gbifID\tspecies\n1\tRosa canina\n")
    (tmp_path / "multimedia.txt").write_text("gbifID\tidentifier\n1\thttps://example.org/a.jpg\n")
    with pytest.raises(DatasetError, match="download"):
        read_dataset(tmp_path)


def test_what_is_no_data_set_is_told_what_would_be_one(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"/nowhere does not exist"):
        read_dataset(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match=r"classes.txt, a table.* \.parquet.* species\."):
        read_dataset(tmp_path)
    (tmp_path / "a.jpg").touch()
    with pytest.raises(DatasetError, match=r"a\.jpg is no data set\. One would be"):
        read_dataset(tmp_path / "a.jpg")
    os.mkfifo(tmp_path / "train.txt")
    with pytest.raises(DatasetError, match=r"is no data set\. One would be"):
        read_dataset(tmp_path)


def test_folders_say_where_their_photos_are(species: Path) -> None:
    with pytest.raises(ArgumentError, match="leave out images_directory") as refused:
        read_dataset(species, images="elsewhere")
    assert refused.value.field == "images_directory"


def test_a_split_that_nobody_would_read_is_refused(species: Path) -> None:
    dataset = read_dataset(species, val_fraction=None)
    for name in ("training", VALIDATION):
        with pytest.raises(ValueError, match="splits are train and perhaps"):
            dataclasses.replace(dataset, splits={name: dataset.splits[TRAIN]})


def test_a_table_of_families_is_asked_first(tmp_path: Path) -> None:
    for place in ("train/Rosa_canina/a.jpg", "val/Rosa_canina/b.jpg"):
        (tmp_path / place).parent.mkdir(parents=True)
        (tmp_path / place).touch()
    table = tmp_path / "families.csv"
    table.write_text("genus,family\nRosa,Mine\n")
    assert read_dataset(tmp_path, families=table).labels[0].family == "Mine"
    with pytest.raises(SettingsError, match="families"):
        read_dataset(tmp_path, families=tmp_path / "missing.csv")


def test_reading_needs_no_tensorflow_and_no_extra(species: Path) -> None:
    program = (
        "import sys; from pathlib import Path;"
        "from plant_classification.data.reading import read_dataset;"
        f"read_dataset(Path({str(species)!r}));"
        "loaded = {name.partition('.')[0] for name in sys.modules};"
        "print(loaded & {'tensorflow', 'keras', 'openvino', 'sklearn', 'matplotlib', 'pyarrow'})"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_training_photos_come_first_whatever_a_table_begins_with(tmp_path: Path) -> None:
    rows = ["a.jpg,Rosa canina,val", "b.jpg,Rosa canina,train", "c.jpg,Viola odorata,test"]
    (tmp_path / "b.jpg").touch()
    (tmp_path / "photos.csv").write_text("path,label,split\n" + "\n".join(rows) + "\n")
    assert list(read_dataset(tmp_path / "photos.csv").splits) == ["train", "val", "test"]
