"""Who looks at a training while it runs: progress.json, TensorBoard, MLflow, and the caller.

What they write lies in ``<trainings_dir>/<name>``, beside what the training keeps to go on, and
stays there when that is gone. One that fails with nothing to go on from leaves nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TypeAlias

from plant_classification.models import check_new
from plant_classification.settings import Settings
from plant_classification.training.cluster import read_cluster
from plant_classification.training.config import TrainingConfig
from plant_classification.training.observers.mlflow import logged_in_mlflow
from plant_classification.training.observers.progress_file import written_to_file
from plant_classification.training.observers.tensorboard import shown_in_tensorboard
from plant_classification.training.progress import Observer, Progress
from plant_classification.training.work_folder import PROGRESS, claimed

__all__ = ["PROGRESS", "observing"]

Warn: TypeAlias = Callable[[str], None]
"""Takes a sentence about what cannot be shown; the training goes on."""


@contextlib.contextmanager
def observing(
    config: TrainingConfig, settings: Settings, warn: Warn, *callers: Observer
) -> Iterator[Observer]:
    """What a training is to tell its progress to, until the block ends; it hands it on to all.

    The training's folder is held by this process meanwhile. Of several workers the chief alone
    holds and writes it.

    Args:
        config: The options, with a name.
        settings: For ``trainings_dir``, and for ``models_dir``, where the block puts the model.
        warn: Told once of each observer that cannot look.
        callers: Observers of the caller's own.

    Raises:
        ArgumentError: A training of that name is running, a model of it is there, or ``TF_CONFIG``
            cannot be used.
        TrainingError: progress.json cannot be written.
    """
    work = settings.trainings_dir / str(config.name)
    model = settings.models_dir / str(config.name)
    observers = list(callers)
    with contextlib.ExitStack() as stack:
        if read_cluster().worker == 0:
            check_new(str(config.name), settings.models_dir)
            stack.enter_context(claimed(work))
            observers += [
                stack.enter_context(written_to_file(work, model)),
                stack.enter_context(shown_in_tensorboard(work, config, warn)),
                stack.enter_context(logged_in_mlflow(config, model, warn)),
            ]

        def observe(progress: Progress) -> None:
            for observer in observers:
                observer(progress)

        yield observe
