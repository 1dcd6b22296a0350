"""Fast mode: the network stays as it is, its last layer is fitted on features computed once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from plant_classification.data import TRAIN, Dataset
from plant_classification.data.transforms import augmented
from plant_classification.errors import DatasetError
from plant_classification.inference.batch import look_at_views
from plant_classification.inference.engine import Engine
from plant_classification.models import ModelFolder
from plant_classification.models.folder import NETWORK, NETWORK_WEIGHTS
from plant_classification.settings import Settings
from plant_classification.training.config import TrainingConfig
from plant_classification.training.head_replacement import replace_head
from plant_classification.training.imagenet_base import imagenet_base
from plant_classification.training.linear_head import (
    Head,
    LabelWeights,
    choose_shrinkage,
    fit_head,
)
from plant_classification.training.progress import Observer, Progress
from plant_classification.training.publishing import TrainedNetwork
from plant_classification.training.start import Start
from plant_classification.trust.feature_statistics import FeatureStatistics


def train_fast(
    config: TrainingConfig,
    dataset: Dataset,
    start: Start,
    settings: Settings,
    observe: Observer,
    made: Path,
) -> TrainedNetwork:
    """Fit a new last layer.

    Args:
        config: The options.
        dataset: The data set.
        start: The network.
        settings: The settings.
        observe: Is told how far it is.
        made: Where the new network is written.

    Raises:
        DatasetError: A photo cannot be read, and the option ``strict`` is set, or none can.
        ModelFolderError: The network cannot be used.
    """
    base = start.model or imagenet_base(start, settings)
    records = dataset.splits[TRAIN]
    features, faults = _features(config, dataset, base, settings, observe)
    seen = np.ones(len(records), np.bool_)
    seen[[index for index, _ in faults]] = False
    unreadable = tuple((str(records.path(index)), fault) for index, fault in faults)
    if unreadable and (config.strict or not seen.any()):
        path, sentence = unreadable[0]
        raise DatasetError(f"{path}: {sentence}")
    labels, views = records.labels[seen], features[seen]
    count = len(dataset.labels)
    statistics = FeatureStatistics.of(views[:, 0], labels, count)
    weighted = LabelWeights.of(
        np.bincount(labels, minlength=count),
        balanced=config.use_class_weights,
        adjustment=config.logit_adjustment,
    )
    head = _fitted(config, views, labels, weighted, observe)
    observe(Progress("exporting"))
    replaced = replace_head(base, head, made)
    return TrainedNetwork(
        architecture=base.architecture,
        preprocessing=base.preprocessing,
        labels=dataset.labels,
        network=replaced.network,
        weights=replaced.weights,
        epochs=(),
        training={
            "mode": config.mode,
            "init": start.words,
            "photos": int(seen.sum()),
            "options": config.to_dict(),
        },
        statistics=statistics,
        unreadable=unreadable,
    )


def _features(
    config: TrainingConfig,
    dataset: Dataset,
    base: ModelFolder,
    settings: Settings,
    observe: Observer,
) -> tuple[NDArray[np.float16], tuple[tuple[int, str], ...]]:
    """Features ``(N, views, D)`` of the training photos, the first view as served; and faults."""
    base.file(NETWORK_WEIGHTS)
    rule = base.preprocessing
    engine = Engine(base.file(NETWORK), rule, settings.precision, settings.threads, for_many=True)
    records = dataset.splits[TRAIN]
    features = np.zeros((len(records), config.views, engine.feature_count), np.float16)

    def views(index: int, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        others = [
            augmented(
                pixels,
                rule.size,
                config.train_mode,
                np.random.default_rng((config.seed, index, view)),
            )
            for view in range(1, config.views)
        ]
        return np.stack([rule.apply(pixels)[0], *others])

    def take(
        index: int, view: int, _logits: NDArray[np.float32], mean: NDArray[np.float32]
    ) -> None:
        features[index, view] = mean

    def tell(done: int, total: int) -> None:
        observe(Progress("computing features", done, total))

    faults = look_at_views(engine, rule, records, settings, views, take, tell)
    return features, faults


def _fitted(
    config: TrainingConfig,
    views: NDArray[np.float16],
    labels: NDArray[np.int32],
    weighted: LabelWeights,
    observe: Observer,
) -> Head:
    """The head for all views; they are whitened in place."""
    photos = np.arange(len(labels))
    observe(Progress("choosing the regularisation"))
    shrinkage = choose_shrinkage(views, labels, photos, weighted, config.seed)
    flat = views.reshape(-1, views.shape[-1])
    truth = np.repeat(labels, config.views)
    statistics = FeatureStatistics.of(flat, truth, len(weighted.weights))

    def tell(done: int, total: int) -> None:
        observe(Progress("fitting", done, total))

    return fit_head(flat, truth, statistics, shrinkage, weighted, config.seed, tell)
