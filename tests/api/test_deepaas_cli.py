"""The real ``deepaas-cli``: the same module without a server."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from api.service import COMMANDS, environment
from drawn_plants import draw_plants

from plant_classification.training.config import training_options


def run(folder: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMANDS / "deepaas-cli", *words],
        env=environment(folder),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )


def temporary_files(folder: Path) -> list[Path]:
    return list((folder / "tmp").iterdir())


def test_a_photo_is_named_and_its_copy_deleted(tmp_path: Path, flower: Path) -> None:
    out = tmp_path / "answer.json"
    words = ("--deepaas_method_output", out, "predict", "--data", flower, "--organs", '["flower"]')
    done = run(tmp_path, *words)
    assert done.returncode == 0, done.stdout
    answer = json.loads(out.read_text())
    assert answer["status"] == "OK"
    assert answer["photos"][0]["name"] == "flower.jpg"
    assert answer["photos"][0]["organ"] == "flower"
    assert temporary_files(tmp_path) == []


def test_a_table_goes_into_a_file(tmp_path: Path, flower: Path) -> None:
    out = tmp_path / "answer.csv"
    words = ("--deepaas_method_output", out, "predict", "--data", flower, "--accept", "text/csv")
    done = run(tmp_path, *words)
    assert done.returncode == 0, done.stdout
    assert out.read_text().startswith("rank,label,species")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "neither came"),
        (("--urls", "['http://127.0.0.1/']"), "This address is refused"),
        (("--data", __file__), "is not a picture that is read"),
        (("--data", __file__, "--top_k", "0"), "top_k must be 1 or more"),
    ],
)
def test_what_cannot_be_used_ends_with_a_sentence(
    tmp_path: Path, words: tuple[str, ...], sentence: str
) -> None:
    done = run(tmp_path, "predict", *words)
    assert done.returncode != 0
    assert sentence in done.stdout
    assert temporary_files(tmp_path) == []


def test_the_metadata_come_without_a_model_being_loaded(tmp_path: Path) -> None:
    out = tmp_path / "metadata.json"
    done = run(tmp_path, "--deepaas_method_output", out, "get_metadata")
    assert done.returncode == 0, done.stdout
    assert json.loads(out.read_text())["id"] == "plant_classification"


def trained(folder: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Train on drawn plants in the data directory of the home."""
    data = folder / "home" / ".local" / "share" / "plant-classification" / "data"
    if not data.exists():
        draw_plants(data / "plants")
    given = ("--base_directory", "plants", "--mode", "fast", "--init", "starter")
    return run(folder, *words[:2], "train", *given, *words[2:])


def test_a_model_is_trained(tmp_path: Path) -> None:
    out = tmp_path / "training.json"
    done = trained(
        tmp_path, "--deepaas_method_output", out, "--name", '"mine"', "--use_remote", "false"
    )
    assert done.returncode == 0, done.stdout
    output = json.loads(out.read_text())["result"]["output"]
    assert output["modelname"] == "mine"
    assert [warning.split()[0] for warning in output["warnings"]] == ["use_remote"]
    assert (tmp_path / "models" / output["report"]).is_file()


def test_a_training_that_cannot_be_ends_with_a_sentence(tmp_path: Path) -> None:
    done = trained(tmp_path, "--deepaas_method_output", tmp_path / "out", "--epochs", "0")
    assert done.returncode != 0
    assert "epochs: Must be greater than or equal to 1" in done.stdout
    assert list((tmp_path / "models").iterdir()) == []


def test_its_help_lists_the_options_of_a_training(tmp_path: Path) -> None:
    done = run(tmp_path, "train", "--help")
    assert done.returncode == 0, done.stdout
    for name, option in training_options().items():
        assert f"--{name} " in done.stdout
        assert option.help.split()[0] in done.stdout
