"""From a trained network to a model folder: judged as it is served, calibrated, reported."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from plant_classification.data import TEST, TRAIN, VALIDATION, Dataset, Records
from plant_classification.evaluation.metrics import Figures, Predictions, figures_of, judge
from plant_classification.evaluation.training_report import TrainingReport, write_report
from plant_classification.inference.batch import look, look_at_views, were_read
from plant_classification.inference.engine import Engine
from plant_classification.models import ModelFolder, write_model_folder
from plant_classification.models.folder import (
    KERAS_WEIGHTS,
    METRICS,
    NETWORK,
    NETWORK_WEIGHTS,
    REPORT,
    TRUST,
)
from plant_classification.photos.preprocessing import Preprocessing
from plant_classification.settings import Settings
from plant_classification.taxonomy import Label, ranks_of
from plant_classification.training.config import TrainingConfig
from plant_classification.training.progress import EpochFigures, Observer, Progress
from plant_classification.trust import TrustRules, fit_trust
from plant_classification.trust.feature_statistics import FeatureStatistics
from plant_classification.trust.rejection import directions, likeness

PHOTOS_DESCRIBED = 20_000
LEAST_DESCRIBED = 10
"""Training photos whose features trust.npz describes: so many, but at least ten of each label."""


@dataclasses.dataclass(frozen=True)
class TrainedNetwork:
    """What a training has made.

    Attributes:
        architecture: Name in the registry of networks.
        preprocessing: How the network wants its photos.
        labels: In the order of its outputs.
        network: network.xml, its .bin beside it.
        weights: weights.weights.h5 for Keras, or None where there are none.
        epochs: What each epoch came to; none in fast mode.
        training: How it was trained, as JSON takes it.
        statistics: Of the training photos' features, or None where they are not known yet.
        unreadable: Path and sentence of each photo that was left out.
    """

    architecture: str
    preprocessing: Preprocessing
    labels: tuple[Label, ...]
    network: Path
    weights: Path | None
    epochs: tuple[EpochFigures, ...]
    training: Mapping[str, Any]
    statistics: FeatureStatistics | None
    unreadable: tuple[tuple[str, str], ...] = ()


@dataclasses.dataclass(frozen=True)
class _Judged:
    """Photos of a split through the served path."""

    records: Records
    trust: TrustRules
    predictions: Predictions


def publish(
    trained: TrainedNetwork,
    dataset: Dataset,
    config: TrainingConfig,
    settings: Settings,
    made: Path,
    observe: Observer,
) -> ModelFolder:
    """Judge a trained network and write its model folder, whole or not at all.

    The validation photos give the rules of trust; the test photos, where there are some, are looked
    at here and only here.

    Args:
        trained: The network.
        dataset: What it was trained on; labels of the network beyond the data set's come first.
        config: The options, with a name.
        settings: For ``models_dir``, and the engine.
        made: A folder for what goes into the model folder.
        observe: Is told how far it is.

    Raises:
        ModelFolderError: A folder of that name is there already.
        OSError: The folder cannot be written.
    """
    engine = Engine(
        trained.network, trained.preprocessing, settings.precision, settings.threads, for_many=True
    )
    ours = _indices(dataset.labels, trained.labels)
    ranks = ranks_of(trained.labels)
    unreadable = list(trained.unreadable)

    def judged(split: str, trust: TrustRules | None = None) -> _Judged | None:
        records = dataset.splits.get(split)
        if not records:
            return None
        looks = look(engine, trained.preprocessing, records, settings, _teller(split, observe))
        seen = records.take(np.flatnonzero(looks.readable))
        unreadable.extend((str(records.path(place)), fault) for place, fault in looks.faults)
        if not seen:
            return None
        logits = looks.logits if looks.readable.all() else looks.logits[looks.readable]
        truth = ours[seen.labels]
        scores = likeness(looks.features[looks.readable], of_labels)
        rules = trust or fit_trust(logits, truth, ranks, seen.organs, scores, seen.observations)
        return _Judged(seen, rules, judge(logits, truth, rules.temperature))

    statistics = trained.statistics or _statistics(trained, dataset, engine, settings, observe)
    of_labels = directions(statistics.means, statistics.counts)
    validation = judged(VALIDATION)
    trust = validation.trust if validation else TrustRules()
    test = judged(TEST, trust)
    observe(Progress("exporting"))
    figures = {
        split: figures_of(seen.predictions, trained.labels)
        for split, seen in ((VALIDATION, validation), (TEST, test))
        if seen
    }
    created = datetime.now(timezone.utc).replace(microsecond=0)
    report = TrainingReport(
        name=str(config.name),
        created=created,
        architecture=trained.architecture,
        config=config.to_dict(),
        dataset=f"{dataset.kind}: {dataset.folder.resolve().name}",
        notes=dataset.notes,
        labels=trained.labels,
        training_photos=np.bincount(
            ours[dataset.splits[TRAIN].labels], minlength=len(trained.labels)
        ),
        epochs=[dataclasses.asdict(epoch) for epoch in trained.epochs],
        temperature=trust.temperature,
        validation=validation.predictions if validation else None,
        paths=[record.path for record in validation.records] if validation else [],
        test=figures.get(TEST),
        unreadable=unreadable,
    )
    write_report(made / REPORT, report, settings)
    statistics.save(made / TRUST)
    metrics = {split: _rounded(found) for split, found in figures.items()}
    curves = [dataclasses.asdict(epoch) for epoch in trained.epochs]
    (made / METRICS).write_text(json.dumps({**metrics, "epochs": curves}, indent=1) + "\n", "utf-8")
    files = {
        NETWORK: trained.network,
        NETWORK_WEIGHTS: trained.network.with_suffix(".bin"),
        **{name: made / name for name in (REPORT, TRUST, METRICS)},
    }
    if trained.weights:
        files[KERAS_WEIGHTS] = trained.weights
    return write_model_folder(
        settings.models_dir / str(config.name),
        architecture=trained.architecture,
        preprocessing=trained.preprocessing,
        labels=trained.labels,
        trust=trust,
        training=trained.training,
        metrics=metrics,
        files=files,
        created=created,
    )


def _indices(labels: tuple[Label, ...], of_network: tuple[Label, ...]) -> np.ndarray:
    """For each label of the data set its place among the network's; names that stand twice too."""
    if labels == of_network:
        return np.arange(len(labels))
    places = {label.name: place for place, label in enumerate(of_network)}
    return np.array([places[label.name] for label in labels], np.int64)


def _statistics(
    trained: TrainedNetwork,
    dataset: Dataset,
    engine: Engine,
    settings: Settings,
    observe: Observer,
) -> FeatureStatistics:
    """Of the first training photos of each label."""
    records = dataset.splits[TRAIN]
    order = np.argsort(records.labels, kind="stable")
    ordered = records.labels[order]
    place = np.arange(len(order)) - np.searchsorted(ordered, ordered)
    most = max(LEAST_DESCRIBED, PHOTOS_DESCRIBED // len(trained.labels))
    chosen = records.take(np.sort(order[place < most]))
    features = np.zeros((len(chosen), engine.feature_count), np.float32)

    def take(index: int, _view: int, _logits: np.ndarray, mean: np.ndarray) -> None:
        features[index] = mean

    faults = look_at_views(
        engine,
        trained.preprocessing,
        chosen,
        settings,
        None,
        take,
        _teller(TRAIN, observe),
    )
    seen = were_read(len(chosen), faults)
    return FeatureStatistics.of(features[seen], chosen.labels[seen], len(trained.labels))


def _teller(split: str, observe: Observer) -> Any:
    stage = {VALIDATION: "validating", TEST: "testing", TRAIN: "describing"}[split]
    return lambda done, total: observe(Progress(stage, done, total))


def _rounded(figures: Figures) -> dict[str, Any]:
    return {
        name: round(value, 4) if isinstance(value, float) else value
        for name, value in dataclasses.asdict(figures).items()
    }
