"""progress.json: how far a training is, for programs to read at any time."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from plant_classification.errors import (
    ModelFolderError,
    PlantClassificationError,
    TrainingError,
)
from plant_classification.files import PARTIAL
from plant_classification.models import read_model_folder
from plant_classification.training.progress import FAULT, Observer, Progress
from plant_classification.training.work_folder import PROGRESS

SECONDS = 0.3
"""The least between two writings, unless the stage or the epoch is another one."""


@contextlib.contextmanager
def written_to_file(folder: Path, model: Path) -> Iterator[Observer]:
    """Keep ``folder/progress.json`` true until the block ends, and say how it ended.

    The fields are those of ``Progress`` and: ``name``; ``state`` (``"running"``, ``"done"`` or
    ``"failed"``); ``message``, why it failed, else null; ``pid`` of the training; ``started`` and
    ``updated``, times with their zone; ``metrics`` of the model, null until it is there. The file
    is always whole. A ``"running"`` whose process is gone was killed.

    Args:
        folder: Where to write; made if it is not there.
        model: The model folder that is there when the block has ended well.

    Raises:
        TrainingError: The file cannot be written.
    """
    path = folder / PROGRESS
    last = Progress("starting")
    written = 0.0
    fixed = {"name": model.name, "pid": os.getpid(), "started": _now()}

    def write(state: str, message: str | None = None, metrics: Any = None) -> None:
        nonlocal written
        said = {"state": state, "message": message, "metrics": metrics, "updated": _now()}
        _replace(path, {**fixed, **said, **dataclasses.asdict(last)})
        written = time.monotonic()

    def observe(progress: Progress) -> None:
        nonlocal last
        is_due = _place(progress) != _place(last) or time.monotonic() - written >= SECONDS
        last = progress
        if is_due:
            write("running")

    write("running")
    try:
        yield observe
    except BaseException as error:
        with contextlib.suppress(TrainingError):  # the error that ends it is told already
            write("failed", _why(error))
        raise
    with contextlib.suppress(TrainingError):  # the model is there all the same
        write("done", metrics=_metrics(model))


def _why(error: BaseException) -> str:
    if isinstance(error, PlantClassificationError):
        return error.message
    return FAULT if isinstance(error, Exception) else "The training was stopped."


def _place(progress: Progress) -> tuple[str, int, int]:
    return progress.stage, progress.epoch, len(progress.finished)


def _metrics(model: Path) -> Any:
    with contextlib.suppress(ModelFolderError):  # taken away since
        return dict(read_model_folder(model).metrics)
    return None


def _replace(path: Path, content: dict[str, Any]) -> None:
    partial = path.with_name(path.name + PARTIAL)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps(_finite(content), allow_nan=False), "utf-8")
        partial.replace(path)
    except OSError as error:
        raise TrainingError(
            f"{path} cannot be written: {error.strerror}; make room or change trainings_dir, "
            "and go on."
        ) from None


def _finite(value: Any) -> Any:
    """The value with null for what JSON has no number for."""
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
