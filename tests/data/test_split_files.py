"""The old service's split files: what is read, and what is told of what cannot be used."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import numpy as np
import pytest

from plant_classification.data import TEST, TRAIN, VALIDATION, Dataset
from plant_classification.data.reading import read_dataset
from plant_classification.data.split_files import is_split_files, read_split_files
from plant_classification.data.split_lines import read_split_lines
from plant_classification.errors import ArgumentError, DatasetError
from plant_classification.taxonomy import load_families

CLASSES = "Rosa canina\nBellis perennis\nAbelia × grandiflora\n"


def write(folder: Path, **files: str | bytes) -> Path:
    """Files by name, without their suffix .txt."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in {"classes": CLASSES, **files}.items():
        data = content.encode() if isinstance(content, str) else content
        (folder / f"{name}.txt").write_bytes(data)
    return folder


def read(folder: Path) -> Dataset:
    return read_split_files(folder, ".", load_families())


def fault(folder: Path) -> str:
    with pytest.raises(DatasetError) as caught:
        read(folder)
    return caught.value.message


def pairs(dataset: Dataset, split: str = TRAIN) -> list[tuple[str, int]]:
    records = dataset.splits[split]
    return list(zip(records.paths, records.labels.tolist(), strict=True))


def test_all_three_splits_are_read_with_labels_from_zero(tmp_path: Path) -> None:
    folder = write(tmp_path, train="a.jpg 0\nb.jpg 2\n", val="c.jpg 1\n", test="d.jpg 2\n")
    dataset = read(folder)
    assert pairs(dataset) == [("a.jpg", 0), ("b.jpg", 2)]
    assert pairs(dataset, VALIDATION) == [("c.jpg", 1)]
    assert pairs(dataset, TEST) == [("d.jpg", 2)]
    assert [label.name for label in dataset.labels] == CLASSES.splitlines()
    assert dataset.labels[1].family == "Asteraceae"
    assert dataset.splits[TRAIN].labels.dtype == np.int32
    assert dataset.splits[TRAIN].path(1) == folder / "b.jpg"
    assert dataset.kind == "split files"


@pytest.mark.parametrize(
    "line",
    [
        "a photo with blanks.jpg 1",
        "tabs.jpg\t1",
        "several   blanks.jpg \t  1",
        "  indented.jpg 1",
        "trailing.jpg 1  ",
        "#commented/out #2.jpg 1",
        "fleurs/œillet à delta - 花.jpg 1",
        "a/b//c.jpg 1",
        "dots..and...more/..hidden.jpg 1",
        "ends with a number 7 1",
        "without_suffix 1",
        "zeros.jpg 0001",
        "x 1",
        "a quite long path that is longer than what is hashed at first, by some measure.jpg 1",
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
def test_a_line_may_look_like_this(tmp_path: Path, line: str, end: str) -> None:
    path = line.strip()[:-1].rstrip("0").rstrip() if "zeros" in line else line.strip()[:-1].rstrip()
    dataset = read(write(tmp_path, train=f"first.jpg 0\r\n{line}{end}"))
    assert pairs(dataset) == [("first.jpg", 0), (path, 1)]
    dataset = read(write(tmp_path, train=line + end))
    assert pairs(dataset) == [(path, 1)]


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path: Path) -> None:
    mark = b"\xef\xbb\xbf"
    folder = write(tmp_path, classes=mark + CLASSES.encode(), train=mark + b"a.jpg 0\n")
    dataset = read(folder)
    assert pairs(dataset) == [("a.jpg", 0)]
    assert dataset.labels[0].name == "Rosa canina"


def test_blank_lines_are_passed_over_and_counted(tmp_path: Path) -> None:
    folder = write(tmp_path, train="\n\na.jpg 0\n  \t\r\n\nb.jpg 1\n\n\n")
    assert pairs(read(folder)) == [("a.jpg", 0), ("b.jpg", 1)]
    assert "train.txt, line 6: " in fault(write(tmp_path, train="\n\na.jpg 0\n \n\nb.jpg one\n"))


def test_many_lines_are_read_as_few_are(tmp_path: Path) -> None:
    """More than one block, of lines of all lengths, ASCII and not."""
    random = np.random.default_rng(5)
    labels = random.integers(0, 3, 60_000)
    paths = [f"{'é' if i % 7 == 0 else 'e'}{'x' * (i % 60)}/{i}.jpg" for i in range(len(labels))]
    lines = (f"{path} {label}" for path, label in zip(paths, labels, strict=True))
    records = read(write(tmp_path, train="\n".join(lines))).splits[TRAIN]
    assert list(records.paths) == paths
    assert records.labels.tolist() == labels.tolist()
    some = random.permutation(len(labels))[:100]
    assert list(records.take(some).paths) == [paths[index] for index in some]
    assert list(records.paths[10:20]) == paths[10:20]
    assert records.paths[-1] == paths[-1]
    again = pickle.loads(pickle.dumps(records))  # noqa: S301 - of this test's own making
    assert list(again.paths) == paths


@pytest.mark.parametrize("seed", range(20))
def test_any_lines_are_read_as_a_plain_reader_would(tmp_path: Path, seed: int) -> None:
    """Lines drawn from characters that matter, one at a time until one cannot be used."""
    random = np.random.default_rng(seed)
    letters = list("aé/.#  \t\r0179")
    expected: list[tuple[str, int]] = []
    lines: list[str] = []
    is_faulty = False
    while len(lines) < 1500 and not is_faulty:
        line = "".join(random.choice(letters, random.integers(0, 40)))
        found = re.fullmatch(r"[ \t\r]*(.*?)[ \t\r]+([0-9]{1,7})[ \t\r]*", line)
        path = found[1] if found else ""
        if line.strip() and (not path or path.startswith("/") or ".." in path.split("/")):
            if seed % 2 or random.random() < 0.999:
                continue
            is_faulty = True
        lines.append(line)
        if found:
            expected.append((path, int(found[2])))
    file = write(tmp_path, train="\n".join(lines)) / "train.txt"
    if is_faulty:
        with pytest.raises(DatasetError, match=f"line {len(lines)}: "):
            read_split_lines(file, 10**7)
    else:
        found_lines = read_split_lines(file, 10**7)
        assert list(zip(found_lines.paths, found_lines.labels.tolist(), strict=True)) == expected


def test_endless_blanks_are_no_endless_work(tmp_path: Path) -> None:
    lines = "".join(f"{number}.jpg 1\n" for number in range(10_000))
    assert "line 10001" in fault(write(tmp_path, train=lines + "a.jpg 1" + " " * 3_000_000))
    folder = write(tmp_path, train=lines + " " * 900 + "a.jpg" + " " * 900 + "1")
    assert pairs(read(folder))[-1] == ("a.jpg", 1)


def test_one_class_and_one_line_are_enough(tmp_path: Path) -> None:
    dataset = read(write(tmp_path, classes="Rosa canina", train="a.jpg 0"))
    assert pairs(dataset) == [("a.jpg", 0)]
    assert len(dataset.labels) == 1


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("a.jpg 0\nb.jpg rose", ["line 2", "'b.jpg rose'", "label"]),
        ("a.jpg", ["line 1", "'a.jpg'", "a blank or tab"]),
        ("7", ["line 1", "'7'"]),
        (" 7", ["line 1", "'7'"]),
        ("a.jpg,1", ["line 1", "'a.jpg,1'"]),
        ("a.jpg 1.0", ["line 1", "'a.jpg 1.0'"]),
        ("a.jpg -1", ["line 1", "-1", "from 0 up"]),
        ("a.jpg 3", ["line 1", "label is 3", "3 classes", "from 0 to 2"]),
        ("a.jpg 12345678", ["line 1", "12345678"]),
        ("a.jpg 123456789012345678901234567890", ["line 1", "123456789012345678901234567890"]),
        ("/etc/passwd 0", ["line 1", "'/etc/passwd'", "relative"]),
        ("a.jpg 0\n../b.jpg 0", ["line 2", "'../b.jpg'", "inside"]),
        ("a.jpg 0\nx/../../b c.jpg 0", ["line 2", "'x/../../b c.jpg'", "inside"]),
        ("a.jpg 0\nx/.. 0", ["line 2", "'x/..'", "inside"]),
        ("a.jpg 0\nb\0.jpg 0", ["line 2", "zero byte"]),
        ("", ["names no photo"]),
        ("\n \n", ["names no photo"]),
    ],
)
def test_a_line_that_cannot_be_used_is_named(tmp_path: Path, lines: str, words: list[str]) -> None:
    message = fault(write(tmp_path, train=lines))
    assert message.startswith(str(tmp_path / "train.txt"))
    for word in words:
        assert word in message
    assert "such lines" not in message


def test_how_many_lines_have_the_fault_is_told(tmp_path: Path) -> None:
    message = fault(write(tmp_path, train="a.jpg 0\nb.jpg x\nc.jpg y\nd.jpg z\n"))
    assert "line 2" in message
    assert "There are 3 such lines." in message


def test_labels_that_count_from_one_are_told(tmp_path: Path) -> None:
    message = fault(write(tmp_path, train="a.jpg 1\nb.jpg 2\nc.jpg 3\nd.jpg 3\n"))
    assert "line 3" in message
    assert "They seem to count from 1." in message
    assert "There are 2 such lines." in message


def test_text_that_is_not_utf8_is_named_with_its_line(tmp_path: Path) -> None:
    folder = write(tmp_path, train=b"a.jpg 0\n\n" + "é.jpg 1\n".encode("latin-1"))
    assert fault(folder) == f"{folder}/train.txt, line 3: not UTF-8; convert the file."
    folder = write(tmp_path, classes="Rosa canina\nFicus é\n".encode("latin-1"))
    assert fault(folder) == f"{folder}/classes.txt, line 2: not UTF-8; convert the file."


def test_a_photo_in_two_splits_is_a_fault_that_names_both_lines(tmp_path: Path) -> None:
    message = fault(write(tmp_path, train="a.jpg 0\nb.jpg 1\n", val="\nb.jpg 1\na.jpg 0\n"))
    assert message.startswith(f"{tmp_path}/val.txt, line 2: 'b.jpg' is also in train.txt, line 2")
    assert "There are 2 such lines." in message


def test_a_photo_with_two_labels_is_a_fault_that_names_both_lines(tmp_path: Path) -> None:
    message = fault(write(tmp_path, train="a.jpg 0\nb.jpg 1\na.jpg 1\n"))
    assert message.startswith(f"{tmp_path}/train.txt, line 3: 'a.jpg' is also in train.txt, line 1")


def test_a_line_that_stands_twice_is_noted(tmp_path: Path) -> None:
    (note,) = read(write(tmp_path, train="a.jpg 0\nb.jpg 1\na.jpg 0\na.jpg 0\n")).notes
    assert "line 3: the photo of line 1 again" in note
    assert "There are 2 such lines." in note


def test_paths_that_end_alike_are_not_the_same(tmp_path: Path) -> None:
    ending = "/observation-2024-06-01/photo-00001.jpg"
    lines = "".join(f"{number}{ending} {number % 3}\n" for number in range(500))
    dataset = read(write(tmp_path, train=lines, val=f"500{ending} 0\n"))
    assert dataset.notes == ()
    message = fault(write(tmp_path, train=lines, val=f"77{ending} 0\n"))
    assert "val.txt, line 1" in message
    assert "train.txt, line 78" in message


def test_files_are_found_in_the_folders_of_the_old_service(tmp_path: Path) -> None:
    for number, place in enumerate((".", "dataset_files", "data/dataset_files")):
        folder = tmp_path / str(number)
        write(folder / place, train="a.jpg 0")
        assert is_split_files(folder)
        assert pairs(read(folder)) == [("a.jpg", 0)]
    assert not is_split_files(tmp_path)


def test_synsets_txt_is_the_older_name_of_classes_txt(tmp_path: Path) -> None:
    folder = write(tmp_path, train="a.jpg 0")
    (folder / "classes.txt").rename(folder / "synsets.txt")
    assert len(read(folder).labels) == 3


@pytest.mark.parametrize("place", [".", "images", "data/images"])
def test_photos_are_found_in_the_usual_folders(tmp_path: Path, place: str) -> None:
    folder = write(tmp_path, train="lost.jpg 0\nRosa canina/a b.jpg 0\n")
    (folder / place / "Rosa canina").mkdir(parents=True)
    (folder / place / "Rosa canina/a b.jpg").touch()
    dataset = read_split_files(folder, None, {})
    assert dataset.splits[TRAIN].path(1).resolve() == folder / place / "Rosa canina/a b.jpg"


def test_photos_that_are_nowhere_are_told_with_the_folders(tmp_path: Path) -> None:
    folder = write(tmp_path, train="a.jpg 0\n")
    with pytest.raises(DatasetError, match=r"'a\.jpg'.* images, data/images; give images_"):
        read_split_files(folder, None, {})


@pytest.mark.parametrize("images", ["missing", "..", "../other", "/tmp"])  # noqa: S108
def test_a_folder_of_photos_must_lie_in_the_data_set(tmp_path: Path, images: str) -> None:
    (tmp_path / "other").mkdir()
    folder = write(tmp_path / "set", train="a.jpg 0\n")
    with pytest.raises(ArgumentError, match="images_directory") as caught:
        read_split_files(folder, images, {})
    assert caught.value.field == "images_directory"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("Rosa canina\n\nBellis perennis\n", "classes.txt, line 2: the line is blank"),
        ("Rosa canina\n42\n", "classes.txt, line 2: '42' is not a scientific name"),
        ("\n", "classes.txt names no label"),
    ],
)
def test_a_name_that_cannot_be_used_is_told_with_its_line(
    tmp_path: Path, content: str, words: str
) -> None:
    assert words in fault(write(tmp_path, classes=content, train="a.jpg 0"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert fault(write(tmp_path)).startswith(f"{tmp_path}/train.txt cannot be read")
    (tmp_path / "classes.txt").unlink()
    (tmp_path / "train.txt").write_text("a.jpg 0")
    assert "no classes.txt or synsets.txt" in fault(tmp_path)


def test_info_txt_says_more_of_each_label(tmp_path: Path) -> None:
    dataset = read(write(tmp_path, train="a.jpg 0", info="dog rose, 12 photos\n\nhybrid\n"))
    assert [label.info for label in dataset.labels] == ["dog rose, 12 photos", None, "hybrid"]


@pytest.mark.parametrize("info", ["one\ntwo\n", "one\ntwo\nthree\nfour\n", ""])
def test_info_txt_must_have_a_line_for_each_label(tmp_path: Path, info: str) -> None:
    message = fault(write(tmp_path, train="a.jpg 0", info=info))
    assert "info.txt has" in message
    assert "classes.txt: 3" in message


def test_tags_txt_is_the_organ_of_each_training_photo(tmp_path: Path) -> None:
    folder = write(
        tmp_path, train="a.jpg 0\n\nb.jpg 1\nc.jpg 1\n", val="d.jpg 0\n", tags="flower\n\nleaf\n"
    )
    dataset = read(folder)
    assert [record.organ for record in dataset.splits[TRAIN]] == ["flower", None, "leaf"]
    assert dataset.splits[VALIDATION][0].organ is None
    assert "tags.txt has 2 lines" in fault(write(tmp_path, tags="flower\nleaf\n"))


def test_labels_csv_gives_families_and_common_names(tmp_path: Path) -> None:
    folder = write(tmp_path, classes="Rosa sp.\nDubia nova\n", train="a.jpg 0", info="a\nb\n")
    table = folder / "labels.csv"
    table.write_text(
        "species,genus,family,common\nRosa sp.,Rosa,,rose|briar\nDubia nova,Dubia,Dubiaceae,\n"
    )
    rose, other = read(folder).labels
    assert (rose.rank, rose.family) == ("genus", "Rosaceae")
    assert rose.common_names == (("en", ("rose", "briar")),)
    assert (other.family, other.info) == ("Dubiaceae", "b")
    table.write_text("label,author,common_es\nRosa sp.,L.,rosal\nDubia nova,,\n")
    assert read(folder).labels[0].common_names == (("es", ("rosal",)),)


def test_labels_csv_of_other_names_is_passed_over_with_a_note(tmp_path: Path) -> None:
    folder = write(tmp_path, train="a.jpg 0")
    for content in ("species\nRosa canina\n", "number,word\n1,one\n", 'species\n"broken'):
        (folder / "labels.csv").write_text(content)
        dataset = read(folder)
        assert dataset.labels[0].family == "Rosaceae"
        assert dataset.notes[0].startswith(f"A table is passed over: {folder}/labels.csv")


def test_labels_without_photos_and_doubled_names_are_noted(tmp_path: Path) -> None:
    folder = write(
        tmp_path, classes="Rosa canina\nRosa canina\nBellis perennis\n", train="a 0", val="b 0"
    )
    notes = " ".join(read_dataset(folder, images=".").notes)
    assert "Rosa canina (2 times)" in notes
    assert "Labels without a training photo (2 of 3): Rosa canina, Bellis perennis." in notes


def test_flora119_is_read_as_it_stands(shared: Path) -> None:
    folder = shared / "data/flora119"
    dataset = read_dataset(folder)
    assert len(dataset.labels) == 119
    assert {split: len(records) for split, records in dataset.splits.items()} == {
        TRAIN: 4340,
        VALIDATION: 1002,
    }
    lines = (folder / "val.txt").read_text().splitlines()
    expected = [(line.split("\t")[0], int(line.split("\t")[1])) for line in lines]
    assert pairs(dataset, VALIDATION) == expected
    assert all(record.path.is_file() for record in dataset.splits[VALIDATION])
    assert dataset.labels[0].common_names == (("en", ("monkshood",)),)
    assert dataset.notes == ()
