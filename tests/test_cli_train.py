"""``plant-classification train``: what a person sees, from the options to the model."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result
from drawn_plants import SPECIES, draw_plants
from processes import wait_until

from plant_classification.cli import cli, main
from plant_classification.cli.train_progress import epoch_in_words, showing
from plant_classification.errors import ArgumentError, PlantClassificationError
from plant_classification.training.config import (
    load_training_config,
    read_options,
    training_options,
)
from plant_classification.training.progress import EpochFigures, Progress

Run = Callable[..., Result]

FAST = ("--mode", "fast", "--init", "starter")
FIGURES = EpochFigures(1, 2.5, 0.25, 0.5, 0.001, 1234.4, 2.25, 0.5, 0.75, 0.375)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("models", "trainings"):
        monkeypatch.setenv(f"PLANT_CLASSIFICATION_{name.upper()}_DIR", str(tmp_path / name))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path


@pytest.fixture
def run(folder: Path) -> Run:
    def command(*words: str | Path) -> Result:
        return CliRunner().invoke(cli, [str(word) for word in words])

    return command


@pytest.fixture(scope="module")
def plants(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_plants(tmp_path_factory.mktemp("data") / "plants")


def written(folder: Path) -> list[str]:
    places = (folder / "models", folder / "trainings")
    return [path.name for place in places if place.exists() for path in place.iterdir()]


def test_a_model_is_trained_and_its_first_use_is_told(run: Run, plants: Path, folder: Path) -> None:
    result = run("train", plants, *FAST, "--name", "my garden")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith("my garden: efficientnet_lite1, 3 labels, in ")
    assert re.fullmatch(r"Of \d+ validation photos the right name came first .*%\.", lines[1])
    report = Path(lines[-2].removeprefix("Report: "))
    assert report.is_file()
    command = lines[-1].removeprefix("Try it: ").removesuffix(" PHOTO")
    photo = plants / SPECIES[1] / "0.jpg"
    named = run(*shlex.split(command)[1:], photo)
    assert named.exit_code == 0, named.output
    assert SPECIES[1] in named.stdout.splitlines()[1]


def test_signals_act_afterwards_as_they_did(run: Run, plants: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    run("train", plants, *FAST)
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_training_without_a_name_has_the_time_as_one(
    run: Run, plants: Path, folder: Path
) -> None:
    result = run("train", plants, *FAST, "--models-dir", folder / "mine")
    assert result.exit_code == 0, result.output
    (model,) = (folder / "mine").iterdir()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d_\d{6}", model.name)
    assert f"--models-dir {folder / 'mine'} PHOTO" in result.stdout.splitlines()[-1]


@pytest.mark.slow
def test_names_are_added_to_a_model_and_what_that_costs_is_told(
    run: Run, tmp_path: Path, folder: Path
) -> None:
    known = draw_plants(tmp_path / "known", species=2)
    more = draw_plants(tmp_path / "more", species=4)
    for name in SPECIES[:2]:
        shutil.rmtree(more / name)
    result = run("train", known, *FAST, "--name", "two")
    assert result.exit_code == 0, result.output
    result = run("train", more, "--mode", "fast", "--extend", "two", "--name", "four")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith("four: efficientnet_lite1, 4 labels, in ")
    assert any(
        re.match(r"Labels that were known: .*% right before, .*% after", line) for line in lines
    )


def test_a_dry_run_tells_and_writes_nothing(run: Run, plants: Path, folder: Path) -> None:
    result = run("train", plants, *FAST, "--name", "mine", "--dry-run")
    assert result.exit_code == 0, result.output
    assert f"Data set: {plants} " in result.stdout
    assert "Labels: 3; photos: " in result.stdout
    assert "Network: efficientnet_lite1 at 224 px, from starter " in result.stdout
    assert f"It would write the model 'mine': {folder / 'models' / 'mine'}" in result.stdout
    assert written(folder) == []


def test_the_options_are_printed_as_a_file_of_options(run: Run, tmp_path: Path) -> None:
    result = run("train", "--options")
    assert result.exit_code == 0, result.output
    defaults = {name: option.default for name, option in training_options().items()}
    assert yaml.safe_load(result.stdout) == defaults
    for option in training_options().values():
        assert f"# {option.help}\n{option.name}: " in result.stdout
    assert "\nepochs: 15  # 1 to 10000\n" in result.stdout
    assert '\nmode: "normal"  # normal, fast\n' in result.stdout
    path = tmp_path / "options.yaml"
    path.write_text(result.stdout)
    assert load_training_config(("file", read_options(path))) == load_training_config()


def test_help_says_where_the_options_are(run: Run) -> None:
    text = run("train", "--help").stdout
    for word in ("DATA", "--mode [normal|fast]", "--set OPTION=VALUE", "--options", "--resume"):
        assert word in text


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--set", "epochs=0"], "--set sets epochs to 0; it must be a whole number from 1 to"),
        (["--set", "epochs"], "--set takes OPTION=VALUE; 'epochs' came"),
        (["--set", "epoch=3"], "--set sets 'epoch', which is no option of a training"),
        (["--name", "a/b"], "'a/b' cannot be a model's name"),
        (["--extend", "nobody", "--init", "imagenet"], "There is no model 'nobody'"),
        (["--init", "nobody"], "There is no model 'nobody'"),
        (["--name", "starter"], "starter"),
        (["--resume"], "give --name too"),
    ],
)
def test_what_cannot_be_used_is_a_sentence(
    run: Run, plants: Path, folder: Path, words: list[str], sentence: str
) -> None:
    result = run("train", plants, *FAST, *words)
    assert isinstance(result.exception, PlantClassificationError)
    assert sentence in str(result.exception)
    assert written(folder) == []


def test_what_is_set_wins_over_the_file(run: Run, plants: Path, folder: Path) -> None:
    path = folder / "options.yaml"
    path.write_text("training: {mode: fast, init: starter, views: 0}\n")
    result = run("train", plants, "--config", path, "--dry-run")
    assert isinstance(result.exception, ArgumentError)
    assert f"{path} sets views to 0" in str(result.exception)
    result = run("train", plants, "--config", path, "--set", "views=2", "--dry-run")
    assert isinstance(result.exception, ArgumentError)  # the file must be right all the same
    path.write_text("{mode: normal, init: starter}\n")
    result = run("train", plants, "--config", path, "--mode", "fast", "--dry-run")
    assert result.exit_code == 0, result.output
    assert "mode fast" in result.stdout


def test_an_option_without_purpose_is_a_note(run: Run, plants: Path) -> None:
    result = run("train", plants, *FAST, "--set", "use_remote=true", "--dry-run")
    assert result.exit_code == 0, result.output
    assert "Note: use_remote has no effect" in result.stderr
    assert "use_remote" not in result.stdout


def test_an_epoch_is_a_line() -> None:
    assert epoch_in_words(FIGURES, 15) == (
        "epoch 1 of 15: loss 2.500, top-1 25.0%, top-5 50.0%, 1,234 photos/s; "
        "validation: loss 2.250, top-1 50.0%, top-5 75.0%"
    )


def show(*told: Progress) -> None:
    with showing() as observe:
        for progress in told:
            observe(progress)


RUNNING = Progress("training", 3, 20, 2, 15, 1.25, 0.5, 0.75, 44.0, 3725.2, (FIGURES,))


def test_without_a_terminal_there_is_a_line_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    show(Progress("reading"), RUNNING, RUNNING, RUNNING, Progress("exporting", finished=(FIGURES,)))
    captured = capsys.readouterr()
    assert captured.out == ""
    figures = "loss 1.250, top-1 50.0%, top-5 75.0%, 44 photos/s, 1:02:05 left"
    assert captured.err.splitlines() == [
        "reading",
        epoch_in_words(FIGURES, 15),
        f"training, epoch 2 of 15, 3 of 20, {figures}",
        "exporting",
    ]


def test_in_a_terminal_there_is_a_bar_that_leaves_the_epochs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    show(Progress("reading"), RUNNING)
    captured = capsys.readouterr()
    assert captured.out == ""
    bare = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", captured.err)
    assert re.search("training, epoch 2 of 15 [━╸╺]+ 3 of 20", bare)
    assert "loss 1.250, top-1 50.0%, top-5 75.0%, 44 photos/s, 1:02:05 left" in bare
    assert epoch_in_words(FIGURES, 15) in bare
    assert captured.err.rstrip().endswith("\x1b[2K")  # the bar is gone


def begun(plants: Path, folder: Path, *words: str) -> subprocess.Popen[str]:
    """The command in a process, as soon as it trains."""
    command = [sys.executable, "-m", "plant_classification.cli", "train", str(plants), *words]
    process = subprocess.Popen(
        [*command, "--name", "mine"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    progress = folder / "trainings" / "mine" / "progress.json"

    def trains() -> bool:
        stage = json.loads(progress.read_text())["stage"] if progress.exists() else "starting"
        return stage not in ("starting", "reading") or process.poll() is not None

    wait_until(trains, "it trains", 120)
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_a_sentence_and_nothing_half_done(
    plants: Path, folder: Path, number: signal.Signals
) -> None:
    many = draw_plants(folder / "many", photos=40)
    process = begun(many, folder, *FAST, "--set", "views=64")
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1, err
    assert err.splitlines()[-1] == "Error: The training was stopped."
    assert out == ""
    assert written(folder) == []


@pytest.mark.slow
def test_a_signal_after_a_checkpoint_says_how_to_go_on_and_so_it_does(
    plants: Path, folder: Path
) -> None:
    tiny = ("--init", "none", "--set", "modelname=MobileNet", "--set", "image_size=32")
    process = begun(plants, folder, *tiny, "--set", "epochs=2", "--set", "batch_size=2")
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 1, err
    assert err.splitlines()[-1].endswith("the same command with --name mine --resume")
    assert not (folder / "models" / "mine").exists()
    again = begun(plants, folder, *tiny, "--set", "epochs=2", "--set", "batch_size=2", "--resume")
    out, err = again.communicate(timeout=300)
    assert again.returncode == 0, err
    assert out.startswith("mine: mobilenet, 3 labels, in ")


def test_without_tensorflow_fast_mode_works_and_the_other_says_what_is_missing(
    plants: Path, folder: Path
) -> None:
    (folder / "sitecustomize.py").write_text(
        "import sys; sys.modules.update(dict.fromkeys(('tensorflow', 'keras', 'tensorboard')))"
    )
    environment = os.environ | {"PYTHONPATH": str(folder)}
    command = [sys.executable, "-m", "plant_classification.cli", "train", str(plants)]

    def train(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *words], env=environment, capture_output=True, text=True, check=False
        )

    done = train(*FAST)
    assert done.returncode == 0, done.stderr
    assert "tensor" not in done.stderr
    done = train("--init", "starter")
    assert done.returncode == 1
    assert "pip install 'plant-classification[train]'" in done.stderr.splitlines()[-1]


def test_an_error_is_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], plants: Path
) -> None:
    words = ["plant-classification", "train", str(plants), "--set", "epochs=no"]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith("Error: --set sets epochs to False")
