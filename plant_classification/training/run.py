"""A training from its start to the model folder."""

from __future__ import annotations

import dataclasses
import importlib.util
import tempfile
from datetime import datetime
from pathlib import Path

from plant_classification.data import Dataset
from plant_classification.data.reading import read_dataset
from plant_classification.errors import ArgumentError, TrainingError
from plant_classification.files import remove
from plant_classification.models import ModelFolder, check_new
from plant_classification.settings import Settings
from plant_classification.training.cluster import VARIABLE, read_cluster
from plant_classification.training.config import TrainingConfig
from plant_classification.training.extension import read_known
from plant_classification.training.progress import Observer, Progress
from plant_classification.training.publishing import TrainedNetwork, publish
from plant_classification.training.start import FAST, Start, find_start
from plant_classification.training.work_folder import checkpoints_in

NEEDED = ("cv2", "h5py", "jinja2", "matplotlib")
"""What every training needs: augmentation, weights, and the report."""


@dataclasses.dataclass(frozen=True)
class Outline:
    """What a training would do: ``train --dry-run`` shows it.

    Attributes:
        dataset: The data set, read and checked.
        start: What it starts from.
        target: The model folder that it would write.
        work: Where it would keep what it needs to go on.
    """

    dataset: Dataset
    start: Start
    target: Path
    work: Path


def named(config: TrainingConfig) -> TrainingConfig:
    """The same options with a name: the time now, as the old service named its models.

    Raises:
        ArgumentError: There is none, and each of several machines would take its own time.
    """
    if config.name:
        return config
    if len(read_cluster().addresses) > 1:
        raise ArgumentError(
            "A training on several machines needs a name, the same on all: give --name.",
            field="name",
        )
    return dataclasses.replace(config, name=datetime.now().astimezone().strftime("%Y-%m-%d_%H%M%S"))


def outline(config: TrainingConfig, data: Path, settings: Settings) -> Outline:
    """Read and check all that a training needs; of the training nothing is written.

    Args:
        config: The options, with a name.
        data: The data set.
        settings: The settings.

    Raises:
        DatasetError: The data set cannot be used.
        ArgumentError: An option cannot be used, or a model of that name is there already.
    """
    check_new(str(config.name), settings.models_dir)
    _check_installed(config)
    start = find_start(config, settings)
    if config.extend is not None and start.model is not None:
        read_known(start.model)
    dataset = read_dataset(
        data,
        images=config.images_directory,
        families=settings.families,
        val_fraction=config.val_fraction,
        seed=config.seed,
        settings=settings,
    )
    if config.num_classes not in (None, len(dataset.labels)):
        raise ArgumentError(
            f"num_classes is {config.num_classes}, but {data} has {len(dataset.labels)} labels; "
            "leave it out.",
            field="num_classes",
        )
    target = settings.models_dir / str(config.name)
    return Outline(dataset, start, target, settings.trainings_dir / str(config.name))


def train(
    config: TrainingConfig,
    data: Path,
    settings: Settings,
    observe: Observer,
    *,
    resume: bool = False,
) -> ModelFolder | None:
    """Train a model.

    Args:
        config: The options, with a name (:func:`named`).
        data: The data set.
        settings: The settings; the model is written into ``models_dir``.
        observe: Is told how far it is.
        resume: Go on with a training of that name that was broken off, or start where there is
            none.

    Returns:
        The new model; None in all workers of a cluster but the chief.

    Raises:
        DatasetError: The data set cannot be used.
        ArgumentError: An option cannot be used.
        TrainingError: The training cannot go on; what it needs to go on later is kept, and the
            models folder is as it was.
    """
    observe(Progress("reading"))
    if config.mode == FAST and len(read_cluster().addresses) > 1:
        raise ArgumentError(
            f"Fast mode trains on one machine, in seconds: leave out {VARIABLE}, or use mode "
            "'normal'.",
            field="mode",
        )
    _check_unfinished(config, settings, resume=resume)
    plan = outline(config, data, settings)
    try:
        plan.work.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=plan.work) as made:
            trained = _trained(config, plan, settings, observe, Path(made))
            if trained is None:
                return None
            folder = publish(trained, plan.dataset, config, settings, Path(made), observe)
    except OSError as fault:
        place = fault.filename2 or fault.filename or plan.work
        raise TrainingError(
            f"{place} cannot be written: {fault.strerror}. Mend that, then go on."
        ) from None
    for left in (*checkpoints_in(plan.work), trained.weights):
        if left is not None:
            remove(left)
    return folder


def _check_unfinished(config: TrainingConfig, settings: Settings, *, resume: bool) -> None:
    """See that no checkpoint of days of work is removed at the end of another training.

    Raises:
        ArgumentError: There are some, and this training does not go on from them.
    """
    work = settings.trainings_dir / str(config.name)
    if checkpoints_in(work) and (config.mode == FAST or not resume):
        raise ArgumentError(
            f"{work} holds a full training that was not finished; go on with --resume (and mode "
            "'normal'), remove it, or give another name.",
            field="name",
        )


def _check_installed(config: TrainingConfig) -> None:
    """Before hours of work end at a missing package.

    Raises:
        ArgumentError: One is missing; the sentence says how to get it.
    """
    extra, needed = ("fast", NEEDED) if config.mode == FAST else ("train", (*NEEDED, "tensorflow"))
    if missing := [name for name in needed if importlib.util.find_spec(name) is None]:
        raise ArgumentError(
            f"Training in mode {config.mode} needs {', '.join(missing)}: "
            f"pip install 'plant-classification[{extra}]'.",
            field="mode",
        )


def _trained(
    config: TrainingConfig,
    plan: Outline,
    settings: Settings,
    observe: Observer,
    made: Path,
) -> TrainedNetwork | None:
    if config.mode == FAST:
        from plant_classification.training.fast import train_fast

        return train_fast(config, plan.dataset, plan.start, settings, observe, made)
    from plant_classification.training.full import train_network

    return train_network(config, plan.dataset, plan.start, settings, observe, plan.work, made)
