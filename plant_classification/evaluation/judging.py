"""A model judged on photos whose names are known, through the path on which they are served."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from plant_classification.data import TEST, TRAIN, VALIDATION, Dataset, Records
from plant_classification.errors import DatasetError
from plant_classification.evaluation.judged import Judged, Safe, Sets, numbered
from plant_classification.evaluation.metrics import BLOCK, Figures, figures_of, judge
from plant_classification.inference.batch import Tell, look, look_at_views, were_read
from plant_classification.inference.engine import Engine, engine_of
from plant_classification.models import ModelFolder
from plant_classification.models.folder import recalibrate
from plant_classification.settings import Settings
from plant_classification.taxonomy import Label, listed, ranks_of
from plant_classification.taxonomy.synonyms import accepted_names, first_places
from plant_classification.trust import TrustRules, fit_trust, plausible_sets, probabilities
from plant_classification.trust.rejection import likeness
from plant_classification.trust.safe_answer import given_at, rank_tops

COVERAGES = (0.8, 0.9, 0.95)
"""Of the plausible sets that are judged."""

CONFIDENCES = (0.8, 0.9, 0.95)
"""Of the safe answers that are judged."""

OF_TRAINING = "If the model was trained on these photos, this says nothing: it knows them by heart."


@dataclasses.dataclass(frozen=True)
class Calibrated:
    """A model that has been calibrated, and what that changed on the photos it was done on.

    Attributes:
        model: The model as it is now.
        before, after: Figures with the old temperature and the new one.
        notes: Sentences that a person should see.
    """

    model: ModelFolder
    before: Figures
    after: Figures
    notes: tuple[str, ...]


def chosen_split(dataset: Dataset, split: str | None) -> tuple[Records, tuple[str, ...]]:
    """The photos to judge on: those asked for, else the test photos, the validation photos, or all.

    Returns:
        The photos, and what a person should know of them.

    Raises:
        DatasetError: There are none of that split.
    """
    names = [split] if split else [TEST, VALIDATION, TRAIN]
    for name in names:
        if records := dataset.splits.get(name):
            return records, (OF_TRAINING,) if name == TRAIN else ()
    raise DatasetError(
        f"{dataset.folder} has no photos in {names[0]}; it has some in {', '.join(dataset.splits)}."
    )


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
    known = _known(model, labels, records, synonyms or {})
    can_be_known, notes = np.flatnonzero(known.truth >= 0), list(known.notes)
    sums, readable = _looked(model, records.take(can_be_known), known.merged, settings, crops, tell)
    if not readable.all():
        notes.append(f"Photos that cannot be read, left out: {(~readable).sum():,}.")
    seen = can_be_known[readable]
    if not len(seen):
        raise DatasetError(" ".join(["No photo can be judged.", *notes]))
    judged = records.take(seen)
    logits, truth = sums[readable], known.truth[seen]
    columns = {"source": judged.sources, "organ": judged.organs}
    return Judged(
        name=model.name,
        labels=model.labels(),
        predictions=judge(logits, truth),
        groups={
            name: np.array([text or "" for text in column])
            for name, column in columns.items()
            if column
        },
        units=numbered(judged.observations or (), len(seen)),
        sets=_sets(model, logits, truth),
        safe=_safe(model, logits, truth),
        paths=[judged.path(index) for index in range(len(seen))],
        notes=notes,
    )


def calibrate_model(
    model: ModelFolder,
    labels: Sequence[Label],
    records: Records,
    settings: Settings,
    tell: Tell = lambda _done, _total: None,
) -> Calibrated:
    """Fit the rules of trust of a model, and write them into its folder.

    Args:
        model: The model folder.
        labels: Of the photos, in the order of their indices.
        records: Photos that the model was not trained on.
        settings: For the engine and the limits of photos.
        tell: Is told how many photos are done, and how many there are.

    Raises:
        DatasetError: No photo can be judged.
        ModelFolderError: The model cannot be used, or its folder not be written.
    """
    known = _known(model, labels, records, {})
    can_be_known = np.flatnonzero(known.truth >= 0)
    chosen = records.take(can_be_known)
    looks = look(_engine(model, settings), model.preprocessing, chosen, settings, tell)
    if not looks.readable.any():
        raise DatasetError(" ".join(["No photo can be judged.", *known.notes]))
    logits, truth = looks.logits[looks.readable], known.truth[can_be_known[looks.readable]]
    seen = chosen.take(np.flatnonzero(looks.readable))
    of_labels = model.directions()
    scores = None if of_labels is None else likeness(looks.features[looks.readable], of_labels)
    rules = fit_trust(
        logits, truth, ranks_of(model.labels()), seen.organs, scores, seen.observations
    )

    def figures(trust: TrustRules) -> Figures:
        return figures_of(judge(logits, truth, trust.temperature), model.labels())

    return Calibrated(recalibrate(model, rules), figures(model.trust), figures(rules), known.notes)


def _sets(
    model: ModelFolder, logits: NDArray[np.float32], truth: NDArray[np.int64]
) -> dict[float, Sets]:
    """The plausible sets at each coverage that the model promises."""
    rule = model.trust.plausible
    if rule is None:
        return {}
    thresholds = {
        coverage: threshold
        for coverage in COVERAGES
        if (threshold := rule.threshold(coverage)) is not None
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


def _safe(
    model: ModelFolder, logits: NDArray[np.float32], truth: NDArray[np.int64]
) -> dict[float, Safe]:
    """The safe answers at each confidence that the model promises; nothing is rejected."""
    rule = model.trust.safe
    confidences = [value for value in CONFIDENCES if rule and rule.promises(value)]
    if rule is None or not confidences:
        return {}
    tops = rank_tops(logits, 1.0, truth, ranks_of(model.labels()))
    scores = rule.scores(tops.shares, tops.largest)
    found = {}
    for confidence in confidences:
        given, _, right = given_at(rule.at(confidence), scores, tops.right)
        found[confidence] = Safe(given, right)
    return found


def _looked(
    model: ModelFolder,
    records: Records,
    merged: NDArray[np.int64],
    settings: Settings,
    crops: int,
    tell: Tell,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Calibrated logits ``(N, labels)``, and which photos can be read."""
    engine = _engine(model, settings)
    means = np.zeros((len(records), engine.label_count), np.float32)

    def take(
        index: int, _view: int, logits: NDArray[np.float32], _features: NDArray[np.float32]
    ) -> None:
        means[index] += logits / np.float32(crops)

    faults = look_at_views(
        engine,
        model.preprocessing,
        records,
        settings,
        None,
        take,
        tell,
        crops=crops,
    )
    means /= np.float32(model.trust.temperature)
    if len(np.unique(merged)) < len(merged):
        for row in means:
            shares = np.zeros(len(merged))
            np.add.at(shares, merged, probabilities(row))
            scale = np.logaddexp.reduce(row)  # the safe answer asks how large the logits are
            row[:] = scale + np.log(np.maximum(shares, np.finfo(np.float32).tiny))
    return means, were_read(len(records), faults)


def _engine(model: ModelFolder, settings: Settings) -> Engine:
    return engine_of(model, settings.precision, settings.threads, for_many=True)


@dataclasses.dataclass(frozen=True)
class _Known:
    """What a model knows of the labels of photos.

    Attributes:
        truth: ``int64 (N,)``, the place of each photo's label among the model's, or -1.
        merged: ``int64 (labels,)``, the first of the model's labels that has the same name.
        notes: A sentence on names that it does not know.
    """

    truth: NDArray[np.int64]
    merged: NDArray[np.int64]
    notes: tuple[str, ...]


def _known(
    model: ModelFolder, labels: Sequence[Label], records: Records, synonyms: Mapping[str, str]
) -> _Known:
    accepted = accepted_names((label.name for label in model.labels()), synonyms)
    first = first_places(accepted)
    merged = np.array([first[name] for name in accepted])
    ours = accepted_names((label.name for label in labels), synonyms)
    truth = np.array([first.get(name, -1) for name in ours], np.int64)[records.labels]
    unknown = records.labels[truth < 0]
    if not len(unknown):
        return _Known(truth, merged, ())
    lacking = sorted({ours[index] for index in np.unique(unknown).tolist()})
    note = (
        "Photos of names that the model does not know, left out: "
        f"{len(unknown):,}, of {listed(lacking)}."
    )
    return _Known(truth, merged, (note,))
