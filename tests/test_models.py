"""Model folders: whole or not at all, checked when read, chosen by name or date."""

from __future__ import annotations

import json
import os
import shutil
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from plant_classification.errors import ModelFolderError, UnknownModelError
from plant_classification.models import (
    STARTER,
    find_model,
    list_models,
    read_model_folder,
    write_model_folder,
)
from plant_classification.models.choosing import STARTER_FOLDER
from plant_classification.photos.preprocessing import Preprocessing
from plant_classification.taxonomy import label_of
from plant_classification.trust import TrustRules

LABELS = (label_of("Bellis perennis", "Asteraceae"), label_of("Rosa sp.", "Rosaceae"))


def write(path: Path, **changes: Any) -> None:
    """Write a folder whose network is only bytes."""
    sources = path.parent / "sources"
    sources.mkdir(parents=True, exist_ok=True)
    for name in ("network.xml", "network.bin"):
        (sources / name).write_bytes(name.encode())
    arguments: dict[str, Any] = {
        "architecture": "xception",
        "preprocessing": Preprocessing(299, "stretch"),
        "labels": LABELS,
        "trust": TrustRules(1.5),
        "training": {"epochs": 8},
        "metrics": {"val": {"top_1": 0.9}},
        "files": {name: sources / name for name in ("network.xml", "network.bin")},
    }
    write_model_folder(path, **arguments | changes)


def rule(**changes: Any) -> dict[str, Any]:
    """A rule of preprocessing as model.json has it, with some values changed."""
    return Preprocessing(224).to_dict() | changes


def date(path: Path, when: datetime) -> None:
    """Give a model folder another date of its own."""
    manifest = json.loads((path / "model.json").read_text())
    manifest["created"] = when.isoformat()
    (path / "model.json").write_text(json.dumps(manifest))


def test_a_folder_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    write(tmp_path / "mine")
    model = read_model_folder(tmp_path / "mine")
    assert (model.name, model.architecture, model.trust.temperature) == ("mine", "xception", 1.5)
    assert model.preprocessing == Preprocessing(299, "stretch")
    assert model.labels() == LABELS
    assert model.label_count == 2
    assert model.training == {"epochs": 8}
    assert datetime.now(timezone.utc) - model.created < timedelta(minutes=5)
    assert model.file("network.bin").read_bytes() == b"network.bin"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "sources"]


def test_a_folder_that_is_there_is_never_written_over(tmp_path: Path) -> None:
    write(tmp_path / "mine")
    version = read_model_folder(tmp_path / "mine").version
    with pytest.raises(ModelFolderError, match="mine is there already"):
        write(tmp_path / "mine", trust=TrustRules(2.0))
    assert read_model_folder(tmp_path / "mine").version == version


@pytest.mark.parametrize(
    "fault",
    [
        {"files": {"network.xml": Path("/nowhere"), "network.bin": Path("/nowhere")}},
        {"files": {}},
        {"training": {"object": object()}},
    ],
)
def test_nothing_is_left_when_writing_fails(tmp_path: Path, fault: dict[str, Any]) -> None:
    with pytest.raises((ModelFolderError, OSError, ValueError, TypeError)):
        write(tmp_path / "mine", **fault)
    assert [path.name for path in tmp_path.iterdir()] == ["sources"]


@pytest.mark.parametrize("name", ["..", ".hidden", "a\nb", "-x", "é"])
def test_a_name_that_cannot_be_a_folder_everywhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelFolderError, match=r"cannot be a model's name|is there already"):
        write(tmp_path / name)


def test_a_changed_file_is_refused_when_it_is_needed(tmp_path: Path) -> None:
    write(tmp_path / "mine")
    content = (tmp_path / "mine/labels.csv").read_text()
    (tmp_path / "mine/labels.csv").write_text(content.replace("Bellis", "Bellix"))
    with pytest.raises(ModelFolderError, match=r"labels.csv is not the file .* SHA-256"):
        read_model_folder(tmp_path / "mine").labels()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    write(tmp_path / "mine")
    model = read_model_folder(tmp_path / "mine")
    with pytest.raises(ModelFolderError, match="names no file"):
        model.file("../../etc/passwd")
    (tmp_path / "mine/network.bin").unlink()
    with pytest.raises(ModelFolderError, match=r"network.bin cannot be read"):
        model.file("network.bin")
    with pytest.raises(ModelFolderError, match=r"network.bin is missing"):
        read_model_folder(tmp_path / "mine")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"format": 2}, "of format 2; this version reads format 1"),
        ({"created": "yesterday"}, "cannot be used"),
        ({"temperature": 0}, "temperature must be from 0.05 to 20"),
        ({"labels": 3}, "holds 2 labels, and model.json says 3"),
        ({"preprocessing": {"size": 0}}, "lacks the field|cannot be used"),
        ({"preprocessing": rule(size=10**9)}, "size must be a whole number from 1 to 4096"),
        ({"preprocessing": rule(size=224.5)}, "size must be a whole number"),
        ({"preprocessing": rule(mean=[1e999] * 3)}, "mean and scale must be finite|not a number"),
        ({"metrics": {"top_1": float("nan")}}, "NaN is not a number"),
        ({"labels": 10**400}, "is not as this version|cannot be used|holds 2 labels"),
        ({"files": {}}, "does not name labels.csv and network.bin and network.xml"),
        ({"files": []}, "is not as this version writes it"),
        ({"files": None}, "is not as this version writes it"),
        ({"files": {"network.bin": "abc"}}, "is not as this version writes it"),
    ],
)
def test_a_wrong_manifest_is_refused_in_words(
    tmp_path: Path, change: dict[str, Any], sentence: str
) -> None:
    write(tmp_path / "mine")
    manifest = json.loads((tmp_path / "mine/model.json").read_text())
    (tmp_path / "mine/model.json").write_text(json.dumps(manifest | change))
    with pytest.raises(ModelFolderError, match=sentence):
        read_model_folder(tmp_path / "mine").labels()


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{", b"\xff\xfe", b'{"format": 1}', b"[" * 100_000, b" " * 2_000_000],
    ids=["empty", "list", "cut", "bytes", "bare", "deep", "huge"],
)
def test_a_manifest_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.json").write_bytes(content)
    with pytest.raises(ModelFolderError, match=r"model\.json"):
        read_model_folder(tmp_path)


def test_the_newest_complete_model_answers_by_its_own_date(tmp_path: Path) -> None:
    now = datetime.now(timezone.utc)
    for name, days in (("default_imagenet", 9), ("2024-01-01_000000", 1), ("abc", 5)):
        write(tmp_path / name)
        date(tmp_path / name, now - timedelta(days=days))
    assert find_model(None, tmp_path).name == "2024-01-01_000000"
    assert find_model("abc", tmp_path).name == "abc"
    write(tmp_path / "newest")
    assert find_model(None, tmp_path).name == "newest"
    (tmp_path / "newest/model.json").unlink()
    assert find_model(None, tmp_path).name == "2024-01-01_000000"


def test_a_model_that_is_being_copied_is_not_chosen_yet(tmp_path: Path) -> None:
    write(tmp_path / "mine")
    write(tmp_path / "newer")
    date(tmp_path / "newer", datetime.now(timezone.utc) + timedelta(days=1))
    whole = (tmp_path / "newer/network.bin").read_bytes()
    (tmp_path / "newer/network.bin").write_bytes(whole[:5])
    assert find_model(None, tmp_path).name == "mine"
    (tmp_path / "newer/network.bin").write_bytes(whole)
    assert find_model(None, tmp_path).name == "newer"


def test_a_manifest_that_is_no_plain_file_is_passed_over_without_waiting(tmp_path: Path) -> None:
    (tmp_path / "pipe").mkdir()
    os.mkfifo(tmp_path / "pipe/model.json")
    (tmp_path / "zero").mkdir()
    (tmp_path / "zero/model.json").symlink_to("/dev/zero")
    models, faults = list_models(tmp_path)
    assert [model.name for model in models] == [STARTER]
    assert all("not a plain file" in str(fault) for fault in faults)
    assert len(faults) == 2


def test_the_starters_name_cannot_be_taken(tmp_path: Path) -> None:
    write(tmp_path / STARTER)
    models, faults = list_models(tmp_path)
    assert [model.path for model in models] == [STARTER_FOLDER]
    assert "has the name of the package's own model" in str(faults[-1])


def test_a_models_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "models").touch()
    with pytest.raises(ModelFolderError, match="where models are kept, cannot be read"):
        list_models(tmp_path / "models")


def test_a_folder_in_the_making_is_not_a_model(tmp_path: Path) -> None:
    write(tmp_path / "mine")
    shutil.copytree(tmp_path / "mine", tmp_path / "other.partial")
    models, faults = list_models(tmp_path)
    assert [model.name for model in models] == ["mine", STARTER]
    assert [fault.field for fault in faults] == ["sources"]


def test_without_any_model_the_starter_answers(tmp_path: Path) -> None:
    assert find_model(None, tmp_path / "nowhere").path == STARTER_FOLDER
    assert find_model(STARTER, tmp_path).path == STARTER_FOLDER


def test_an_unknown_name_is_refused_with_those_that_exist(tmp_path: Path) -> None:
    write(tmp_path / "mine")
    with pytest.raises(UnknownModelError, match=r"no model '../mine'; there are: mine, starter"):
        find_model("../mine", tmp_path)
    with pytest.raises(UnknownModelError, match=r"no checkpoint 'x.h5'; there are: network.xml"):
        find_model("mine", tmp_path, "x.h5")
    assert find_model("mine", tmp_path, "network.xml").name == "mine"


def test_a_damaged_model_asked_for_by_name_says_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    with pytest.raises(ModelFolderError, match=r"broken is not a model folder: model.json"):
        find_model("broken", tmp_path)
