"""Fast mode: the network stays as it is, its last layer is fitted on features computed once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from plant_classification.data import TRAIN, VALIDATION, Dataset, Records
from plant_classification.errors import DatasetError
from plant_classification.evaluation.judged import numbered
from plant_classification.inference.batch import look
from plant_classification.inference.engine import Engine
from plant_classification.inference.head import Head
from plant_classification.models.folder import NETWORK, NETWORK_WEIGHTS
from plant_classification.photos.preprocessing import Preprocessing
from plant_classification.settings import Settings
from plant_classification.taxonomy import Label, listed
from plant_classification.training.config import TrainingConfig, training_options
from plant_classification.training.extension import (
    Known,
    compare,
    extend_head,
    joined_labels,
    read_known,
)
from plant_classification.training.features import Seen, features_of
from plant_classification.training.head_replacement import replace_head
from plant_classification.training.imagenet_base import imagenet_base
from plant_classification.training.label_weights import LabelWeights
from plant_classification.training.linear_head import (
    blas_on,
    choose_shrinkage,
    fit_head,
)
from plant_classification.training.progress import Observer, Progress
from plant_classification.training.publishing import TrainedNetwork
from plant_classification.training.start import Start
from plant_classification.trust.feature_statistics import FeatureStatistics

OF_FULL_TRAINING = (
    *("epochs", "batch_size", "optimizer", "initial_lr", "backbone_lr", "lr_schedule_mode"),
    *("lr_step_decay", "lr_step_schedule", "warmup", "weight_decay", "l2_reg", "label_smoothing"),
    *("ema", "accumulate", "clip_norm", "frozen_layers", "frozen_batchnorm"),
    *("balanced_sampling", "select_by"),
    *("use_validation", "use_early_stopping", "patience", "cache"),
    *("use_tensorboard", "tensorboard_port"),
)
"""Options that have no effect in fast mode."""


VIEWS = ((8, 2_000), (4, 20_000))
"""Views of each photo, where there are so many photos at most. For ten species with 30 photos each,
three times, eight gave a mean log-loss of 0.212 on other photos of theirs, four gave 0.216."""

LEAST_VIEWS = 2

FEW = 0.1
"""A new label with less than this share of the photos that known ones have is told. Of 50 labels
with 5,000 photos and three with 30, drawn, none of the three was named without class weights."""


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
        start: The network; where ``extend`` is given, that model.
        settings: The settings.
        observe: Is told how far it is.
        made: Where the new network is written.

    Raises:
        ArgumentError: The model to extend cannot be extended.
        DatasetError: A photo cannot be read, and the option ``strict`` is set, or none can.
        ModelFolderError: The network cannot be used.
        OSError: The network cannot be written.
    """
    base = start.model or imagenet_base(start, settings)
    known = read_known(base) if config.extend else None
    labels, places = dataset.labels, np.arange(len(dataset.labels))
    if known:
        labels, places = joined_labels(known.labels, dataset.labels)
    base.file(NETWORK_WEIGHTS)
    network, rule = base.file(NETWORK), base.preprocessing
    engine = Engine(network, rule, settings.precision, settings.threads, for_many=True)
    records = dataset.splits[TRAIN]
    records = dataclasses.replace(records, labels=places[records.labels].astype(np.int32))
    seen = _seen(config, records, engine, rule, settings, observe)
    with blas_on(1):
        statistics = FeatureStatistics.of(seen.features[:, 0], seen.labels, len(labels))
    notes = _notes(config)
    if known:
        statistics = known.statistics.joined(statistics)
        notes += _notes_on_extending(config, known, dataset.labels, places, statistics)
        head = extend_head(
            known,
            seen.features,
            seen.labels,
            _weighted(config, statistics),
            config.seed,
            _teller("fitting", observe),
        )
        held_back = _of_known_labels(dataset, places, len(known.labels))
        looks = look(engine, rule, held_back, settings, _teller("validating", observe))
        compared = compare(
            known, head, looks.features[looks.readable], held_back.labels[looks.readable]
        )
        notes.append(str(compared))
        found = {"extended": start.words, **dataclasses.asdict(compared)}
    else:
        looked_at = records.take(seen.places)
        groups = numbered(looked_at.observations or (), len(looked_at))
        shrinkage, head = _fitted(config, seen, groups, _weighted(config, statistics), observe)
        found = {"init": start.words, "shrinkage": shrinkage}
    observe(Progress("exporting"))
    xml, weights = replace_head(base, head, made)
    return TrainedNetwork(
        architecture=base.architecture,
        preprocessing=rule,
        labels=labels,
        network=xml,
        weights=weights,
        epochs=(),
        training={
            "mode": config.mode,
            **found,
            "photos": len(seen.labels),
            "views": seen.features.shape[1],
            "notes": notes,
            "options": config.to_dict(),
        },
        statistics=statistics,
        unreadable=tuple((str(records.path(index)), fault) for index, fault in seen.faults),
    )


def views_for(photos: int) -> int:
    """Views of each of so many photos: the fewer there are, the more each has to tell."""
    return next((views for views, most in VIEWS if photos <= most), LEAST_VIEWS)


def _seen(
    config: TrainingConfig,
    records: Records,
    engine: Engine,
    rule: Preprocessing,
    settings: Settings,
    observe: Observer,
) -> Seen:
    """The features of the training photos."""
    seen = features_of(
        engine,
        rule,
        records,
        config.views or views_for(len(records)),
        config.train_mode,
        config.seed,
        settings,
        _teller("computing features", observe),
    )
    if seen.faults and (config.strict or not len(seen.labels)):
        index, sentence = seen.faults[0]
        raise DatasetError(f"{records.path(index)}: {sentence}")
    return seen


def _weighted(config: TrainingConfig, statistics: FeatureStatistics) -> LabelWeights:
    return LabelWeights.of(
        statistics.counts, balanced=config.use_class_weights, adjustment=config.logit_adjustment
    )


def _fitted(
    config: TrainingConfig,
    seen: Seen,
    groups: NDArray[np.int64],
    weighted: LabelWeights,
    observe: Observer,
) -> tuple[float, Head]:
    """The shrinkage, chosen by folds, and the head; the features are whitened in place."""
    observe(Progress("choosing the regularisation"))
    shrinkage = choose_shrinkage(seen.features, seen.labels, groups, weighted, config.seed)
    views = seen.features.reshape(-1, seen.features.shape[-1])
    labels = np.repeat(seen.labels, seen.features.shape[1])
    tell = _teller("fitting", observe)
    return shrinkage, fit_head(views, labels, shrinkage, weighted, config.seed, tell)


def _teller(stage: str, observe: Observer) -> Callable[[int, int], None]:
    return lambda done, total: observe(Progress(stage, done, total))


def _notes(config: TrainingConfig) -> list[str]:
    """A sentence on the options that were given in vain."""
    options = training_options()
    given = [
        name
        for name in OF_FULL_TRAINING
        if getattr(config, name) != options[name].read(options[name].default)
    ]
    return [f"Of no effect in fast mode: {', '.join(given)}."] if given else []


def _notes_on_extending(
    config: TrainingConfig,
    known: Known,
    labels: Sequence[Label],
    places: NDArray[np.int64],
    statistics: FeatureStatistics,
) -> list[str]:
    """A sentence on names in another spelling, and one on labels that will seldom be named."""
    spellings = [
        f"{label.name} (as {known.labels[place].name})"
        for label, place in zip(labels, places, strict=True)
        if place < len(known.labels) and label.name != known.labels[place].name
    ]
    notes = [f"Known in another spelling: {listed(spellings)}."] if spellings else []
    old, new = np.split(statistics.counts, [len(known.labels)])
    few = np.count_nonzero(new < FEW * old.mean())
    if few and not config.use_class_weights:
        notes.append(
            f"Of the new labels {few:,} have less than a tenth of the photos that the known ones "
            "have on average, and will seldom be named: set use_class_weights, or take more photos."
        )
    return notes


def _of_known_labels(dataset: Dataset, places: NDArray[np.int64], count: int) -> Records:
    """The validation photos of labels that are known, with their places among these."""
    records = dataset.splits.get(VALIDATION) or dataset.splits[TRAIN].take([])
    truth = places[records.labels]
    some = records.take(np.flatnonzero(truth < count))
    return dataclasses.replace(some, labels=truth[truth < count].astype(np.int32))
