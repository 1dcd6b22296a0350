"""Fast mode, from the starter, on drawn plants."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_plants import SPECIES, draw_plants
from tiny_network import RULE, write_tiny_model

from plant_classification import Classifier
from plant_classification.data import Dataset
from plant_classification.data.augmentation import Augmentation
from plant_classification.data.reading import read_dataset
from plant_classification.errors import DatasetError
from plant_classification.inference.batch import look
from plant_classification.inference.engine import Engine
from plant_classification.models import find_model
from plant_classification.models.folder import KERAS_WEIGHTS, NETWORK
from plant_classification.settings import Settings, load_settings
from plant_classification.training import run
from plant_classification.training.config import TrainingConfig, load_training_config
from plant_classification.training.fast import train_fast, views_for
from plant_classification.training.features import features_of
from plant_classification.training.progress import Progress
from plant_classification.training.publishing import TrainedNetwork
from plant_classification.training.start import find_start
from plant_classification.trust.feature_statistics import FeatureStatistics

BLOCKED = """
import sys
sys.modules["tensorflow"] = sys.modules["keras"] = None
from pathlib import Path
from plant_classification.settings import load_settings
from plant_classification.training import run
from plant_classification.training.config import load_training_config

data, root = Path(sys.argv[1]), Path(sys.argv[2])
settings = load_settings(models_dir=root / "models", trainings_dir=root / "trainings")
config, _ = load_training_config(("the test", {"mode": "fast", "init": "starter", "name": "mine"}))
model = run.train(config, data, settings, lambda progress: None)
print(model.path)
"""


@pytest.fixture(scope="module")
def plants(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_plants(tmp_path_factory.mktemp("plants") / "photos")


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    root = tmp_path_factory.mktemp("machine")
    settings = load_settings(models_dir=root / "models", trainings_dir=root / "trainings")
    write_tiny_model(settings.models_dir / "tiny")
    return settings


def configured(**options: Any) -> TrainingConfig:
    given = {"mode": "fast", "init": "tiny", "views": 2, **options}
    return load_training_config(("the test", given))[0]


def trained(
    folder: Path | Dataset, made: Path, settings: Settings, **options: Any
) -> TrainedNetwork:
    config = configured(**options)
    dataset = folder if isinstance(folder, Dataset) else read_dataset(folder)
    made.mkdir(exist_ok=True)
    start = find_start(config, settings)
    return train_fast(config, dataset, start, settings, lambda _: None, made)


def test_a_whole_training_gives_a_model_that_names_the_plants(
    plants: Path, machine: Settings
) -> None:
    stages: list[str] = []
    config = configured(init="starter", name="garden")
    model = run.train(config, plants, machine, lambda progress: stages.append(progress.stage))
    assert model is not None
    assert model.path == machine.models_dir / "garden"
    assert {"model.json", "labels.csv", NETWORK, KERAS_WEIGHTS, "trust.npz", "report.html"} <= {
        path.name for path in model.path.iterdir()
    }
    assert [label.name for label in model.labels()] == list(SPECIES[:3])
    assert list(dict.fromkeys(stages))[:5] == [
        "reading",
        "computing features",
        "choosing the regularisation",
        "fitting",
        "exporting",
    ]
    classifier = Classifier.load("garden", settings=machine)
    for name in SPECIES[:3]:
        for photo in ("1.jpg", "6.jpg"):
            answer = classifier.identify(plants / name / photo)
            assert answer.candidates[0].label.name == name


def test_few_photos_are_looked_at_more_often_than_many(
    plants: Path, machine: Settings, tmp_path: Path
) -> None:
    assert trained(plants, tmp_path / "few", machine, views=None).training["views"] == 8
    assert trained(plants, tmp_path / "asked", machine, views=3).training["views"] == 3
    assert [views_for(photos) for photos in (2_000, 2_001, 20_001)] == [8, 4, 2]


@pytest.mark.slow
def test_no_tensorflow_is_needed(plants: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", BLOCKED, str(plants), str(tmp_path)]
    done = subprocess.run(command, check=False, timeout=300, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_dir()


def test_the_same_seed_gives_the_same_network(
    plants: Path, machine: Settings, tmp_path: Path
) -> None:
    one, same, other = (
        trained(plants, tmp_path / name, machine, seed=seed).network.with_suffix(".bin")
        for name, seed in (("one", 3), ("same", 3), ("other", 4))
    )
    assert one.read_bytes() == same.read_bytes()
    assert one.read_bytes() != other.read_bytes()


@pytest.fixture(scope="module")
def engine(machine: Settings) -> Engine:
    return Engine(machine.models_dir / "tiny" / NETWORK, RULE, "f32", for_many=True)


def test_the_first_view_is_as_served_and_the_others_follow_from_the_seed(
    plants: Path, machine: Settings, engine: Engine
) -> None:
    records = read_dataset(plants).splits["train"].take(range(5))
    served = look(engine, RULE, records, machine).features

    def seen(seed: int, **augmentation: float) -> Any:
        changes = Augmentation(**augmentation)
        arguments = (engine, RULE, records, 3, changes, seed, machine)
        return features_of(*arguments, lambda *_: None).features

    one, same, other = (seen(seed, h_flip=0.5, zoom=0.5) for seed in (1, 1, 2))
    np.testing.assert_allclose(one[:, 0], served, rtol=1e-3)
    np.testing.assert_array_equal(one, same)
    np.testing.assert_array_equal(one[:, 0], other[:, 0])
    assert (np.abs(one[:, 1:] - other[:, 1:]).max(axis=2) > 1e-3).all()
    assert (np.abs(one[:, 1] - one[:, 2]).max(axis=1) > 1e-3).all()
    coloured = {"blur": 1.0, "pixel_noise": 1.0, "pixel_sat": 1.0, "cutout": 1.0}
    np.testing.assert_array_equal(seen(1, h_flip=0.5, zoom=0.5, **coloured), one)


def test_what_is_kept_of_the_features_is_of_the_photos_as_served(
    plants: Path, machine: Settings, engine: Engine, tmp_path: Path
) -> None:
    dataset = read_dataset(plants)
    statistics = trained(dataset, tmp_path, machine).statistics
    records = dataset.splits["train"]
    features = look(engine, RULE, records, machine).features
    expected = FeatureStatistics.of(features, records.labels, 3)
    assert statistics is not None
    np.testing.assert_array_equal(statistics.counts, expected.counts)
    np.testing.assert_allclose(statistics.means, expected.means, atol=0.2)  # bf16, maybe


def test_a_photo_that_cannot_be_read_is_left_out_or_ends_it(
    plants: Path, machine: Settings, tmp_path: Path
) -> None:
    dataset = read_dataset(plants)
    records = dataset.splits["train"]
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(records.path(0).read_bytes()[:500])
    with_broken = dataclasses.replace(records, paths=[str(broken), *records.paths[1:]])
    damaged = dataclasses.replace(dataset, splits={**dataset.splits, "train": with_broken})
    result = trained(damaged, tmp_path / "made", machine)
    ((path, sentence),) = result.unreadable
    assert path == str(broken)
    assert "damaged" in sentence
    assert result.training["photos"] == len(records) - 1
    with pytest.raises(DatasetError, match=r"broken\.jpg: .*damaged"):
        trained(damaged, tmp_path / "made", machine, strict=True)


def test_where_no_photo_can_be_read_there_is_no_model(
    plants: Path, machine: Settings, tmp_path: Path
) -> None:
    dataset = read_dataset(plants)
    none = dataclasses.replace(dataset.splits["train"], root=tmp_path / "nowhere")
    empty = dataclasses.replace(dataset, splits={**dataset.splits, "train": none})
    with pytest.raises(DatasetError, match="does not exist"):
        trained(empty, tmp_path / "made", machine)


def test_options_that_have_no_effect_are_named(
    plants: Path, machine: Settings, tmp_path: Path
) -> None:
    assert trained(plants, tmp_path / "plain", machine).training["notes"] == []
    changed = trained(plants, tmp_path / "changed", machine, epochs=3, ema=0.9, seed=1)
    assert changed.training["notes"] == ["Of no effect in fast mode: epochs, ema."]


@pytest.mark.slow
# TensorFlow's variables lack what NumPy 2 asks of them; Keras saves weights through it.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_imagenets_weights_are_converted_once(
    plants: Path, machine: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = trained(plants, tmp_path / "one", machine, init="imagenet")
    assert result.architecture == "efficientnet_lite0"
    assert result.weights is not None
    (base,) = [path for path in (machine.trainings_dir / ".imagenet").iterdir() if path.is_dir()]
    made = base.stat().st_mtime_ns
    monkeypatch.setitem(sys.modules, "plant_classification.networks.export", None)
    again = trained(plants, tmp_path / "again", machine, init="imagenet")
    assert base.stat().st_mtime_ns == made
    assert again.network.with_suffix(".bin").read_bytes() == (
        result.network.with_suffix(".bin").read_bytes()
    )
    assert find_model(None, machine.models_dir).name != base.name


def test_progress_counts_the_photos(plants: Path, machine: Settings, tmp_path: Path) -> None:
    told: list[Progress] = []
    config, dataset = configured(), read_dataset(plants)
    start = find_start(config, machine)
    train_fast(config, dataset, start, machine, told.append, tmp_path)
    count = len(dataset.splits["train"])
    looked = [step for step in told if step.stage == "computing features"]
    assert [(step.done, step.total) for step in looked] == [
        (done, count) for done in range(1, count + 1)
    ]
    steps = [step for step in told if step.stage == "fitting"]
    assert steps[-1].done == steps[-1].total > 0
