"""The command: what a person sees, and what a script gets."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from tiny_network import write_tiny_model

from plant_classification import Answer
from plant_classification.cli import cli, main
from plant_classification.cli.answer_view import in_words, plausible_in_words
from plant_classification.errors import ArgumentError, UnknownModelError
from plant_classification.inference.answer import IsPlant, PlausibleSet
from plant_classification.models.choosing import STARTER_FOLDER
from plant_classification.taxonomy import label_of
from plant_classification.trust import choose_safe_answer

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command with a models folder of the test's own."""
    monkeypatch.setenv("PLANT_CLASSIFICATION_MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setenv("COLUMNS", "100")

    def command(*words: str | Path) -> Result:
        return CliRunner().invoke(cli, [str(word) for word in words])

    return command


def test_a_photo_gets_a_table_with_ranks_and_the_safe_answer_in_words(
    run: Run, flower: Path, named: Answer
) -> None:
    result = run("identify", flower, "--top-k", "3")
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0] == "flower.jpg"
    first = named.candidates[0].label
    assert lines[1].startswith(f"label   {first.name}")
    assert "%" in lines[1]
    assert "█" in lines[1]
    assert lines[1].rstrip().endswith(dict(first.common_names)["en"][0])
    assert lines[4].startswith(f"genus   {named.genera[0].name}")
    assert lines[6].startswith(f"family  {named.families[0].name}")
    assert lines[8].startswith("Safe answer: ")


def test_a_narrow_terminal_keeps_the_numbers(
    run: Run, flower: Path, named: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    first = run("identify", flower).output.splitlines()[1]
    name, share = named.candidates[0].label.name, named.candidates[0].probability
    assert re.fullmatch(rf"label   {name} +{share:.1%}\s*", first)


def test_a_model_of_ones_own_is_named_below_its_answer(
    run: Run, flower: Path, tmp_path: Path
) -> None:
    """It answers by default from the day on which it was made."""
    assert "Model:" not in run("identify", flower).output
    write_tiny_model(tmp_path / "models" / "garden")
    assert "Model: garden, 2 labels." in run("identify", flower).output


def test_a_folder_without_photos_is_told(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = run("identify", tmp_path / "empty")
    assert result.exit_code == 1
    assert f"No photo was found in {tmp_path / 'empty'}; the names of photos end in .avif," in str(
        result.exception
    )


def test_json_is_one_object_a_line_and_a_bad_photo_is_one_too(
    run: Run, flower: Path, named: Answer
) -> None:
    result = run("identify", "--json", flower, "nowhere.jpg", flower)
    assert result.exit_code == 1
    first, bad, last = (json.loads(line) for line in result.stdout.splitlines())
    assert first == last
    assert first["labels"][0] == named.candidates[0].label.name
    assert bad["status"] == "error"
    assert "nowhere.jpg does not exist" in bad["message"]
    assert bad["photos"] == [{"name": "nowhere.jpg"}]


def test_a_bad_photo_is_reported_and_the_others_go_on(
    run: Run, flower: Path, tmp_path: Path, named: Answer
) -> None:
    (tmp_path / "notes.txt").write_text("not a photo")
    result = run("identify", tmp_path / "notes.txt", flower)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: notes.txt is not a picture that is read")
    assert named.candidates[0].label.name in result.stdout


def test_a_name_that_is_no_text_commands_nothing(
    flower: Path, tmp_path: Path, named: Answer
) -> None:
    odd = tmp_path / os.fsdecode(b"\x1b[31m\xff.jpg")
    shutil.copy(flower, odd)
    command = [sys.executable, "-m", "plant_classification.cli", "identify"]
    strict = os.environ | {"PYTHONIOENCODING": "utf-8:strict"}
    missing = tmp_path / os.fsdecode(b"\xfe.jpg")
    for options in ([], ["--json"]):
        words = [*command, *options, str(odd), str(missing), str(flower)]
        ran = subprocess.run(words, check=False, capture_output=True, env=strict)
        assert ran.returncode == 1
        said = (ran.stdout + ran.stderr).decode()
        assert "\x1b[31m" not in said
        assert said.count(named.candidates[0].label.name) >= 2
        assert ".jpg does not exist" in said


def test_an_observation_is_one_answer(run: Run, flower: Path) -> None:
    result = run("identify", "--observation", "--json", flower, flower)
    (answer,) = (json.loads(line) for line in result.stdout.splitlines())
    assert len(answer["photos"]) == 2
    assert result.exit_code == 0


def test_a_species_list_is_a_file_here_or_a_name_where_models_are(
    run: Run, flower: Path, tmp_path: Path
) -> None:
    here, models = tmp_path / "here.txt", tmp_path / "models"
    models.mkdir()
    here.write_text("Rosa", "utf-8")
    (models / "park.txt").write_text("Viola", "utf-8")
    for chosen, genus in ((here, "Rosa"), ("park", "Viola")):
        result = run("identify", flower, "--models-dir", models, "--species-list", chosen)
        assert f"genus   {genus}" in result.output
        assert "Note: By the photos alone, the list has" in result.output


def test_a_list_that_cannot_be_used_is_told_once(run: Run, flower: Path, tmp_path: Path) -> None:
    missing = tmp_path / "missing.txt"
    result = run("identify", flower, flower, "--species-list", missing)
    assert isinstance(result.exception, ArgumentError)
    assert str(result.exception) == f"There is no species list '{missing}'."


def test_organs_are_told_one_for_each_photo(run: Run, flower: Path) -> None:
    words = ("--organ", "flower", "--organ", "leaf", "--json")
    (answer,) = map(
        json.loads, run("identify", "--observation", flower, flower, *words).stdout.splitlines()
    )
    assert [photo["organ"] for photo in answer["photos"]] == ["flower", "leaf"]
    each = map(json.loads, run("identify", flower, flower, *words).stdout.splitlines())
    assert [answer["photos"][0]["organ"] for answer in each] == ["flower", "leaf"]
    result = run("identify", flower, *words)
    assert result.exit_code == 2
    assert "2 came for 1 photos" in result.stderr


def test_an_observation_of_six_photos_is_refused(run: Run, flower: Path) -> None:
    result = run("identify", "--observation", *[flower] * 6)
    assert result.exit_code == 1
    assert "An observation has 1 to 5 photos; 6 came." in str(result.exception)


@pytest.mark.parametrize(
    "words",
    [
        ["identify"],
        ["identify", "x.jpg", "--crops", "2"],
        ["identify", "x.jpg", "--top-k", "0"],
        ["identify", "x.jpg", "--confidence", "0"],
        ["identify", "x.jpg", "--unknown"],
        ["nonsense"],
    ],
)
def test_a_wrong_command_line_is_refused_with_status_2(run: Run, words: list[str]) -> None:
    result = run(*words)
    assert result.exit_code == 2
    assert "Usage:" in result.stderr


def test_a_model_is_chosen_by_name_or_folder(
    run: Run, flower: Path, tmp_path: Path, named: Answer
) -> None:
    models = tmp_path / "elsewhere"
    shutil.copytree(STARTER_FOLDER, models / "mine")
    for words in (["--model", "mine", "--models-dir", models], ["--model", models / "mine"]):
        result = run("identify", "--json", flower, *words)
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout)["labels"][0] == named.candidates[0].label.name


def test_an_unknown_model_is_one_line_on_standard_error_and_status_1(
    flower: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["plant-classification", "identify", str(flower), "--model", "other"]
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert capsys.readouterr().err == "Error: There is no model 'other'; there are: starter.\n"


def test_models_are_listed_and_what_is_wrong_is_said(run: Run, tmp_path: Path) -> None:
    shutil.copytree(STARTER_FOLDER, tmp_path / "models/mine")
    (tmp_path / "models/broken").mkdir()
    result = run("models", "list")
    assert result.exit_code == 0
    header, first, last, folder = result.stdout.splitlines()
    assert folder == f"Models folder: {tmp_path / 'models'}"
    assert header.split() == ["Name", "Created", "Network", "Labels", "Version"]
    assert first.startswith("mine")
    assert last.startswith("starter")
    assert "Left out:" in result.stderr
    assert "broken is not a model folder" in result.stderr


def test_a_model_is_shown_with_its_card_and_species(run: Run) -> None:
    result = run("models", "show", "starter")
    assert result.exit_code == 0, result.output
    assert "Dahlia sp." in result.output
    assert "119 labels" in result.output
    assert "forag" in result.output
    assert isinstance(run("models", "show", "other").exception, UnknownModelError)


@pytest.mark.parametrize(
    ("confidence", "sentence"),
    [
        (1e-3, r"Safe answer: the genus Dahlia, \d+\.\d% sure, which is not promised .*\."),
        (
            1.0,
            r"Safe answer: none at 100%, which is not promised .*\. Nearest is the family .*%\.",
        ),
    ],
)
def test_the_safe_answer_is_a_sentence(named: Answer, confidence: float, sentence: str) -> None:
    ranks = [("genus", ["Dahlia"], np.array([named.genera[0].probability]))]
    safe = choose_safe_answer(ranks, confidence)
    words = in_words(dataclasses.replace(named, safe_answer=safe))
    assert re.fullmatch(sentence, words)


def test_the_nearest_taxon_is_the_genus_where_its_family_is_unknown(named: Answer) -> None:
    genus, family = named.genera[0], named.families[0]
    low = dataclasses.replace(family, probability=genus.probability / 2)
    words = in_words(dataclasses.replace(named, families=(low,)))
    assert f"Nearest is the genus {genus.name} with " in words
    words = in_words(dataclasses.replace(named, genera=(), families=(low,)))
    assert f"Nearest is the family {family.name} with " in words


def test_a_promise_and_a_rejection_are_told(named: Answer) -> None:
    ranks = [("genus", ["Dahlia"], np.array([0.5]))]
    safe = choose_safe_answer(ranks, 0.5)
    safe = dataclasses.replace(safe, promised=True)
    words = in_words(dataclasses.replace(named, safe_answer=safe))
    assert words == "Safe answer: the genus Dahlia, 50.0%; of such answers 50% are right."
    is_plant = IsPlant(0.004, 0.03, binary=False)
    words = in_words(dataclasses.replace(named, is_plant=is_plant, rejected=True))
    assert "does not look like a plant that the model knows (0.4% of such plants" in words


def test_a_plausible_set_says_what_it_promises(named: Answer) -> None:
    labels = (label_of("Rosa canina"), label_of("Rosa glauca"))
    kept, other = (PlausibleSet(0.999, promised, labels) for promised in (True, False))
    assert plausible_in_words(dataclasses.replace(named, plausible=kept)) == (
        "Plausible, with the right name among them for 99.9% of such photos: "
        "Rosa canina, Rosa glauca."
    )
    assert plausible_in_words(dataclasses.replace(named, plausible=other)) == (
        "Plausible, without a promise for such a question: Rosa canina, Rosa glauca."
    )


def test_help_describes_the_options(run: Run) -> None:
    result = run("identify", "--help")
    assert result.exit_code == 0
    assert "--observation" in result.output
