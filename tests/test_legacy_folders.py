"""Model folders of the old service: what is read of them, and what is wrong with a broken one."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from test_models import date, write

from plant_classification.errors import ModelFolderError, UnknownModelError
from plant_classification.models import STARTER, LegacyFolder, find_model, list_models, read_model
from plant_classification.models.legacy import PREPROCESS_MODES

NAMES = ["Bellis perennis", "Taraxacum officinale", "Rosa sp."]
MEAN = [107.5, 112.25, 81.0]
STD = [52.0, 50.0, 51.0]


def write_old(folder: Path, conf: dict[str, Any] | None = None, **texts: str | None) -> Path:
    """Write a folder whose checkpoint is only bytes.

    Args:
        folder: Where.
        conf: Values of conf.json's group ``model`` that differ.
        texts: ``classes``, ``info`` or ``stats`` with other contents; None for no such file.
    """
    for name in ("ckpts", "conf", "dataset_files", "stats"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    model = {
        "modelname": "Xception",
        "image_size": 224,
        "num_classes": len(NAMES),
        "preprocess_mode": "tf",
    }
    groups = {
        "model": model | (conf or {}),
        "dataset": {"mean_RGB": MEAN, "std_RGB": STD},
        "training": {"epochs": 15},
    }
    write_weights(folder / "ckpts/final_model.h5")
    (folder / "conf/conf.json").write_text(json.dumps(groups))
    contents = {
        "dataset_files/classes.txt": texts.get("classes", "\n".join(NAMES) + "\n"),
        "dataset_files/info.txt": texts.get("info"),
        "stats/stats.json": texts.get("stats", '{"val_acc": [0.25, 0.75]}'),
    }
    for name, text in contents.items():
        if text is not None:
            (folder / name).write_bytes(text.encode())
    return folder


def write_weights(path: Path, seed: int = 0) -> None:
    """Write a real, small HDF5 file."""
    with h5py.File(path, "w") as file:
        file["weights"] = np.random.default_rng(seed).random(100)


def read(folder: Path) -> LegacyFolder:
    model = read_model(folder)
    assert isinstance(model, LegacyFolder)
    return model


def test_everything_but_the_weights_is_read(tmp_path: Path) -> None:
    folder = write_old(
        tmp_path / "2019-06-01_120000", info="a daisy\n\n-\n", classes="\r\n".join(NAMES) + "\r\n\n"
    )
    model = read(folder)
    assert model.name == "2019-06-01_120000"
    assert model.created == datetime(2019, 6, 1, 12, tzinfo=timezone.utc)
    assert (model.modelname, model.architecture) == ("Xception", "xception")
    assert model.names == tuple(NAMES)
    assert model.label_count == 3
    assert model.metrics == {"validation of the old service": {"top_1": 0.75}}
    assert model.training["training"] == {"epochs": 15}
    daisy, dandelion, rose = model.labels()
    assert (daisy.genus, daisy.family, daisy.info) == ("Bellis", "Asteraceae", "a daisy")
    assert dandelion.info is None
    assert (rose.species, rose.genus, rose.family) == (None, "Rosa", "Rosaceae")


@pytest.mark.parametrize("architecture", sorted(PREPROCESS_MODES))
def test_photos_are_prepared_as_the_old_service_did(tmp_path: Path, architecture: str) -> None:
    conf = {"modelname": architecture, "preprocess_mode": None}
    rule = read(write_old(tmp_path / "old", conf)).preprocessing
    assert (rule.size, rule.resize, rule.antialias) == (224, "stretch", False)
    photo = np.random.default_rng(5).integers(0, 256, (4, 4, 3), np.uint8)
    values = photo.astype(float) - MEAN  # its formula, in its order
    mode = PREPROCESS_MODES[architecture]
    if mode == "tf":
        values /= 127.5
    elif mode == "caffe":
        values = values[..., ::-1]
    else:
        values /= STD
    np.testing.assert_allclose(rule.normalize(photo), values, atol=1e-5)


def test_a_stated_mode_wins_over_the_architectures(tmp_path: Path) -> None:
    rule = read(write_old(tmp_path / "old", {"preprocess_mode": "torch"})).preprocessing
    assert rule.scale == tuple(STD)


def test_it_is_dated_by_its_name_else_its_statistics_else_its_weights(tmp_path: Path) -> None:
    stats = '{"timestamp": "2018-03-04_050607"}'
    named = read(write_old(tmp_path / "2019-06-01_120000", stats=stats))
    assert named.created.year == 2019
    told = read(write_old(tmp_path / "plantnet", stats=stats))
    assert told.created == datetime(2018, 3, 4, 5, 6, 7, tzinfo=timezone.utc)
    bare = write_old(tmp_path / "2019-13-01_120000", stats=None)
    os.utime(bare / "ckpts/final_model.h5", (1e9, 1e9))
    assert read(bare).created == datetime(2001, 9, 9, 1, 46, 40, tzinfo=timezone.utc)


def test_its_checkpoints_can_be_asked_for_the_final_one_by_default(tmp_path: Path) -> None:
    folder = write_old(tmp_path / "old")
    for name in ("epoch-02.hdf5", "epoch-10.hdf5", "notes.txt", ".hidden.h5"):
        write_weights(folder / "ckpts" / name)
    model = read(folder)
    assert model.checkpoints == ("final_model.h5", "epoch-10.hdf5", "epoch-02.hdf5")
    assert find_model("old", tmp_path, "epoch-02.hdf5") == model.at("epoch-02.hdf5")
    with pytest.raises(UnknownModelError, match=r"no checkpoint '\.\./x'; there are: final_model"):
        find_model("old", tmp_path, "../x")
    (folder / "ckpts/final_model.h5").unlink()
    assert read(folder).checkpoint == "epoch-10.hdf5"


def test_the_version_changes_with_weights_labels_and_checkpoint(tmp_path: Path) -> None:
    folder = write_old(tmp_path / "old")
    versions = {read(folder).version}
    write_weights(folder / "ckpts/final_model.h5", seed=1)
    versions.add(read(folder).version)
    (folder / "dataset_files/classes.txt").write_text("Abies alba\nTaxus baccata\nIlex aquifolium")
    versions.add(read(folder).version)
    write_weights(folder / "ckpts/epoch-01.hdf5", seed=2)
    versions.add(read(folder).at("epoch-01.hdf5").version)
    assert len(versions) == 4
    assert all(len(version) == 12 for version in versions)


@pytest.mark.parametrize(
    ("relative", "old", "new"),
    [
        ("ckpts/final_model.h5", b"", b"changed!"),
        ("dataset_files/classes.txt", b"Rosa sp.\n", b"Roza sp.\n"),
    ],
)
def test_a_copy_that_keeps_size_and_time_is_noticed(
    tmp_path: Path, relative: str, old: bytes, new: bytes
) -> None:
    folder = write_old(tmp_path / "old")
    version, file = read(folder).version, folder / relative
    before, content = file.stat(), file.read_bytes()
    assert content.endswith(old)
    file.write_bytes(content[: -len(new)] + new)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_size == before.st_size
    assert read(folder).version != version


def test_what_is_kept_of_conf_is_short(tmp_path: Path) -> None:
    folder = write_old(tmp_path / "old")
    conf = json.loads((folder / "conf/conf.json").read_text())
    conf["training"]["class_weights"] = list(range(100_000))
    conf["augmentation"] = [[[]]] * 1000
    (folder / "conf/conf.json").write_text(json.dumps(conf))
    assert set(read(folder).training) == {"dataset", "model"}


def test_old_and_new_folders_stand_side_by_side_the_newest_first(tmp_path: Path) -> None:
    write_old(tmp_path / "default_imagenet", stats='{"timestamp": "2018-01-01_000000"}')
    write_old(tmp_path / "2024-01-01_000000")
    write(tmp_path / "new")
    date(tmp_path / "new", datetime(2020, 1, 1, tzinfo=timezone.utc))
    models, _ = list_models(tmp_path)
    names = [model.name for model in models]
    assert names == ["2024-01-01_000000", "new", "default_imagenet", STARTER]
    assert find_model(None, tmp_path).name == "2024-01-01_000000"
    date(tmp_path / "new", datetime.now(timezone.utc) + timedelta(days=1))
    assert find_model(None, tmp_path).name == "new"


CONF, CLASSES, INFO = "conf/conf.json", "dataset_files/classes.txt", "dataset_files/info.txt"
WEIGHTS = "ckpts/final_model.h5"


def lost(relative: str) -> Callable[[Path], object]:
    return lambda folder: (folder / relative).unlink()


def holds(relative: str, content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / relative).write_bytes(content)


def cut(relative: str) -> Callable[[Path], object]:
    return lambda folder: os.truncate(folder / relative, 1000)


def link_out(folder: Path, relative: str) -> None:
    """Put the file or folder outside, and a link to it in its place."""
    outside = folder.with_name("outside")
    (folder / relative).rename(outside)
    (folder / relative).symlink_to(outside)


def link_to_itself(folder: Path, relative: str) -> None:
    (folder / relative).unlink(missing_ok=True)
    (folder / relative).symlink_to(Path(relative).name)


def pipe(folder: Path, relative: str) -> None:
    (folder / relative).unlink()
    os.mkfifo(folder / relative)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lost(CONF), r"conf\.json cannot be read: No such file"),
        (holds(CONF, b"{"), r"conf\.json is not JSON"),
        (holds(CONF, b"[" * 100_000), r"conf\.json is not JSON"),
        (holds(CONF, b"[]"), r"conf\.json must hold a JSON object"),
        (holds(CONF, b'{"model": NaN}'), r"conf\.json is not JSON: NaN is not a number"),
        (holds(CONF, b'{"model": {}}'), r"conf\.json lacks the value 'modelname'"),
        (holds(CONF, b'{"model": []}'), r"conf\.json cannot be used"),
        (lambda folder: pipe(folder, CONF), r"conf\.json cannot be read: not a plain file"),
        (lost(CLASSES), r"classes\.txt cannot be read: No such file"),
        (holds(CLASSES, b"Abies\n\nRosa\n"), r"classes\.txt, line 2: the line is blank"),
        (holds(CLASSES, b"Abies\nRosa\n"), r"has 2 lines, and conf/conf\.json says 3 classes"),
        (holds(CLASSES, b"Abies\nPicea \xe9\nRosa\n"), r"classes\.txt, line 2: not UTF-8"),
        (holds(INFO, b"a\nb\nc\nd\n"), r"info\.txt has 4 lines, and dataset_files/classes\.txt 3"),
        (lost("ckpts/final_model.h5"), r"ckpts holds no checkpoint"),
        (holds("ckpts/final_model.h5", b"xx"), r"final_model\.h5 is no HDF5 file"),
        (holds("ckpts/final_model.h5", b""), r"final_model\.h5 is no HDF5 file"),
        (
            cut("ckpts/final_model.h5"),
            r"final_model\.h5 has 1,000 bytes of \d,\d{3}; if it is being",
        ),
        (lambda folder: shutil.rmtree(folder / "ckpts"), r"ckpts cannot be read: No such file"),
        (lambda folder: pipe(folder, WEIGHTS), r"final_model\.h5 cannot be read: not a plain file"),
        (lambda folder: os.truncate(folder / WEIGHTS, 40 << 30), r"final_model\.h5 cannot be read"),
        (lambda folder: link_to_itself(folder, WEIGHTS), r"final_model\.h5"),
        (lambda folder: link_to_itself(folder, CONF), r"conf\.json"),
        (lambda folder: link_to_itself(folder, INFO), r"info\.txt"),
        (lambda folder: link_out(folder, CLASSES), r"classes\.txt is a link that leads out"),
        (lambda folder: link_out(folder, "conf"), r"conf\.json is a link that leads out"),
        (
            lambda folder: link_out(folder, "ckpts/final_model.h5"),
            r"final_model\.h5 is a link that leads out of the model folder; put the file itself",
        ),
    ],
)
def test_a_broken_folder_is_left_out_with_a_sentence(
    tmp_path: Path, damage: Callable[[Path], object], sentence: str
) -> None:
    folder = write_old(tmp_path / "models/old")
    damage(folder)
    with pytest.raises(ModelFolderError, match=sentence):
        find_model("old", tmp_path / "models")
    models, faults = list_models(tmp_path / "models")
    assert [model.name for model in models] == [STARTER]
    assert "old" in {error.field for error in faults}


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"modelname": "AlexNet"}, "names the network 'AlexNet'; there are: Xception"),
        ({"modelname": None}, "names the network None"),
        ({"modelname": []}, "cannot be used|names the network"),
        ({"image_size": 4096}, "image_size must be a whole number from 32 to 1000, not 4096"),
        ({"image_size": "224"}, "image_size must be a whole number"),
        ({"image_size": 224.5}, "image_size must be a whole number"),
        ({"preprocess_mode": "mean"}, "preprocess_mode must be tf, caffe or torch, not 'mean'"),
        ({"num_classes": "3"}, "says '3' classes"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(
    tmp_path: Path, values: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ModelFolderError, match=rf"conf\.json.*({sentence})"):
        read(write_old(tmp_path / "old", values))


@pytest.mark.parametrize("mean", [None, [1, 2], ["a", "b", "c"], 5, [10**400, 1, 1]])
def test_means_that_are_no_three_numbers_are_refused(tmp_path: Path, mean: Any) -> None:
    folder = write_old(tmp_path / "old")
    conf = json.loads((folder / "conf/conf.json").read_text())
    conf["dataset"]["mean_RGB"] = mean
    (folder / "conf/conf.json").write_text(json.dumps(conf))
    with pytest.raises(ModelFolderError, match=r"conf\.json cannot be used"):
        read(folder)


def test_a_name_that_is_none_is_refused_with_its_line(tmp_path: Path) -> None:
    model = read(write_old(tmp_path / "old", classes="Abies alba\n12 cats\nRosa canina"))
    with pytest.raises(ModelFolderError, match=r"classes\.txt.*line 2.*'12 cats'"):
        model.labels()


def test_the_whole_folder_may_be_a_link(tmp_path: Path) -> None:
    write_old(tmp_path / "elsewhere/old")
    (tmp_path / "models").mkdir()
    (tmp_path / "models/old").symlink_to(tmp_path / "elsewhere/old")
    assert find_model("old", tmp_path / "models").label_count == 3
