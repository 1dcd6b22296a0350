"""``plant-classification calibrate``: a model whose probabilities were never fitted."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from drawn_plants import draw_plants
from tiny_network import LABELS, write_tiny_model

from plant_classification import Classifier
from plant_classification.cli import cli
from plant_classification.models import read_model_folder
from plant_classification.models.choosing import STARTER_FOLDER

Run = Callable[..., Result]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder for each of the two species that the tiny model knows, 60 photos in all."""
    drawn = draw_plants(tmp_path / "data", species=2, photos=30)
    for plant, label in zip(sorted(drawn.iterdir()), LABELS, strict=True):
        plant.rename(drawn / label.name)
    return drawn


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("PLANT_CLASSIFICATION_MODELS_DIR", str(tmp_path / "models"))
    write_tiny_model(tmp_path / "models/tiny")

    def command(*words: str | Path) -> Result:
        return CliRunner().invoke(cli, ["calibrate", *map(str, words)])

    return command


def log_loss(model: Path, data: Path) -> float:
    """Of the served answers."""
    classifier = Classifier.load(model)
    losses = []
    for photo in sorted(data.rglob("*.jpg")):
        answer = classifier.identify(photo)
        shares = {found.label.name: found.probability for found in answer.candidates}
        losses.append(-math.log(shares[photo.parent.name]))
    return float(np.mean(losses))


def test_the_temperature_of_served_answers_is_the_best_and_sets_are_promised(
    run: Run, data: Path, tmp_path: Path
) -> None:
    model = tmp_path / "models/tiny"
    before, loss = read_model_folder(model), log_loss(model, data)
    result = run("tiny", data)
    assert result.exit_code == 0, result.output
    after = read_model_folder(model)
    assert after.trust.temperature != before.trust.temperature == 1
    assert after.version != before.version
    assert after.trust.plausible is not None
    assert after.trust.plausible.coverages[-1] == 0.98
    found = log_loss(model, data)
    assert found < loss
    assert f"the log-loss was {loss:.3f} and is {found:.3f}" in result.stdout
    for other in (0.8, 1.25):
        manifest = json.loads((model / "model.json").read_text())
        manifest["temperature"] = other * after.trust.temperature
        (model / "model.json").write_text(json.dumps(manifest))
        # The prior keeps a temperature of few photos a little nearer to one.
        assert log_loss(model, data) > found - 0.01
    assert {path.name for path in model.iterdir()} == {*before.files, "model.json"}


def test_validation_photos_are_taken_where_there_are_some(
    run: Run, data: Path, tmp_path: Path
) -> None:
    for split, first in (("train", 0), ("val", 20)):
        for label in LABELS:
            folder = tmp_path / "split" / split / label.name
            folder.mkdir(parents=True)
            for number in range(first, first + (20 if split == "train" else 10)):
                (data / label.name / f"{number}.jpg").rename(folder / f"{number}.jpg")
    validation, training = (
        run("tiny", tmp_path / "split", *split).stdout for split in ((), ("--split", "train"))
    )
    assert "by 20 photos" in validation
    assert "by heart" not in validation
    assert "by heart" in training


def test_what_cannot_be_calibrated_is_a_sentence(run: Run, data: Path, tmp_path: Path) -> None:
    for starter in ("starter", STARTER_FOLDER):
        assert "part of the package" in str(run(starter, data).exception)
    strange = draw_plants(tmp_path / "strange", species=3)
    said = str(run("tiny", strange).exception)
    assert said.startswith("No photo can be judged. Photos of names that the model does not know")
    assert read_model_folder(tmp_path / "models/tiny").trust.temperature == 1


def test_a_model_of_the_old_service_must_be_imported_first(
    run: Run, data: Path, shared: Path
) -> None:
    result = run(shared / "fixtures/legacy_mobilenet", data)
    assert "import it first" in str(result.exception)
