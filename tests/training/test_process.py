"""A training in a process of its own: what comes back, and what is left when somebody dies."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from drawn_plants import draw_plants
from processes import all_gone, children, wait_until

from plant_classification.errors import TrainingError
from plant_classification.models import ModelFolder
from plant_classification.processes import python
from plant_classification.settings import Settings
from plant_classification.training import checkpoints
from plant_classification.training.config import TrainingConfig, load_training_config
from plant_classification.training.observers import PROGRESS
from plant_classification.training.process import train_in_process

LONG = {"views": 64}
"""What makes a fast training of the drawn photos take long enough to be disturbed."""


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    return dataclasses.replace(settings, trainings_dir=tmp_path / "trainings")


@pytest.fixture(scope="module")
def plants(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_plants(tmp_path_factory.mktemp("data") / "plants")


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_plants(tmp_path_factory.mktemp("data") / "many", photos=30)


def config(**options: Any) -> TrainingConfig:
    given = {"name": "mine", "mode": "fast", "init": "starter", **options}
    return load_training_config(("the test", given))[0]


def state(settings: Settings) -> dict[str, Any]:
    """progress.json, or nothing where there is none."""
    try:
        content: dict[str, Any] = json.loads(
            (settings.trainings_dir / "mine" / PROGRESS).read_text()
        )
    except FileNotFoundError:
        return {}
    return content


def trains(settings: Settings) -> Callable[[], bool]:
    return lambda: state(settings).get("stage") not in (None, "starting", "reading")


def left(settings: Settings) -> list[str]:
    """What is in the folders of the trainings and of the models."""
    folders = (settings.trainings_dir, settings.models_dir)
    return [path.name for folder in folders if folder.exists() for path in folder.iterdir()]


def test_a_training_comes_back_as_a_model(plants: Path, settings: Settings) -> None:
    before = set(children(os.getpid()))
    model, warnings = train_in_process(config(), plants, settings)
    assert (model.name, model.label_count) == ("mine", 3)
    assert model.path == settings.models_dir / "mine"
    assert warnings == ()
    assert state(settings)["state"] == "done"
    assert [path.name for path in (settings.trainings_dir / "mine").iterdir()] == [PROGRESS]
    assert set(children(os.getpid())) == before


def test_what_is_wrong_comes_back_as_its_sentence(tmp_path: Path, settings: Settings) -> None:
    empty = tmp_path / "nothing"
    empty.mkdir()
    with pytest.raises(TrainingError, match="nothing"):
        train_in_process(config(), empty, settings)
    assert left(settings) == []


def test_what_cannot_be_shown_comes_back_as_a_warning(
    plants: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    _, warnings = train_in_process(config(), plants, settings)
    (warning,) = warnings
    assert "MLflow" in warning


@dataclasses.dataclass
class Running:
    """A training that goes on in another thread."""

    future: Future[tuple[ModelFolder, tuple[str, ...]]]
    guard: int
    trainer: int


@pytest.fixture
def running(many: Path, settings: Settings) -> Iterator[Running]:
    before = set(children(os.getpid()))
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(train_in_process, config(**LONG), many, settings)
        wait_until(lambda: trains(settings)() or future.done(), "it trains")
        assert not future.done(), future.exception()
        (guard,) = set(children(os.getpid())) - before
        (trainer,) = children(guard)
        assert trainer == state(settings)["pid"]
        try:
            yield Running(future, guard, trainer)
        finally:
            for pid in filter(lambda pid: not all_gone([pid])(), (guard,)):
                os.kill(pid, signal.SIGTERM)


def test_a_training_process_that_is_killed_is_a_sentence(
    running: Running, settings: Settings
) -> None:
    os.kill(running.trainer, signal.SIGKILL)
    with pytest.raises(TrainingError, match=r"died \(SIGKILL\)"):
        running.future.result(60)
    assert all_gone([running.guard, running.trainer])()
    assert list(settings.models_dir.iterdir() if settings.models_dir.exists() else ()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_guard_that_is_killed_takes_the_training_along(
    running: Running, settings: Settings, number: signal.Signals
) -> None:
    os.kill(running.guard, number)
    with pytest.raises(TrainingError, match="guards the training died"):
        running.future.result(60)
    wait_until(all_gone([running.guard, running.trainer]), "both are gone")
    if number == signal.SIGTERM:
        assert left(settings) == []


def test_a_training_that_nobody_wants_before_it_began_is_ended(
    many: Path, settings: Settings
) -> None:
    config_ = config(**LONG).to_dict()
    job = {"config": config_, "data": str(many), "settings": dataclasses.asdict(settings)}
    guard = subprocess.Popen(
        python("from plant_classification.training import process; process.guard()"),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    guard.communicate(json.dumps(job, default=str) + "\n", timeout=60)
    assert guard.returncode == 0
    assert left(settings) == []


def test_a_model_that_is_published_when_nobody_wants_it_any_more_goes(
    plants: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{silent.getsockname()[1]}")
        before = set(children(os.getpid()))
        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(train_in_process, config(), plants, settings)
            wait_until((settings.models_dir / "mine").exists, "it is published")
            (guard,) = set(children(os.getpid())) - before
            kin = [guard, *children(guard)]
            os.kill(guard, signal.SIGTERM)
            with pytest.raises(TrainingError, match="guards the training died"):
                future.result(60)
        wait_until(all_gone(kin), "both are gone")
    assert left(settings) == []


def test_a_second_training_of_the_same_name_does_the_first_no_harm(
    running: Running, plants: Path, settings: Settings
) -> None:
    with pytest.raises(TrainingError, match="'mine' is running"):
        train_in_process(config(), plants, settings)
    assert state(settings)["pid"] == running.trainer
    assert not running.future.done()


def test_a_training_that_was_broken_off_is_not_touched(plants: Path, settings: Settings) -> None:
    work = settings.trainings_dir / "mine"
    work.mkdir(parents=True)
    checkpoints.write(work, checkpoints.State(7, (), {}), {}, [])
    with pytest.raises(TrainingError, match="unfinished"):
        train_in_process(config(), plants, settings)
    assert len(checkpoints.find(work)) == 1


def test_a_folder_that_no_training_wrote_is_not_touched(plants: Path, settings: Settings) -> None:
    thesis = settings.trainings_dir / "mine" / "thesis.txt"
    thesis.parent.mkdir(parents=True)
    thesis.touch()
    with pytest.raises(TrainingError, match=r"thesis\.txt was written by no training"):
        train_in_process(config(), plants, settings)
    assert [path.name for path in thesis.parent.iterdir()] == ["thesis.txt"]


def test_what_is_cancelled_takes_nothing_along_that_it_has_not_written(
    running: Running, settings: Settings
) -> None:
    thesis = settings.trainings_dir / "mine" / "thesis.txt"
    thesis.touch()
    os.kill(running.guard, signal.SIGTERM)
    wait_until(all_gone([running.guard, running.trainer]), "both are gone")
    assert [path.name for path in thesis.parent.iterdir()] == ["thesis.txt"]


CALLER = """
import json, sys
from pathlib import Path
from plant_classification.settings import load_settings
from plant_classification.training.config import load_training_config
from plant_classification.training.process import train_in_process
options, data, trainings, models = sys.argv[1:]
settings = load_settings(trainings_dir=trainings, models_dir=models)
config, _ = load_training_config(("the test", json.loads(options)))
train_in_process(config, Path(data), settings)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_training_whose_caller_is_gone_leaves_nothing(
    many: Path, settings: Settings, number: signal.Signals
) -> None:
    options = {"name": "mine", "mode": "fast", "init": "starter", **LONG}
    folders = [str(settings.trainings_dir), str(settings.models_dir)]
    caller = subprocess.Popen(
        [sys.executable, "-c", CALLER, json.dumps(options), str(many), *folders],
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: trains(settings)() or caller.poll() is not None, "it trains")
        assert caller.poll() is None
        (guard,) = children(caller.pid)
        kin = [guard, *children(guard)]
        assert len(kin) == 2
        caller.send_signal(number)
        caller.wait(60)
    finally:
        caller.kill()
        caller.wait()
    wait_until(all_gone(kin), "guard and training are gone")
    assert left(settings) == []
