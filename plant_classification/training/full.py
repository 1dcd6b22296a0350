"""Training the whole network: from a data set to weights and an OpenVINO network of them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from plant_classification.data import TRAIN, VALIDATION, Dataset, Records
from plant_classification.data.pipeline import training_batches, validation_pixels
from plant_classification.errors import TrainingError
from plant_classification.models.folder import KERAS_WEIGHTS, NETWORK
from plant_classification.networks import build, load_imagenet
from plant_classification.networks.export import convert
from plant_classification.networks.transfer import load_from
from plant_classification.openvino import core, save_network
from plant_classification.settings import Settings
from plant_classification.taxonomy import Label
from plant_classification.taxonomy.synonyms import places_among
from plant_classification.training import distribution
from plant_classification.training.batch_size import batch_size
from plant_classification.training.config import TrainingConfig
from plant_classification.training.loop import Plan, Trained, fit
from plant_classification.training.progress import Observer, Progress
from plant_classification.training.publishing import TrainedNetwork
from plant_classification.training.start import Start

VALIDATION_BATCH = 32
AGREEMENT = 1e-3
"""Largest difference of a logit between Keras and OpenVINO in float32, as a share of the largest
logit, or as it is where none is above one."""


def train_network(
    config: TrainingConfig,
    dataset: Dataset,
    start: Start,
    settings: Settings,
    observe: Observer,
    work: Path,
    made: Path,
) -> TrainedNetwork | None:
    """Train all weights of a network.

    Args:
        config: The options.
        dataset: The data set.
        start: The network, and the weights to start from.
        settings: The settings.
        observe: Is told how far it is.
        work: Where checkpoints are kept.
        made: Where the exported network is written.

    Returns:
        The network; None in all workers of a cluster but the chief.

    Raises:
        ArgumentError: An option cannot be used.
        DatasetError: A photo cannot be read, and the option ``strict`` is set, or none can.
        TrainingError: The training cannot go on, or the exported network does not agree with Keras.
    """
    train = dataset.splits[TRAIN]
    size = start.preprocessing.size
    batch = batch_size(config, start.architecture, size, len(dataset.labels), len(train), work)
    devices = distribution.choose()  # it takes the memory that a trial for batch_size needs
    steps_per_epoch = -(-len(train) // batch)
    unreadable: list[tuple[str, str]] = []

    def batches(start_step: int) -> Any:
        return training_batches(
            train,
            size,
            batch,
            config.train_mode,
            config.seed,
            steps=steps_per_epoch * config.epochs,
            start_step=start_step,
            worker=devices.worker,
            workers=devices.workers,
            balanced=config.balanced_sampling,
            cache=config.cache,
            strict=config.strict,
            settings=settings,
            on_unreadable=lambda path, sentence: unreadable.append((str(path), sentence)),
        )

    held_back = dataset.splits.get(VALIDATION) if config.use_validation else None

    def judged(held_back: Records) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int32]]]:
        ours = held_back.take(range(devices.worker, len(held_back), devices.workers))
        return validation_pixels(ours, start.preprocessing, settings, VALIDATION_BATCH)

    trained = fit(
        lambda: _initialised(config, start, dataset.labels),
        config,
        Plan(
            preprocessing=start.preprocessing,
            shares=_shares(train, len(dataset.labels), balanced=config.balanced_sampling),
            batch=batch,
            steps_per_epoch=steps_per_epoch,
            identity={"data": dataset.fingerprint(), "init": start.words},
        ),
        batches,
        partial(judged, held_back) if held_back else None,
        work,
        observe,
        distribution=devices,
        unreadable=unreadable,
    )
    if not devices.chief:
        return None
    observe(Progress("exporting", finished=trained.epochs))
    return _exported(config, dataset, start, trained, made, tuple(sorted({*unreadable})))


def _initialised(config: TrainingConfig, start: Start, labels: tuple[Label, ...]) -> keras.Model:
    """The network with the weights to start from; the same for the same seed."""
    keras.utils.set_random_seed(config.seed)
    network = build(start.architecture, len(labels), start.preprocessing.size)
    if start.model is not None:
        known = [label.name for label in start.model.labels()]
        rows = places_among(known, [label.name for label in labels])
        load_from(network, start.model.file(KERAS_WEIGHTS), len(known), rows)
    elif start.is_imagenet:
        load_imagenet(start.architecture, network, start.file)
    return network


def _shares(records: Records, labels: int, *, balanced: bool) -> NDArray[np.float64]:
    """The share of each label among the photos as they are drawn, ``float64 (labels,)``."""
    counts = np.bincount(records.labels, minlength=labels).astype(np.float64)
    if balanced:
        counts = np.float64(counts > 0)
    return np.asarray(counts / counts.sum())


def _exported(
    config: TrainingConfig,
    dataset: Dataset,
    start: Start,
    trained: Trained,
    made: Path,
    unreadable: tuple[tuple[str, str], ...],
) -> TrainedNetwork:
    """The best weights as an OpenVINO network that agrees with Keras."""
    network = build(start.architecture, len(dataset.labels), start.preprocessing.size)
    network.load_weights(trained.weights)
    converted = convert(network)
    size = start.preprocessing.size
    pixels = np.random.default_rng(config.seed).integers(0, 256, (4, size, size, 3), np.uint8)
    difference = _difference(network, converted, start.preprocessing.normalize(pixels))
    if not difference <= AGREEMENT:
        raise TrainingError(
            f"The exported network does not agree with Keras: logits differ by {difference:.1e}. "
            f"The weights are kept in {trained.weights}."
        )
    path = made / NETWORK
    save_network(converted, path, half=False)
    best = trained.epochs[trained.best - 1]
    return TrainedNetwork(
        architecture=start.architecture,
        preprocessing=start.preprocessing,
        labels=dataset.labels,
        network=path,
        weights=trained.weights,
        epochs=trained.epochs,
        training={
            "mode": config.mode,
            "init": start.words,
            "photos": len(dataset.splits[TRAIN]),
            "best_epoch": best.epoch,
            "export_difference": float(f"{difference:.1e}"),
            "options": config.to_dict(),
        },
        statistics=None,
        unreadable=unreadable,
    )


def _difference(network: keras.Model, converted: Any, images: NDArray[np.float32]) -> float:
    """Largest difference of the logits between Keras and OpenVINO, both in float32."""
    compiled = core().compile_model(converted, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = compiled(images)["logits"]
    expected = network.predict_on_batch(images)[0]
    return float(np.abs(found - expected).max() / max(1.0, np.abs(expected).max()))
