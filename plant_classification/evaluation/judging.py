"""A model judged on photos whose names are known, through the path on which they are served."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from plant_classification.data import TEST, TRAIN, VALIDATION, Dataset, Records
from plant_classification.errors import DatasetError
from plant_classification.evaluation.judged import Judged, Sets, numbered
from plant_classification.evaluation.metrics import BLOCK, judge
from plant_classification.inference.batch import Tell, look_at_views
from plant_classification.inference.engine import Engine
from plant_classification.models import ModelFolder
from plant_classification.models.folder import NETWORK, NETWORK_WEIGHTS
from plant_classification.settings import Settings
from plant_classification.taxonomy import Label
from plant_classification.taxonomy.synonyms import accepted_names
from plant_classification.trust import plausible_sets, probabilities

MOST_NAMED = 10
COVERAGES = (0.8, 0.9, 0.95)
"""Of the plausible sets that are judged."""


def chosen_split(dataset: Dataset, split: str | None) -> Records:
    """The photos to judge on: those asked for, else the test photos, the validation photos, or all.

    Raises:
        DatasetError: There are none of that split.
    """
    names = [split] if split else [TEST, VALIDATION, TRAIN]
    for name in names:
        if records := dataset.splits.get(name):
            return records
    raise DatasetError(f"{dataset.folder} has no photos in {names[0]}.")


def judge_model(
    model: ModelFolder,
    labels: Sequence[Label],
    records: Records,
    settings: Settings,
    *,
    crops: int = 1,
    synonyms: Mapping[str, str] | None = None,
    tell: Tell = lambda _done, _total: None,
) -> Judged:
    """Name photos and compare with what they are.

    Photos that cannot be read, or whose label the model does not know, are left out and told in a
    note: accuracy is of what a model can know, and which names it lacks stands beside it.

    Args:
        model: The model folder, ready to be served.
        labels: Of the photos, in the order of their indices.
        records: The photos.
        settings: For the engine and the limits of photos.
        crops: Views of each photo: 1, 5 or 10.
        synonyms: The accepted name of each synonym; labels of one accepted name are one.
        tell: Is told how many photos are done, and how many there are.

    Raises:
        DatasetError: No photo can be judged.
        ModelFolderError: The model cannot be used.
    """
    known = accepted_names((label.name for label in model.labels()), synonyms or {})
    first: dict[str, int] = {}
    merged = np.array([first.setdefault(name, place) for place, name in enumerate(known)])
    ours = accepted_names((label.name for label in labels), synonyms or {})
    places = np.array([first.get(name, -1) for name in ours], np.int64)
    truth = places[records.labels]
    can_be_known = np.flatnonzero(truth >= 0)
    notes = _unknown(ours, records.labels[truth < 0])
    logits, readable = _looked(model, records.take(can_be_known), merged, settings, crops, tell)
    if not readable.all():
        notes.append(f"Photos that cannot be read, left out: {(~readable).sum():,}.")
    seen = can_be_known[readable]
    if not len(seen):
        raise DatasetError(" ".join(["No photo can be judged.", *notes]))
    judged = records.take(seen)
    logits = logits[readable]
    columns = {"source": judged.sources, "organ": judged.organs}
    return Judged(
        name=model.name,
        labels=model.labels(),
        predictions=judge(logits, truth[seen]),
        groups={
            name: np.array([text or "" for text in column])
            for name, column in columns.items()
            if column
        },
        units=numbered(judged.observations or (), len(seen)),
        sets=_sets(model, logits, truth[seen]),
        paths=[judged.path(index) for index in range(len(seen))],
        notes=notes,
    )


def _sets(
    model: ModelFolder, logits: NDArray[np.float32], truth: NDArray[np.int64]
) -> dict[float, Sets]:
    """The plausible sets at each coverage that the model promises."""
    if model.plausible is None:
        return {}
    thresholds = {
        coverage: threshold
        for coverage in COVERAGES
        if (threshold := model.plausible.threshold(coverage)) is not None
    }
    holds = {coverage: np.zeros(len(truth), np.bool_) for coverage in thresholds}
    sizes = {coverage: np.zeros(len(truth), np.int64) for coverage in thresholds}
    for start in range(0, len(truth), BLOCK):
        rows = slice(start, start + BLOCK)
        shares, right = probabilities(logits[rows]), truth[rows, np.newaxis]
        for coverage, threshold in thresholds.items():
            sets = plausible_sets(shares, threshold)
            holds[coverage][rows] = np.take_along_axis(sets, right, axis=1)[:, 0]
            sizes[coverage][rows] = sets.sum(axis=1)
    return {coverage: Sets(holds[coverage], sizes[coverage]) for coverage in thresholds}


def _looked(
    model: ModelFolder,
    records: Records,
    merged: NDArray[np.int64],
    settings: Settings,
    crops: int,
    tell: Tell,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Calibrated logits ``(N, labels)``, and which photos can be read."""
    rule = model.preprocessing
    model.file(NETWORK_WEIGHTS)
    precision = "f32" if settings.precision == "auto" and model.is_imported else settings.precision
    engine = Engine(model.file(NETWORK), rule, precision, settings.threads, for_many=True)
    sums = np.zeros((len(records), engine.label_count), np.float32)

    def take(
        index: int, _view: int, logits: NDArray[np.float32], _features: NDArray[np.float32]
    ) -> None:
        np.add.at(sums[index], merged, np.float32(probabilities(logits, model.temperature) / crops))

    faults = look_at_views(
        engine,
        rule,
        records,
        settings,
        lambda _, pixels: rule.apply(pixels, crops),
        take,
        tell,
        crops=crops,
    )
    readable = np.ones(len(records), np.bool_)
    readable[[index for index, _ in faults]] = False
    return np.log(np.maximum(sums, np.finfo(np.float32).tiny)), readable


def _unknown(names: Sequence[str], labels: NDArray[np.int32]) -> list[str]:
    """A note on photos of labels that the model does not know."""
    if not len(labels):
        return []
    lacking = sorted({names[index] for index in np.unique(labels).tolist()})
    more = f" and {len(lacking) - MOST_NAMED:,} more" if len(lacking) > MOST_NAMED else ""
    named = ", ".join(lacking[:MOST_NAMED]) + more
    return [f"Photos of names that the model does not know, left out: {len(labels):,}, of {named}."]
