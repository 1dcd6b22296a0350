"""A model in eight bits: smaller, nearly the same answers, and refused where it is worse."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from tiny_network import LABELS, write_tiny_model

from plant_classification import Classifier
from plant_classification.cli import cli
from plant_classification.errors import ArgumentError, DatasetError
from plant_classification.evaluation import quantization
from plant_classification.models import ModelFolder
from plant_classification.models.folder import NETWORK_WEIGHTS, read_model_folder
from plant_classification.settings import Settings
from plant_classification.trust import TrustRules

pytest.importorskip("nncf")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A hundred pictures of coloured squares."""
    folder = tmp_path_factory.mktemp("pictures")
    for place in range(100):
        squares = np.random.default_rng(place).integers(0, 256, (5, 5, 3), np.uint8)
        Image.fromarray(squares).resize((60, 60), Image.Resampling.NEAREST).save(
            folder / f"{place}.png"
        )
    return sorted(folder.iterdir())


@pytest.fixture
def model(settings: Settings) -> ModelFolder:
    """One that does not say the same of all of them."""
    return write_tiny_model(settings.models_dir / "tiny", seed=5, trust=TrustRules(2.0))


@pytest.fixture
def data(pictures: list[Path], model: ModelFolder, settings: Settings, tmp_path: Path) -> Path:
    """Pictures of which the model is sure, with the labels that it gives: it is always right."""
    classifier = Classifier.load("tiny", settings=settings)
    answers = [(path, classifier.identify(path).candidates[0]) for path in pictures]
    sure = [(path, first.label.name) for path, first in answers if first.probability > 0.6]
    assert len({name for _, name in sure}) == len(LABELS)
    for place, (path, name) in enumerate(sure):
        folder = tmp_path / "data" / ("train" if place % 2 else "val") / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / path.name).write_bytes(path.read_bytes())
    return tmp_path / "data"


def run(settings: Settings, data: Path, model: str = "tiny", *options: str) -> Result:
    words = ["models", "quantize", model, "--data", str(data), *options]
    return CliRunner().invoke(cli, [*words, "--models-dir", str(settings.models_dir)])


def test_a_model_in_eight_bits_is_smaller_and_says_nearly_the_same(
    data: Path, model: ModelFolder, pictures: list[Path], settings: Settings
) -> None:
    (data / "train" / LABELS[0].name / "broken.jpg").write_bytes(b"no photo")
    result = run(settings, data)
    assert result.exit_code == 0, result.output
    assert "before:         right at once 100.00%" in result.output
    made = read_model_folder(settings.models_dir / "tiny-int8")
    assert made.trust == model.trust
    assert made.training["quantized_from"] == f"tiny {model.version}"
    assert made.files[NETWORK_WEIGHTS].bytes < 0.7 * model.files[NETWORK_WEIGHTS].bytes
    assert made.metrics["data, before"]["top_1"] == 1
    assert made.metrics["data, in eight bits"]["top_1"] > 0.95
    ours, theirs = (
        Classifier.load(name, precision="f32", settings=settings) for name in ("tiny", "tiny-int8")
    )
    pixels = np.stack([np.asarray(Image.open(path)) for path in pictures[:20]])
    before, after = ours.logits(pixels), theirs.logits(pixels)
    assert 0 < np.abs(before - after).mean() < 0.03 * np.ptp(before)


def test_a_model_that_gets_worse_is_not_kept(
    data: Path, model: ModelFolder, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantization, "MOST_LOST", -1.0)
    result = run(settings, data)
    assert isinstance(result.exception, ArgumentError)
    assert "tiny has a mean accuracy over labels of" in str(result.exception)
    assert "Nothing was written." in str(result.exception)
    assert [path.name for path in settings.models_dir.iterdir() if "int8" in path.name] == []


def test_what_is_in_eight_bits_or_taken_is_refused(
    data: Path, model: ModelFolder, settings: Settings
) -> None:
    assert run(settings, data).exit_code == 0
    assert "There is a model 'tiny-int8' already" in str(run(settings, data).exception)
    assert "cannot be called 'starter'" in str(
        run(settings, data, "tiny", "--name", "starter").exception
    )
    again = run(settings, data, "tiny-int8")
    assert "tiny-int8 is in eight bits already" in str(again.exception), again.output


def test_photos_that_judge_are_needed(data: Path, model: ModelFolder, settings: Settings) -> None:
    for folder in (data / "train").iterdir():
        for photo in folder.iterdir():
            photo.write_bytes(b"no photo")
    assert isinstance(run(settings, data).exception, DatasetError)
