"""The two networks that the starter is the mean of: how they are trained, and what they see."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import click
import keras
import numpy as np
from numpy.typing import NDArray

from plant_classification.data import TRAIN, VALIDATION, Records
from plant_classification.data.reading import read_dataset
from plant_classification.inference.batch import Looks, look
from plant_classification.inference.engine import Engine
from plant_classification.models import ModelFolder
from plant_classification.models.folder import KERAS_WEIGHTS, read_model_folder
from plant_classification.networks.export import convert
from plant_classification.openvino import save_network
from plant_classification.photos.preprocessing import Preprocessing
from plant_classification.settings import load_settings
from plant_classification.training import run
from plant_classification.training.config import load_training_config
from plant_classification.training.progress import Progress
from plant_classification.trust.feature_statistics import FeatureStatistics
from recipes import averaging, flora119

PROBE: Mapping[str, Any] = {
    "mode": "fast",
    "modelname": "efficientnet_lite1",
    "train_mode": {
        "h_flip": 0.5,
        "rot": 0.5,
        "rot_lim": 30,
        "zoom": 0.3,
        "aspect": 0.3,
        "zoom_out": 0.5,
    },
}
"""The head alone, on the features of ImageNet."""

TUNING: Mapping[str, Any] = {
    "image_size": 192,  # smaller than in serving, since crops enlarge plants (arXiv:1906.06423)
    "epochs": 16,  # 8 were right for 94.1 % of the fold, log-loss 0.228; 16 for 95.2 %, 0.202
    "batch_size": 32,
    "initial_lr": 5e-4,
    "backbone_lr": 1.0,
    "lr_schedule_mode": "cosine",
    "warmup": 0.1,
    "weight_decay": 0.02,
    "l2_reg": 0.0,
    "clip_norm": 1.0,
    "label_smoothing": 0.1,
    "ema": 0.99,
    "frozen_layers": 0.2,
    "frozen_batchnorm": True,
    "cache": True,
    "use_tensorboard": False,
    "train_mode": {
        "h_flip": 0.5,
        "rot": 0.3,
        "rot_lim": 30,
        "zoom": 0.5,
        "aspect": 0.33,
        "zoom_out": 0.4,
        "pixel_sat": 0.3,
    },
}
"""The whole network, from there on."""

SIZE, SHARE = 224, 0.85
"""Side of the input in serving, and the tuned network's share of the mean of both: the best by what
``choose`` printed on two kinds of processor, where 0.7 was the best of the one, and 1.0 of the
other. The mean of two networks that were tuned with other seeds was no better."""

FOR_CHOICE, FOR_GOOD = 5, 25
"""Folds of train.txt, one of which is held back: what is chosen once needs no fifth any more."""


@dataclasses.dataclass(frozen=True)
class Pair:
    """The two networks that the starter is the mean of, and their photos: those held back last."""

    probe: ModelFolder
    tuned: ModelFolder
    train: Records
    held: Records


def trained(
    work: Path,
    parts: int,
    is_left_out: NDArray[np.bool_] | None,
    unknown: Collection[str] = (),
) -> Pair:
    """Both networks, trained on what is left of train.txt; what was done already is kept."""
    data = work / "data"
    if not data.exists():
        flora119.write_fold(data, parts, is_left_out, unknown)
    settings = dataclasses.replace(
        load_settings(), models_dir=work / "models", trainings_dir=work / "trainings"
    )

    def made(name: str, options: Mapping[str, Any]) -> ModelFolder:
        if not (settings.models_dir / name).exists():
            config, _ = load_training_config(("the recipe", {**options, "name": name}))
            run.train(config, data, settings, _tell, resume=True)
        return read_model_folder(settings.models_dir / name)

    probe = made("probe", PROBE)
    tuned = made("tuned", {**TUNING, "init": str(probe.path)})
    splits = read_dataset(data).splits
    return Pair(probe, tuned, splits[TRAIN], splits[VALIDATION])


def _tell(progress: Progress) -> None:
    if progress.done == progress.total:
        click.echo(f"{progress.stage} {progress.epoch or ''}", err=True)


def serving_rule(pair: Pair, size: int = SIZE) -> Preprocessing:
    """How the mean of both wants its photos."""
    return dataclasses.replace(pair.probe.preprocessing, size=size)


def between(pair: Pair, share: float, size: int) -> keras.Model:
    """The mean of both, for an input of so many pixels a side."""
    weights = pair.probe.file(KERAS_WEIGHTS), pair.tuned.file(KERAS_WEIGHTS)
    return averaging.between(pair.probe.architecture, pair.probe.label_count, weights, share, size)


def saved(pair: Pair, share: float, size: int, work: Path) -> Path:
    """The mean of both as it is served: an OpenVINO network with float16 weights."""
    path = work / "network.xml"
    save_network(convert(between(pair, share, size)), path, half=True)
    return path


def seen(network: Path, rule: Preprocessing, photos: Records) -> Looks:
    """What the network says of photos, from file to output as they are served."""
    return look(Engine(network, rule, for_many=True), rule, photos, load_settings())


def described(network: Path, rule: Preprocessing, pair: Pair) -> FeatureStatistics:
    """What the features of the training photos are like."""
    features = seen(network, rule, pair.train).features
    return FeatureStatistics.of(features, pair.train.labels, pair.probe.label_count)
