"""Models of the old service: converted once, in a process of their own; answering as they did."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from legacy_folders import write_legacy_folder
from processes import children, wait_until

from plant_classification import Classifier, Settings
from plant_classification.errors import (
    ArgumentError,
    ModelFolderError,
    ModelNotReadyError,
    UnknownModelError,
)
from plant_classification.models import conversion, find_model, read_model, ready
from plant_classification.models.choosing import STARTER_FOLDER
from plant_classification.models.importing import import_model
from plant_classification.trust import probabilities

pytestmark = pytest.mark.xdist_group("old service")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A folder of the old service that Keras 2 wrote, and its network."""
    folder = tmp_path_factory.mktemp("made") / "old"
    return folder, write_legacy_folder(folder)


@pytest.fixture
def old(made: tuple[Path, Any], settings: Settings) -> Path:
    """A fresh copy of it in the models folder."""
    return shutil.copytree(made[0], settings.models_dir / "old")


@pytest.fixture(scope="module")
def photos() -> np.ndarray:
    return np.random.default_rng(9).integers(0, 256, (3, 90, 120, 3), np.uint8)


def conversions(folder: Path) -> list[Path]:
    return sorted((folder / ".converted").glob("*"))


def test_it_answers_as_the_network_did_in_keras_2(
    made: tuple[Path, Any], old: Path, photos: np.ndarray, settings: Settings
) -> None:
    classifier = Classifier.load("old", precision="f32", settings=settings)
    assert classifier.folder.name == "old"
    assert classifier.folder.version == read_model(old).version
    rule = classifier.folder.preprocessing
    inputs = np.concatenate([rule.normalize(rule.apply(photo)) for photo in photos])
    expected = made[1].predict_on_batch(inputs)
    found = probabilities(classifier.logits(photos), classifier.folder.trust.temperature)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_it_is_converted_once_and_anew_when_the_weights_or_labels_change(
    old: Path, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    first = ready(read_model(old), settings)
    assert "old is of the old service; it is converted now, once." in caplog.text
    assert [path.name for path in conversions(old)] == [first.path.name]
    caplog.clear()
    assert ready(read_model(old), settings) == first
    assert not caplog.records
    with h5py.File(old / "ckpts/final_model.h5", "r+") as file:
        file["model_weights/dense/dense/bias:0"][...] += 0.5
    second = ready(read_model(old), settings)
    assert second.version != first.version
    assert [path.name for path in conversions(old)] == [second.path.name]
    assert not first.path.exists()


@pytest.mark.slow
def test_a_conversion_that_lost_a_file_is_made_anew(old: Path, settings: Settings) -> None:
    first = ready(read_model(old), settings)
    (first.path / "network.bin").unlink()
    assert ready(read_model(old), settings) == first
    assert (first.path / "network.bin").exists()


@pytest.mark.slow
def test_labels_get_families_from_the_users_table_too(
    old: Path, settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (old / "dataset_files/classes.txt").write_text(
        "Bellis perennis\nPlantula nova\nRosa canina\nRosa canina\n"
    )
    folder = ready(read_model(old), settings)
    assert [label.family for label in folder.labels()] == [
        "Asteraceae", None, "Rosaceae", "Rosaceae"
    ]  # fmt: skip
    assert "Names that stand more than once (1): Rosa canina" in caplog.text
    assert "Labels without a family (1 of 4): Plantula nova" in caplog.text
    table = tmp_path / "families.csv"
    table.write_text("genus,family\nPlantula,Plantulaceae\n")
    folder = ready(read_model(old), dataclasses.replace(settings, families=table))
    assert folder.labels()[1].family == "Plantulaceae"


@pytest.mark.slow
def test_two_processes_convert_it_once(old: Path, settings: Settings) -> None:
    code = (
        "import sys; from pathlib import Path; from plant_classification import load_settings; "
        "from plant_classification.models import ready, read_model; "
        "print(ready(read_model(Path(sys.argv[1])), load_settings()).path)"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", code, old], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    paths = {process.communicate(timeout=120)[0].strip() for process in both}
    assert paths == {str(conversions(old)[0])}
    assert len(conversions(old)) == 1


def test_who_will_not_wait_is_told_so_and_the_conversion_goes_on(
    old: Path, settings: Settings
) -> None:
    with pytest.raises(ModelNotReadyError, match="'old' is being converted for its first use"):
        ready(read_model(old), settings, seconds=0.01)
    assert ready(read_model(old), settings).path == conversions(old)[0]


def test_a_conversion_that_is_broken_off_leaves_nothing(old: Path, settings: Settings) -> None:
    before = set(children(os.getpid()))
    failure: list[BaseException] = []

    def convert() -> None:
        try:
            ready(read_model(old), settings)
        except ModelFolderError as error:
            failure.append(error)

    waiting = threading.Thread(target=convert)
    waiting.start()
    wait_until((old / ".converted").exists, "the conversion has begun")
    for child in set(children(os.getpid())) - before:
        os.kill(child, signal.SIGTERM)
    waiting.join(60)
    assert "could not be converted: the process ended with the status" in str(failure[0])
    assert conversions(old) == []


def test_without_tensorflow_a_sentence_says_what_to_install(
    old: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", None)  # as where it is not installed
    with pytest.raises(
        ModelNotReadyError, match=r"'old' is of the old .*pip install 'plant-classification\["
    ):
        ready(read_model(old), settings)
    assert find_model(None, settings.models_dir).name == "starter"
    assert find_model("old", settings.models_dir).name == "old"


def test_once_converted_tensorflow_is_not_needed(
    old: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, flower: Path
) -> None:
    ready(read_model(old), settings)
    for name in ("tensorflow", "keras", "h5py"):
        monkeypatch.setitem(sys.modules, name, None)
    assert Classifier.load("old", settings=settings).identify(flower).candidates


def test_weights_that_lack_a_layer_are_refused_once_and_another_model_answers(
    old: Path, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with h5py.File(old / "ckpts/final_model.h5", "r+") as file:
        del file["model_weights/dense"]
    assert find_model(None, settings.models_dir).name == "old"
    with pytest.raises(ModelFolderError, match=r"final_model\.h5.*'?dense'?"):
        ready(read_model(old), settings)
    assert [path.name for path in conversions(old)] == ["final_model.h5.failed"]
    caplog.clear()
    with pytest.raises(ModelFolderError, match=r"final_model\.h5.*'?dense'?"):
        ready(read_model(old), settings)
    assert not caplog.records  # it was not tried again
    assert find_model(None, settings.models_dir).name == "starter"


@pytest.mark.slow
def test_weights_that_are_mended_are_converted(
    made: tuple[Path, Any], old: Path, settings: Settings
) -> None:
    with h5py.File(old / "ckpts/final_model.h5", "r+") as file:
        del file["model_weights/dense"]
    with pytest.raises(ModelFolderError):
        ready(read_model(old), settings)
    shutil.copy2(made[0] / "ckpts/final_model.h5", old / "ckpts")
    assert [ready(read_model(old), settings).path] == conversions(old)


@pytest.mark.slow
def test_weights_that_change_during_the_conversion_are_never_served_as_the_old_ones(
    old: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversion, "_under_way", {})
    weights = old / "ckpts/final_model.h5"
    with pytest.raises(ModelNotReadyError):
        ready(read_model(old), settings, seconds=0.01)
    changed = weights.with_name("changed")
    shutil.copyfile(weights, changed)
    with h5py.File(changed, "r+") as file:
        file["model_weights/dense/dense/bias:0"][...] += 0.5
    version = read_model(old).version
    changed.replace(weights)
    converted = ready(read_model(old), settings)
    assert converted.version != version
    (first,) = conversion._under_way.values()
    assert "was changed while it was converted" in first.communicate(timeout=60)[0]
    assert conversions(old) == [converted.path]


def test_a_cache_that_is_a_link_is_not_followed(
    old: Path, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "precious/final_model.h5-0123456789abcdef").mkdir(parents=True)
    (old / ".converted").symlink_to(tmp_path / "precious")
    with pytest.raises(ModelFolderError, match=r"\.converted is a link that leads out"):
        ready(read_model(old), settings)
    assert find_model(None, settings.models_dir).name == "starter"
    assert [path.name for path in (tmp_path / "precious").iterdir()] == [
        "final_model.h5-0123456789abcdef"
    ]


@pytest.mark.slow
def test_of_two_imports_under_one_name_one_is_told(made: tuple[Path, Any], tmp_path: Path) -> None:
    command = Path(sys.executable).with_name("plant-classification")
    words = ("models", "import", made[0], "--name", "same", "--models-dir", tmp_path / "models")
    both = [
        subprocess.Popen([command, *words], stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    said = [process.communicate(timeout=120)[1] for process in both]
    assert sorted(process.returncode for process in both) == [0, 1]
    assert any("there already" in words or "already; give" in words for words in said)


def test_another_number_of_classes_is_refused(old: Path, settings: Settings) -> None:
    conf = json.loads((old / "conf/conf.json").read_text())
    conf["model"]["num_classes"] = 3
    (old / "conf/conf.json").write_text(json.dumps(conf))
    (old / "dataset_files/classes.txt").write_text("Abies alba\nRosa canina\nIlex aquifolium\n")
    (old / "dataset_files/info.txt").unlink(missing_ok=True)
    with pytest.raises(ModelFolderError, match=r"final_model\.h5.*4.*3"):
        ready(read_model(old), settings)


def test_an_old_folder_elsewhere_is_imported_and_needs_nothing_of_it_then(
    made: tuple[Path, Any], settings: Settings, photos: np.ndarray, tmp_path: Path
) -> None:
    source = shutil.copytree(made[0], tmp_path / "backup/2019-06-01_120000")
    model = import_model(source, settings, name="mine")
    shutil.rmtree(source)
    assert model.path == settings.models_dir / "mine"
    assert model.created.year == 2019
    classifier = Classifier.load("mine", settings=settings, precision="f32")
    assert classifier.logits(photos).shape == (3, 4)
    assert [path.name for path in settings.models_dir.iterdir()] == ["mine"]
    same = Classifier.load("mine", settings=settings, checkpoint="final_model.h5")
    assert same.folder.version == classifier.folder.version
    with pytest.raises(UnknownModelError, match=r"there are: network\.xml, final_model\.h5"):
        Classifier.load("mine", settings=settings, checkpoint="epoch-01.hdf5")


@pytest.mark.slow
def test_an_old_folder_in_its_place_is_converted_there(old: Path, settings: Settings) -> None:
    assert import_model(old, settings).path == old
    assert len(conversions(old)) == 1


def test_a_new_folder_is_imported_as_it_is(
    made: tuple[Path, Any], settings: Settings, tmp_path: Path
) -> None:
    model = import_model(STARTER_FOLDER, settings, name="mine")
    assert model.version == read_model(STARTER_FOLDER).version
    shutil.copytree(STARTER_FOLDER, tmp_path / "broken")
    (tmp_path / "broken/network.bin").write_bytes(
        bytes((STARTER_FOLDER / "network.bin").stat().st_size)
    )
    with pytest.raises(ModelFolderError, match=r"network.bin is not the file that model.json"):
        import_model(tmp_path / "broken", settings)
    assert [path.name for path in settings.models_dir.iterdir()] == ["mine"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("mine", ArgumentError),
        ("starter", ArgumentError),
        ("imagenet", ArgumentError),
        ("../out", ModelFolderError),
        ("x.partial", ModelFolderError),
    ],
)
def test_a_name_that_is_taken_or_is_none_is_refused(
    settings: Settings, name: str, kind: type[Exception], tmp_path: Path
) -> None:
    import_model(STARTER_FOLDER, settings, name="mine")
    sentence = r"There is a model|cannot be called|cannot be a model's name"
    with pytest.raises(kind, match=sentence):
        import_model(STARTER_FOLDER, settings, name=name)
    assert [path.name for path in settings.models_dir.iterdir()] == ["mine"]


@pytest.mark.parametrize("of_tensorflow_1", [False, True])
def test_the_shared_fixture_gets_its_golden_probabilities(
    shared: Path, settings: Settings, of_tensorflow_1: bool
) -> None:
    fixture = shared / "fixtures/legacy_mobilenet"
    folder = settings.models_dir / "2019-06-01_120000"
    shutil.copytree(fixture, folder, copy_function=shutil.copyfile)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755)
    if of_tensorflow_1:
        config = (fixture / "tf114_model_config.json").read_bytes()
        with h5py.File(folder / "ckpts/final_model.h5", "r+") as file:
            file.attrs["model_config"] = config
    golden = np.load(fixture / "golden.npz")
    classifier = Classifier.load(folder, precision="f32", settings=settings)
    rule = classifier.folder.preprocessing
    np.testing.assert_allclose(rule.normalize(golden["photos"]), golden["inputs"], atol=1e-5)
    np.testing.assert_array_equal(rule.apply(golden["big_photo"])[0], golden["big_resized"])
    for photos, expected in (
        (golden["photos"], golden["probs"]),
        (golden["big_photo"][np.newaxis], golden["big_probs"]),
    ):
        np.testing.assert_allclose(
            probabilities(classifier.logits(photos), 1.0), expected, atol=1e-4
        )
