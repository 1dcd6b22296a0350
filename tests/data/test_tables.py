"""Tables with a row for each photo: CSV and Parquet."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plant_classification.data import TEST, TRAIN, VALIDATION, Dataset
from plant_classification.data.tables import is_table, read_photo_table
from plant_classification.errors import DatasetError
from plant_classification.taxonomy import load_families

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
pa_csv = pytest.importorskip("pyarrow.csv")

HEADER = "path,label,organ,observation,source,split,family\n"
ROWS = """\
"a, b.jpg",Rosa canina,flower,1,web,train,
c.jpg,Bellis perennis,,2,,train,Compositae
d.jpg,Rosa canina,leaf,1,web,Validation,
e.jpg,Rosa sp.,,,,test,Rosaceae
"""


@pytest.fixture(params=["csv", "parquet"])
def table(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The same photos in both formats."""
    file = tmp_path / "photos.csv"
    file.write_text(HEADER + ROWS)
    if request.param == "csv":
        return file
    content = pa_csv.read_csv(file)
    file.unlink()
    pq.write_table(content, tmp_path / "photos.parquet")
    return tmp_path / "photos.parquet"


def read(path: Path) -> Dataset:
    return read_photo_table(path, ".", load_families())


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_a_table_may_be_parted_as_spreadsheets_do(tmp_path: Path, delimiter: str) -> None:
    file = tmp_path / "photos.csv"
    lines = [("Photo", "Species", "organ"), ("a, b.jpg", "Rosa canina", "leaf")]
    file.write_text("".join(delimiter.join(line) + "\n" for line in lines))
    assert is_table(tmp_path)
    (photo,) = read(file).splits[TRAIN]
    assert (photo.path.name, photo.organ) == ("a, b.jpg", "leaf")


def test_every_column_arrives(table: Path) -> None:
    assert is_table(table)
    dataset = read(table)
    names = [label.name for label in dataset.labels]
    assert names == ["Bellis perennis", "Rosa canina", "Rosa sp."]
    families = [label.family for label in dataset.labels]
    assert families == ["Compositae", "Rosaceae", "Rosaceae"]
    first, second = dataset.splits[TRAIN]
    assert (first.path, first.label) == (table.parent / "a, b.jpg", 1)
    assert (first.organ, first.observation, first.source) == ("flower", "1", "web")
    assert (second.label, second.organ, second.source) == (0, None, None)
    assert dataset.splits[VALIDATION][0].organ == "leaf"
    assert dataset.splits[TEST][0].label == 2
    assert dataset.splits[TRAIN].labels.dtype == np.int32


def test_the_folder_may_be_given_instead(table: Path) -> None:
    (table.parent / "sources.csv").write_text("source,licence\nweb,unknown\n")
    assert is_table(table.parent)
    assert len(read(table.parent).splits[TRAIN]) == 2
    (table.parent / "more.csv").write_text("file,species\na.jpg,Rosa canina\n")
    with pytest.raises(DatasetError, match="2 tables of photos"):
        is_table(table.parent)


@pytest.mark.parametrize("header", ["file,species", "IMAGE, Name ", "\ufefffilename,label,species"])
def test_columns_may_have_other_names(tmp_path: Path, header: str) -> None:
    rest = ",x" if header.count(",") == 2 else ""
    (tmp_path / "t.csv").write_text(f"{header}\na.jpg,Rosa canina{rest}\n", "utf-8")
    (record,) = read(tmp_path / "t.csv").splits[TRAIN]
    assert record.path == tmp_path / "a.jpg"


def test_a_row_of_no_split_is_for_training(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("path,label,split\na.jpg,Rosa canina,\nb.jpg,Rosa canina,val\n")
    splits = read(tmp_path / "t.csv").splits
    assert [list(splits[split].paths) for split in (TRAIN, VALIDATION)] == [["a.jpg"], ["b.jpg"]]


def test_photos_are_looked_for_beside_the_table(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images/a.jpg").touch()
    (tmp_path / "t.csv").write_text("path,label\na.jpg,Rosa canina\n")
    dataset = read_photo_table(tmp_path / "t.csv", None, {})
    assert dataset.splits[TRAIN].path(0) == tmp_path / "images/a.jpg"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            "file,kind\na.jpg,x\n",
            "line 1: there is no column label or species or name; .*: file, k",
        ),
        ("label\nRosa\n", "line 1: there is no column path or file or filename or image"),
        ("path,label\na.jpg,Rosa canina\n\nb.jpg,\n", "line 4: the path or the label is empty"),
        ("path,label\n,Rosa canina\n", "line 2: the path or the label is empty"),
        ("path,label\na.jpg\n", "line 2: the line has not as many fields"),
        ('path,label\n"a.jpg,Rosa\n', "line 2: "),
        ("path,label\n/a.jpg,Rosa\n", "line 2: the path '/a.jpg' must be relative"),
        (
            "path,label,split\np/a.jpg,Rosa,train\n./p//a.jpg,Rosa,val\n",
            "line 3: './p//a.jpg' is 'Rosa' for train by an earlier row, not 'Rosa' for val",
        ),
        ("path,label\n../a.jpg,Rosa\n", "line 2: the path '../a.jpg' must be relative"),
        ("path,label\na.jpg,7\n", "line 2: '7' is not a scientific name"),
        ("path,label,split\na.jpg,Rosa,dev\n", "line 2: 'dev' is no split: there are train, val"),
        ("path,label,split\na.jpg,Rosa,val\n", "names no photo to train on"),
        ("path,label\n", "names no photo to train on"),
        ("path,label\na.jpg,Rosa\na.jpg,Bellis\n", "line 3: 'a.jpg' is 'Rosa' for train by an ear"),
        (
            "path,label,split\na.jpg,Rosa,train\na.jpg,Rosa,val\n",
            "line 3: 'a.jpg' is 'Rosa' for train by an earlier row, not 'Rosa' for val",
        ),
        (
            "path,label,family\na.jpg,Rosa,Rosaceae\nb.jpg,Rosa,Asteraceae\n",
            "line 3: Rosa is of Rosa, Rosaceae, by an earlier row",
        ),
    ],
)
def test_a_row_that_cannot_be_used_is_named(tmp_path: Path, content: str, words: str) -> None:
    file = tmp_path / "t.csv"
    file.write_text(content)
    with pytest.raises(DatasetError, match=f"^{file}.*{words}"):
        read(file)


def test_a_family_may_stand_in_any_row_of_its_species(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("path,label,family\na.jpg,Rosa,\nb.jpg,Rosa,Mine\nc.jpg,Rosa,\n")
    assert [label.family for label in read(file).labels] == ["Mine"]


def test_a_row_that_stands_twice_is_noted(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("path,label\na.jpg,Rosa\na.jpg,Rosa\n")
    dataset = read(tmp_path / "t.csv")
    assert dataset.notes == ("Rows of t.csv that name a photo again: 1.",)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"path": ["a.jpg", None], "label": ["Rosa", "Rosa"]}, "row 2: the path or the label is e"),
        ({"path": ["a.jpg"], "label": [0.5]}, "row 1: there must be a text, not float"),
        ({"path": [{"bytes": b"x"}], "label": ["Rosa"]}, "row 1: there must be a text, not dict"),
        ({"url": ["a.jpg"], "label": ["Rosa"]}, "there is no column path .* are: url, label"),
    ],
)
def test_a_row_of_parquet_that_cannot_be_used_is_named(
    tmp_path: Path, columns: dict[str, Any], words: str
) -> None:
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    with pytest.raises(DatasetError, match=f"t.parquet.*{words}"):
        read(tmp_path / "t.parquet")


def test_what_is_no_parquet_is_told(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_text("path,label\n")
    for path in (tmp_path, tmp_path / "t.parquet"):
        with pytest.raises(DatasetError, match=r"t\.parquet cannot be read as Parquet: "):
            read(path)


def test_parquet_without_pyarrow_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "t.parquet").touch()
    monkeypatch.setattr(sys, "path", [])
    for name in [name for name in sys.modules if name.partition(".")[0] == "pyarrow"]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(DatasetError, match=r"pip install 'plant-classification\[fast\]'"):
        read(tmp_path / "t.parquet")


def test_dictionaries_and_numbers_are_texts_in_parquet(tmp_path: Path) -> None:
    labels = pa.array(["Rosa", "Bellis"]).dictionary_encode()
    content = pa.table({"path": ["a.jpg", "b.jpg"], "label": labels, "observation": [7, 8]})
    pq.write_table(content, tmp_path / "t.parquet")
    first, _ = read(tmp_path / "t.parquet").splits[TRAIN]
    assert (first.label, first.observation) == (1, "7")
