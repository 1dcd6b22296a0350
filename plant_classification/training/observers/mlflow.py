"""A training as a run of MLflow, where MLFLOW_TRACKING_URI names a server or a folder."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plant_classification.models import read_model_folder
from plant_classification.models.folder import REPORT
from plant_classification.training.config import TrainingConfig
from plant_classification.training.progress import Observer, Progress

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

TRACKING_VARIABLE = "MLFLOW_TRACKING_URI"
EXPERIMENT_VARIABLE = "MLFLOW_EXPERIMENT_NAME"
EXPERIMENT = "plant-classification"
DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",  # what is trained here is nobody else's business
    # A server that is away holds the training up for some seconds, not for minutes.
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
}


@contextlib.contextmanager
def logged_in_mlflow(
    config: TrainingConfig, model: Path, warn: Callable[[str], None]
) -> Iterator[Observer]:
    """Log the options, the figures of each epoch, those of the model, and its report.

    The experiment is that of MLFLOW_EXPERIMENT_NAME. What MLflow cannot take ends the logging with
    one warning, and not the training.

    Args:
        config: The options, with a name.
        model: The model folder that is there when the block has ended well.
        warn: Told once where the run cannot be logged.
    """
    if not os.environ.get(TRACKING_VARIABLE):
        yield lambda _progress: None
        return
    run = _Run(config, warn)
    try:
        yield run.observe
    except BaseException:
        run.end("FAILED")
        raise
    run.end("FINISHED", model)


class _Run:
    """A run of MLflow, or what is left after the first failure: nothing."""

    def __init__(self, config: TrainingConfig, warn: Callable[[str], None]) -> None:
        self._warn = warn
        self._client: MlflowClient | None = None
        self._logged = 0
        with self._told():
            self._start(config)

    def observe(self, progress: Progress) -> None:
        """Log the epochs that are new."""
        new = progress.finished[self._logged :]
        self._logged = len(progress.finished)
        if self._client is None or not new:
            return
        with self._told():
            metrics = [
                metric
                for figures in new
                for metric in _metrics(dataclasses.asdict(figures), figures.epoch)
                if metric.key != "epoch"
            ]
            self._client.log_batch(self._id, metrics)

    def end(self, status: str, model: Path | None = None) -> None:
        """Close the run, with the figures and the report of the model where there is one."""
        if self._client is None:
            return
        with self._told():
            if model is not None:
                folder = read_model_folder(model)
                self._client.log_batch(self._id, _metrics(folder.metrics))
                if REPORT in folder.files:
                    self._client.log_artifact(self._id, str(model / REPORT))
            self._client.set_terminated(self._id, status)

    def _start(self, config: TrainingConfig) -> None:
        if importlib.util.find_spec("mlflow") is None:
            raise ImportError("mlflow is not installed: pip install 'plant-classification[mlflow]'")
        for variable, value in DEFAULTS.items():
            os.environ.setdefault(variable, value)
        from mlflow import MlflowClient
        from mlflow.entities import Param

        client = MlflowClient()
        name = os.environ.get(EXPERIMENT_VARIABLE) or EXPERIMENT
        known = client.get_experiment_by_name(name)
        experiment = known.experiment_id if known else client.create_experiment(name)
        self._id = client.create_run(experiment, run_name=config.name).info.run_id
        options = [Param(key, json.dumps(value)) for key, value in config.to_dict().items()]
        client.log_batch(self._id, params=options)
        self._client = client

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001 - the training is worth more than its log
            self._client = None
            self._warn(f"The training is not logged in MLflow: {str(error).rstrip('.')}.")


def _metrics(figures: Mapping[str, Any], step: int = 0, place: str = "") -> list[Metric]:
    """All numbers of a nested mapping, each under its path."""
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    metrics: list[Metric] = []
    for name, value in figures.items():
        key = place + re.sub(r"[^\w.\- ]", "_", name)
        if isinstance(value, Mapping):
            metrics += _metrics(value, step, f"{key}/")
        elif isinstance(value, (int, float)):
            metrics.append(Metric(key, value, now, step))
    return metrics
