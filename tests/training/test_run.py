"""From a data set to a model folder, and what is left when that fails."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_plants import SPECIES, draw_plants

from plant_classification import Classifier
from plant_classification.errors import ArgumentError, DatasetError, TrainingError
from plant_classification.models import read_model_folder
from plant_classification.settings import Settings, load_settings
from plant_classification.training import checkpoints, run
from plant_classification.training.config import TrainingConfig, load_training_config
from plant_classification.training.progress import Progress

# TensorFlow's variables lack what NumPy 2 asks of them; Keras saves weights through it.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.xdist_group("training"),
]
FULL = {
    "init": "none",
    "modelname": "MobileNet",
    "image_size": 32,
    "epochs": 2,
    "backbone_lr": 1.0,
    "batch_size": 8,
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(models_dir=tmp_path / "models", trainings_dir=tmp_path / "trainings")


@pytest.fixture
def plants(tmp_path: Path) -> Path:
    return draw_plants(tmp_path / "plants")


def options(**given: Any) -> TrainingConfig:
    return load_training_config(("the test", {"name": "mine", **given}))[0]


def quiet(_progress: Progress) -> None:
    pass


def test_full_training_writes_a_model_that_is_whole_and_answers(
    plants: Path, settings: Settings
) -> None:
    seen: list[Progress] = []
    folder = run.train(options(**FULL), plants, settings, seen.append)
    assert folder is not None
    assert folder.path == settings.models_dir / "mine"
    assert set(folder.files) == {
        "labels.csv", "metrics.json", "network.bin", "network.xml", "report.html", "trust.npz",
        "weights.weights.h5",
    }  # fmt: skip
    assert [label.name for label in folder.labels()] == list(SPECIES[:3])
    assert folder.preprocessing.size == 32
    assert folder.training["options"]["epochs"] == 2
    assert set(folder.metrics) == {"val"}
    metrics = json.loads((folder.path / "metrics.json").read_text("utf-8"))
    assert [epoch["epoch"] for epoch in metrics["epochs"]] == [1, 2]
    answer = Classifier.load(folder.path, settings=settings).identify(plants / SPECIES[0] / "0.jpg")
    assert sum(candidate.probability for candidate in answer.candidates) == pytest.approx(1)
    stages = list(dict.fromkeys(progress.stage for progress in seen))
    assert stages[0] == "reading"
    assert {"training", "validating", "exporting"} <= set(stages)
    assert sorted(path.name for path in (settings.trainings_dir / "mine").iterdir()) == []


def test_the_figures_are_those_of_the_served_path(plants: Path, settings: Settings) -> None:
    config = options(mode="fast", init="starter")
    folder = run.train(config, plants, settings, quiet)
    assert folder is not None
    held_back = run.outline(
        dataclasses.replace(config, name="other"), plants, settings
    ).dataset.splits["val"]
    classifier = Classifier.load(folder.path, settings=settings)
    names = [label.name for label in classifier.labels]
    right = [
        classifier.identify(record.path).candidates[0].label.name == names[record.label]
        for record in held_back
    ]
    assert folder.metrics["val"]["photos"] == len(right)
    assert folder.metrics["val"]["top_1"] == pytest.approx(np.mean(right), abs=1e-4)


def test_fast_mode_starts_from_what_fast_mode_made(plants: Path, settings: Settings) -> None:
    first = run.train(options(mode="fast", init="starter"), plants, settings, quiet)
    assert first is not None
    second = run.train(options(mode="fast", init="mine", name="second"), plants, settings, quiet)
    assert second is not None
    assert second.training["init"] == f"mine {first.version}"
    assert second.metrics == first.metrics


def test_a_name_that_is_taken_is_refused_before_anything_is_done(
    plants: Path, settings: Settings
) -> None:
    (settings.models_dir / "mine").mkdir(parents=True)
    with pytest.raises(ArgumentError, match="There is a model 'mine' already") as refused:
        run.train(options(), plants, settings, quiet)
    assert refused.value.field == "name"
    assert not settings.trainings_dir.exists()


@pytest.mark.parametrize(("mode", "resume"), [("normal", False), ("fast", False), ("fast", True)])
def test_a_training_that_was_broken_off_is_not_removed_by_another(
    plants: Path, settings: Settings, mode: str, resume: bool
) -> None:
    work = settings.trainings_dir / "mine"
    work.mkdir(parents=True)
    checkpoints.write(work, checkpoints.State(7, (), {}), {}, [])
    config = options(mode=mode, init="starter")
    with pytest.raises(ArgumentError, match="go on with --resume") as refused:
        run.train(config, plants, settings, quiet, resume=resume)
    assert refused.value.field == "name"
    assert len(checkpoints.find(work)) == 1


def test_fast_mode_is_for_one_machine(
    plants: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(cluster))
    with pytest.raises(ArgumentError, match="Fast mode trains on one machine"):
        run.train(options(mode="fast", init="starter"), plants, settings, quiet)


def test_another_number_of_classes_is_refused(plants: Path, settings: Settings) -> None:
    with pytest.raises(ArgumentError, match=r"num_classes is 5, but .* has 3 labels"):
        run.outline(options(num_classes=5), plants, settings)


def test_unreadable_photos_are_left_out_and_listed_or_stop_a_strict_training(
    plants: Path, settings: Settings
) -> None:
    for number in range(4):
        (plants / SPECIES[1] / f"{number}.jpg").write_bytes(b"no picture")
    with pytest.raises(DatasetError, match="jpg"):
        run.train(options(mode="fast", init="starter", strict=True), plants, settings, quiet)
    assert not settings.models_dir.exists()
    folder = run.train(options(mode="fast", init="starter"), plants, settings, quiet)
    assert folder is not None
    assert "0.jpg" in (folder.path / "report.html").read_text("utf-8")


def test_a_folder_that_cannot_be_written_ends_in_a_sentence(
    plants: Path, settings: Settings
) -> None:
    settings.models_dir.write_text("a file where the folder should be")
    with pytest.raises(TrainingError, match=r"cannot be written: .*then go on"):
        run.train(options(mode="fast", init="starter"), plants, settings, quiet)
    assert settings.models_dir.is_file()


def test_a_model_of_a_training_is_read_back_as_it_was_returned(
    plants: Path, settings: Settings
) -> None:
    folder = run.train(options(mode="fast", init="starter", views=1), plants, settings, quiet)
    assert folder == read_model_folder(settings.models_dir / "mine")
