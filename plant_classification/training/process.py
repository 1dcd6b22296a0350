"""A training in a process of its own, ended and cleared away when nobody waits for it any more.

Three processes: the one that asks; a guard, which is small and does nothing but wait; and the
guard's child, which trains. The guard's standard input is a pipe that the one who asks holds. When
that closes, however its holder ended, the guard kills what trains and removes what it has written.
When what trains dies, the guard says so to the one who waits.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import multiprocessing
import os
import select
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping
from datetime import datetime, timezone
from multiprocessing import connection
from pathlib import Path
from typing import Any, NoReturn

from plant_classification.errors import (
    ModelFolderError,
    PlantClassificationError,
    TrainingError,
)
from plant_classification.files import PARTIAL, locked, remove
from plant_classification.models import ModelFolder, read_model_folder
from plant_classification.processes import end_with, python
from plant_classification.settings import Settings, load_settings
from plant_classification.training.config import TrainingConfig, load_training_config
from plant_classification.training.progress import FAULT
from plant_classification.training.work_folder import checkpoints_in, discard

LESS = "A smaller batch_size or image_size takes less; in fast mode fewer views do."


def train_in_process(
    config: TrainingConfig, data: Path, settings: Settings
) -> tuple[ModelFolder, tuple[str, ...]]:
    """Train, and wait for the end.

    If this process ends before, so does the training, and nothing of it is left: no process, no
    work folder, no model folder. A training that fails leaves what it needs to go on.

    Args:
        config: The options, with a name.
        data: The data set.
        settings: The settings.

    Returns:
        The new model, and sentences about what went less than well.

    Raises:
        TrainingError: The training failed, or its process died; the message says why.
    """
    job = {
        "config": config.to_dict(),
        "data": str(data),
        "settings": dataclasses.asdict(settings),
    }
    with subprocess.Popen(
        python("from plant_classification.training import process; process.guard()"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C in a terminal comes to this process, which ends the guard
    ) as guard:
        said = json.loads(_ask(guard, json.dumps(job, default=str)) or "{}")
    if "warnings" not in said:
        raise TrainingError(said.get("error") or "The process that guards the training died.")
    return read_model_folder(settings.models_dir / str(config.name)), tuple(said["warnings"])


def _ask(guard: subprocess.Popen[str], job: str) -> str:
    """What the guard says in the end."""
    if guard.stdin is None or guard.stdout is None:
        raise TypeError("the guard must have pipes")
    guard.stdin.write(job + "\n")
    guard.stdin.flush()
    # A worker of DEEPaaS whose server was killed waits here, and would for the whole training.
    server = multiprocessing.parent_process()
    answer = guard.stdout.fileno()
    if answer not in connection.wait([answer, *([server.sentinel] if server else [])]):
        raise TrainingError("The server ended, and its trainings with it.")
    return guard.stdout.read()


def guard() -> None:
    """Train what standard input says, and print what came of it, unless that is closed before."""
    if not (line := sys.stdin.readline()):
        return
    job = json.loads(line)
    settings = load_settings(**job["settings"])
    work = settings.trainings_dir / job["config"]["name"]
    if checkpoints_in(work):  # of another training, so that it must not be removed
        _say({"error": f"There is an unfinished training {work.name!r}; give another name."})
        return
    outcome = os.memfd_create("outcome")
    began = datetime.now(timezone.utc).replace(microsecond=0)  # as model.json has its time
    parent = os.getpid()
    trainer = os.fork()
    if not trainer:
        end_with(parent)
        _be_trainer(job, settings, work, outcome)
    with contextlib.suppress(ProcessLookupError):
        os.setpgid(trainer, trainer)  # here, for it may be killed before it has come to anything
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    is_wanted = False
    try:
        _say(_outcome(trainer, outcome))
        is_wanted = True
    except (EOFError, BrokenPipeError):
        pass
    finally:
        _kill(trainer)
        if not is_wanted:
            _remove(work, settings.models_dir / work.name, began)


def _remove(work: Path, model: Path, began: datetime) -> None:
    """Remove what the training has written, unless another one of that name runs.

    A model of that name that is older was brought there meanwhile.
    """
    with contextlib.suppress(BlockingIOError), locked(work, wait=False):
        discard(work)
        remove(model.with_name(model.name + PARTIAL))
        with contextlib.suppress(ModelFolderError):
            if read_model_folder(model).created >= began:
                remove(model)


def _outcome(trainer: int, outcome: int) -> Mapping[str, Any]:
    """What the training process says, or what can be said when it has died.

    Raises:
        EOFError: Nobody waits for it any more.
    """
    while True:
        ended, status = os.waitpid(trainer, os.WNOHANG)
        if ended:
            break
        if select.select([sys.stdin], [], [], 0.1)[0]:  # its end is all that there is to read
            raise EOFError
    os.lseek(outcome, 0, os.SEEK_SET)
    with open(outcome, encoding="utf-8") as file:
        said = file.read()
    if not said:
        code = os.waitstatus_to_exitcode(status)
        how = f"status {code}" if code >= 0 else signal.Signals(-code).name
        sentence = f"The training process died ({how}), perhaps for lack of memory. {LESS}"
        return {"error": sentence}
    result: Mapping[str, Any] = json.loads(said)
    return result


def _say(said: Mapping[str, Any]) -> None:
    os.write(sys.stdout.fileno(), json.dumps(said).encode())


def _kill(trainer: int) -> None:
    """Kill the training process, if it is still there, and all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(trainer, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(trainer, 0)


def _be_trainer(job: Mapping[str, Any], settings: Settings, work: Path, outcome: int) -> NoReturn:
    """Train, and write what came of it: ``warnings``, or ``error``."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), sys.stdin.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print goes into the log
    try:
        said = _train(job, settings, work)
    except PlantClassificationError as error:
        said = {"error": error.message}
    except MemoryError:
        said = {"error": f"There is not enough memory. {LESS}"}
    except BaseException:  # noqa: BLE001 - told to the one who waits
        traceback.print_exc()
        said = {"error": FAULT}
    os.write(outcome, json.dumps(said).encode())
    sys.stderr.flush()
    os._exit(0)  # what TensorFlow does when Python ends is not waited for


def _train(job: Mapping[str, Any], settings: Settings, work: Path) -> dict[str, Any]:
    from plant_classification.training.observers import observing
    from plant_classification.training.run import train

    config, _ = load_training_config(("the request", job["config"]))
    warnings: list[str] = []
    with (
        observing(config, settings, warnings.append) as observe,
        # What is left in it when the process is killed goes with the work folder.
        tempfile.TemporaryDirectory(dir=work) as temporary,
    ):
        tempfile.tempdir = os.environ["TMPDIR"] = temporary
        train(config, Path(job["data"]), settings, observe)
    return {"warnings": warnings}
