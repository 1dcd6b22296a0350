"""Who looks at a training: progress.json, TensorBoard, MLflow, and what each leaves."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests
from processes import alive, wait_until

from plant_classification.errors import ArgumentError, DatasetError, TrainingError
from plant_classification.models import ModelFolder, read_model_folder, write_model_folder
from plant_classification.models.choosing import STARTER_FOLDER
from plant_classification.models.folder import NETWORK, NETWORK_WEIGHTS
from plant_classification.settings import Settings
from plant_classification.training import checkpoints
from plant_classification.training.config import TrainingConfig, load_training_config
from plant_classification.training.observers import PROGRESS, observing, progress_file
from plant_classification.training.progress import EpochFigures, Progress

FIRST = EpochFigures(1, 2.5, 0.25, 0.5, 0.001, 40.0, 2.25, 0.5, 0.75, 0.375)
SECOND = EpochFigures(2, 1.5, 0.5, 0.75, 0.0001, 41.0)


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    return dataclasses.replace(settings, trainings_dir=tmp_path / "trainings")


@pytest.fixture
def work(settings: Settings) -> Path:
    return settings.trainings_dir / "mine"


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture(autouse=True)
def no_tracking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def config(**options: Any) -> TrainingConfig:
    given = {"name": "mine", "use_tensorboard": False, **options}
    return load_training_config(("the test", given))[0]


def seen(work: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((work / PROGRESS).read_text())
    return content


def fail(
    settings: Settings, error: Exception, *told: Progress, step: int = 0, **options: Any
) -> None:
    """A training that fails, after a checkpoint if it came to a step."""
    with observing(config(**options), settings, print) as observe:
        for progress in told:
            observe(progress)
        if step:
            work = settings.trainings_dir / "mine"
            checkpoints.write(work, checkpoints.State(step, (FIRST,), {}), {}, [])
        raise error


def publish(settings: Settings) -> ModelFolder:
    """The starter under the training's name, with figures and a report."""
    starter = read_model_folder(STARTER_FOLDER)
    report = settings.models_dir.parent / "report.html"
    report.write_text("<p>how good it is</p>")
    return write_model_folder(
        settings.models_dir / "mine",
        architecture=starter.architecture,
        preprocessing=starter.preprocessing,
        labels=starter.labels(),
        training={},
        metrics={"val": {"photos": 45, "top_1": 0.75}},
        files={
            NETWORK: starter.file(NETWORK),
            NETWORK_WEIGHTS: starter.file(NETWORK_WEIGHTS),
            "report.html": report,
        },
    )


def test_progress_is_there_from_the_start_and_follows_the_training(
    settings: Settings, work: Path, warnings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress_file, "SECONDS", 0)
    with observing(config(), settings, warnings.append) as observe:
        first = seen(work)
        assert (first["state"], first["stage"], first["name"]) == ("running", "starting", "mine")
        assert first["pid"] == os.getpid()
        observe(Progress("training", 10, 20, 2, 15, 1.25, 0.5, 0.75, 44.0, 90.0, (FIRST,)))
        now = seen(work)
        assert (now["done"], now["total"], now["epoch"], now["epochs"]) == (10, 20, 2, 15)
        assert (now["loss"], now["top_1"], now["top_5"]) == (1.25, 0.5, 0.75)
        assert (now["photos_per_second"], now["seconds_left"]) == (44.0, 90.0)
        assert now["finished"] == [dataclasses.asdict(FIRST)]
        assert now["message"] is now["metrics"] is None
        publish(settings)
    last = seen(work)
    assert (last["state"], last["message"]) == ("done", None)
    assert last["metrics"] == {"val": {"photos": 45, "top_1": 0.75}}
    assert [path.name for path in work.iterdir()] == [PROGRESS]
    assert warnings == []


def test_progress_is_written_seldom_but_each_stage_and_epoch_at_once(
    settings: Settings, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress_file, "SECONDS", math.inf)
    with observing(config(), settings, print) as observe:
        observe(Progress("reading"))
        observe(Progress("training", 1, 20, 1, 15))
        observe(Progress("training", 2, 20, 1, 15))
        assert (seen(work)["stage"], seen(work)["done"]) == ("training", 1)
        observe(Progress("training", 20, 20, 1, 15, finished=(FIRST,)))
        assert seen(work)["done"] == 20
        observe(Progress("training", 1, 20, 2, 15, finished=(FIRST,)))
        assert (seen(work)["done"], seen(work)["epoch"]) == (1, 2)


def test_what_is_no_number_is_null(settings: Settings, work: Path) -> None:
    with observing(config(), settings, print) as observe:
        figures = dataclasses.replace(FIRST, loss=math.inf)
        observe(Progress("training", loss=math.nan, finished=(figures,)))
        text = (work / PROGRESS).read_text()
        assert json.loads(text, parse_constant=pytest.fail)["loss"] is None
        assert json.loads(text)["finished"][0]["loss"] is None


def test_a_training_that_has_got_nowhere_leaves_nothing(settings: Settings, work: Path) -> None:
    with pytest.raises(DatasetError, match=r"train\.txt:7"):
        fail(settings, DatasetError("train.txt:7: no such label"), Progress("reading"))
    assert not work.exists()


def test_a_training_that_can_go_on_says_why_it_ended(settings: Settings, work: Path) -> None:
    with pytest.raises(TrainingError):
        fail(settings, TrainingError("The disk is full."), Progress("training"), step=7)
    assert (seen(work)["state"], seen(work)["message"]) == ("failed", "The disk is full.")
    with observing(config(), settings, print):
        assert len(checkpoints.find(work)) == 1
        assert (seen(work)["state"], seen(work)["message"]) == ("running", None)


def test_a_bug_is_told_as_such(settings: Settings, work: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        fail(settings, ZeroDivisionError(), step=7)
    assert "by a fault of the program" in seen(work)["message"]


def test_two_trainings_of_one_name_do_not_mix(settings: Settings, work: Path) -> None:
    with observing(config(), settings, print) as observe:
        observe(Progress("training", epoch=3))
        with (
            pytest.raises(ArgumentError, match="'mine' is running"),
            observing(config(), settings, print),
        ):
            pytest.fail("the second began")
        assert (seen(work)["state"], seen(work)["epoch"]) == ("running", 3)


def test_what_an_earlier_training_left_is_not_taken_for_this_one(
    settings: Settings, work: Path
) -> None:
    (work / "tensorboard").mkdir(parents=True)
    (work / "tensorboard" / "events.out.tfevents.1").touch()
    kept = checkpoints.write(work, checkpoints.State(7, (), {}), {}, [])
    with observing(config(), settings, print):
        assert {path.name for path in work.iterdir()} == {PROGRESS, kept.name}


def test_a_folder_that_cannot_be_made_is_a_sentence(settings: Settings) -> None:
    settings.trainings_dir.write_text("a file")
    with pytest.raises(TrainingError, match="trainings_dir"), observing(config(), settings, print):
        pytest.fail("it began")


def test_the_caller_sees_what_is_told(settings: Settings) -> None:
    told: list[Progress] = []
    with observing(config(), settings, print, told.append) as observe:
        observe(Progress("reading"))
    assert told == [Progress("reading")]


def test_of_several_workers_the_chief_alone_writes(
    settings: Settings, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = ["127.0.0.1:1", "127.0.0.1:2"]
    for cluster, kind, index, writes in (
        ({"worker": both}, "worker", 0, True),
        ({"worker": both}, "worker", 1, False),
        ({"chief": both[:1], "worker": both[1:]}, "chief", 0, True),
        ({"chief": both[:1], "worker": both[1:]}, "worker", 0, False),
    ):
        task = {"cluster": cluster, "task": {"type": kind, "index": index}}
        monkeypatch.setenv("TF_CONFIG", json.dumps(task))
        shutil.rmtree(work, ignore_errors=True)
        with observing(config(), settings, print):
            assert work.exists() == writes


def events(work: Path) -> dict[str, dict[int, float]]:
    """Curves as TensorBoard reads them: values by step by name."""
    from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped]
        EventAccumulator,
    )
    from tensorboard.util.tensor_util import make_ndarray  # type: ignore[import-untyped]

    accumulator = EventAccumulator(str(work / "tensorboard")).Reload()
    curves: dict[str, dict[int, float]] = {}
    for name in accumulator.Tags()["tensors"]:
        points = accumulator.Tensors(name)
        steps = [point.step for point in points]
        assert len(steps) == len(set(steps))
        curves[name] = {point.step: float(make_ndarray(point.tensor_proto)) for point in points}
    return curves


def test_tensorboard_reads_the_figures_of_each_epoch(
    settings: Settings, work: Path, warnings: list[str]
) -> None:
    with observing(config(use_tensorboard=True), settings, warnings.append) as observe:
        observe(Progress("training", epoch=1, epochs=2, loss=3.0))
        observe(Progress("training", epoch=2, epochs=2, finished=(FIRST,)))
        observe(Progress("training", epoch=2, epochs=2, finished=(FIRST, SECOND)))
        curves = events(work)
    assert curves["loss"] == {1: 2.5, 2: 1.5}
    assert curves["val_loss"] == {1: 2.25}
    assert curves["learning_rate"][2] == pytest.approx(0.0001)
    assert curves.keys() == dataclasses.asdict(FIRST).keys() - {"epoch"}
    assert warnings == []


def test_a_training_that_goes_on_has_each_epoch_once(settings: Settings, work: Path) -> None:
    chosen = config(use_tensorboard=True)
    told = Progress("training", finished=(FIRST,))
    with pytest.raises(TrainingError):
        fail(settings, TrainingError("Stopped."), told, step=7, use_tensorboard=True)
    with observing(chosen, settings, print) as observe:
        observe(Progress("training", finished=(FIRST, SECOND)))
    assert events(work)["loss"] == {1: 2.5, 2: 1.5}


def test_without_curves_there_are_no_events(settings: Settings, work: Path) -> None:
    with observing(config(use_tensorboard=True), settings, print) as observe:
        observe(Progress("training", loss=1.0))
    with observing(config(use_tensorboard=False), settings, print) as observe:
        observe(Progress("training", finished=(FIRST,)))
    assert [path.name for path in work.iterdir()] == [PROGRESS]


def test_without_tensorboard_there_is_one_warning(
    settings: Settings, warnings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "tensorboard"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    chosen = config(use_tensorboard=True, tensorboard_port=free_port())
    with observing(chosen, settings, warnings.append) as observe:
        observe(Progress("training", finished=(FIRST,)))
        observe(Progress("training", finished=(FIRST, SECOND)))
    assert len(warnings) == 2  # of the server, and of the curves
    assert all("pip install 'plant-classification[train]'" in warning for warning in warnings)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def answers(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/data/environment", timeout=10).ok
    except requests.ConnectionError:
        return False


def listeners(port: int) -> set[str]:
    """Addresses that listen at a port, as the kernel has them."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            _, local, _, state, *_ = line.split()
            address, number = local.split(":")
            if int(number, 16) == port and state == "0A":
                found.add(address)
    return found


@pytest.mark.slow
def test_the_server_is_for_this_machine_and_ends_with_the_training(
    settings: Settings, warnings: list[str]
) -> None:
    port = free_port()
    chosen = config(use_tensorboard=True, tensorboard_port=port)
    with observing(chosen, settings, warnings.append) as observe:
        observe(Progress("training", finished=(FIRST,)))
        wait_until(lambda: answers(port), "TensorBoard answers", 120)
        assert listeners(port) == {"0100007F"}
    assert listeners(port) == set()
    assert warnings == []


TRAIN_FOR_EVER = """
import dataclasses, sys, time
from pathlib import Path
from plant_classification.settings import load_settings
from plant_classification.training.config import load_training_config
from plant_classification.training.observers import observing
settings = load_settings(trainings_dir=sys.argv[1], models_dir=sys.argv[1] + "/models")
options = {"name": "mine", "tensorboard_port": int(sys.argv[2])}
with observing(load_training_config(("test", options))[0], settings, print):
    time.sleep(1000)
"""


@pytest.mark.slow
def test_the_server_ends_when_the_training_is_killed(tmp_path: Path) -> None:
    port = free_port()
    training = subprocess.Popen(
        [sys.executable, "-c", TRAIN_FOR_EVER, str(tmp_path), str(port)], cwd=tmp_path
    )
    try:
        wait_until(lambda: answers(port), "TensorBoard answers", 120)
    finally:
        training.send_signal(signal.SIGKILL)
        training.wait()
    wait_until(lambda: not listeners(port), "TensorBoard is gone")
    assert not alive(training.pid)


def test_a_port_that_is_taken_is_a_warning(settings: Settings, warnings: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        chosen = config(use_tensorboard=True, tensorboard_port=port)
        with observing(chosen, settings, warnings.append) as observe:
            observe(Progress("reading"))
    (warning,) = warnings
    assert f"port {port} cannot be used" in warning


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that MLflow logs to, with an experiment of its own."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"file:{tmp_path / 'store'}")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "flora")
    return tmp_path / "store"


def runs() -> Any:
    from mlflow import MlflowClient

    client = MlflowClient()
    experiment = client.get_experiment_by_name("flora")
    assert experiment
    return client, client.search_runs([experiment.experiment_id])


def test_mlflow_has_options_curves_figures_and_report(
    settings: Settings, store: Path, warnings: list[str]
) -> None:
    with observing(config(epochs=2), settings, warnings.append) as observe:
        observe(Progress("training", epoch=1, epochs=2, loss=3.0))
        observe(Progress("training", epoch=2, epochs=2, finished=(FIRST,)))
        observe(Progress("training", epoch=2, epochs=2, finished=(FIRST, SECOND)))
        publish(settings)
    assert warnings == []
    client, (run,) = runs()
    assert (run.info.run_name, run.info.status) == ("mine", "FINISHED")
    assert run.data.params["epochs"] == "2"
    assert run.data.params.keys() == config().to_dict().keys()
    history = client.get_metric_history(run.info.run_id, "loss")
    assert [(point.step, point.value) for point in history] == [(1, 2.5), (2, 1.5)]
    assert run.data.metrics["val/top_1"] == 0.75
    assert [file.path for file in client.list_artifacts(run.info.run_id)] == ["report.html"]


def test_a_training_that_failed_has_failed_in_mlflow_too(settings: Settings, store: Path) -> None:
    with pytest.raises(TrainingError):
        fail(settings, TrainingError("The loss is no number."))
    _, (run,) = runs()
    assert run.info.status == "FAILED"


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [(False, "not logged in MLflow: API request"), (True, "pip install 'plant-classification[mlf")],
)
def test_mlflow_that_is_away_is_one_warning(
    settings: Settings,
    warnings: list[str],
    monkeypatch: pytest.MonkeyPatch,
    missing: bool,
    sentence: str,
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port()}")
    if missing:
        monkeypatch.setitem(sys.modules, "mlflow", None)
    with observing(config(), settings, warnings.append) as observe:
        observe(Progress("training", finished=(FIRST,)))
        publish(settings)
    (warning,) = warnings
    assert sentence in warning


def test_mlflow_that_goes_away_is_one_warning_and_the_training_goes_on(
    settings: Settings, store: Path, work: Path, warnings: list[str]
) -> None:
    with observing(config(), settings, warnings.append) as observe:
        shutil.rmtree(store)
        store.write_text("a file")
        observe(Progress("training", finished=(FIRST,)))
        observe(Progress("training", finished=(FIRST, SECOND)))
        publish(settings)
    assert len(warnings) == 1
    assert seen(work)["state"] == "done"


def test_nothing_is_told_to_those_who_make_mlflow(
    settings: Settings, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_DISABLE_TELEMETRY", raising=False)
    with observing(config(), settings, print):
        assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
