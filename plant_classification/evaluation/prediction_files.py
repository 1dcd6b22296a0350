"""Predictions in a file: each photo's first labels with their probabilities, and the right one.

As JSON, the form in which the old service's figures were published (Heredia 2017)::

    {"true_lab": [914, ...], "pred_lab": [[914, 3974, ...], ...], "pred_prob": [[0.52, ...], ...]}

As a table (CSV or Parquet) with a row for each photo: ``true_lab``, ``pred_lab_1``,
``pred_prob_1``, ``pred_lab_2`` and so on. Labels are names, or numbers from zero of the lines of a
list of species. Further columns of a table are groups; ``observation`` says which photos show one
plant.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import count, takewhile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plant_classification.data.files import read_json, read_text
from plant_classification.data.parquet import PARQUET, from_parquet
from plant_classification.errors import DatasetError
from plant_classification.evaluation.judged import Judged, numbered
from plant_classification.evaluation.metrics import Predictions
from plant_classification.files import printable
from plant_classification.taxonomy import labels_from, load_families, parse_name
from plant_classification.taxonomy.labels import listed as in_words
from plant_classification.taxonomy.synonyms import accepted_names, first_places
from plant_classification.taxonomy.tables import delimiter_of, read_table

TRUTH, LABEL, PROBABILITY, OBSERVATION = "true_lab", "pred_lab", "pred_prob", "observation"
JSON, CSV = ".json", ".csv"
MOST_HEADER = 1 << 16
MOST_OF_FEW = 50
"""Groups that a column may always make."""
_LINE = re.compile(r"^line \d+: ")
ROUNDING = 1e-3
"""By how much the probabilities of a photo may be more than one."""


@dataclasses.dataclass(frozen=True)
class _Listed:
    """What a file says, as it stands there; ``k`` labels of each photo.

    Attributes:
        truth: ``(N,)``, numbers or names.
        labels: ``(N, k)``, the same.
        probabilities: ``float64 (N, k)``.
        groups: What else is known of each photo, by column.
    """

    truth: NDArray[Any]
    labels: NDArray[Any]
    probabilities: NDArray[np.float64]
    groups: Mapping[str, Sequence[str]]


def is_predictions(path: Path) -> bool:
    """Whether a file holds predictions: JSON, or a table with a column ``true_lab``."""
    suffix = path.suffix.lower()
    if not path.is_file() or suffix not in (JSON, CSV, PARQUET):
        return False
    if suffix == PARQUET:
        return TRUTH in from_parquet(path, "read_schema").names
    if suffix == CSV:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            first = file.readline(MOST_HEADER)
        delimiter = delimiter_of(first, (TRUTH,))
        return TRUTH in [name.strip(' "\n') for name in first.split(delimiter)]
    return True


def read_predictions(
    path: Path,
    species: Path | None = None,
    families: Path | None = None,
    synonyms: Mapping[str, str] | None = None,
) -> Judged:
    """Read and check a file of predictions.

    Args:
        path: JSON, CSV or Parquet.
        species: A name a line, which the numbers of labels count from zero.
        families: The family of each genus, before the package's own: a table with the columns
            ``genus`` and ``family``, or JSON with the names of each family.
        synonyms: The accepted name of each synonym; labels of one accepted name are one.

    Raises:
        DatasetError: A file cannot be used: with line or photo.
        SettingsError: The table of families cannot be used.
    """
    listed = _read(path)
    names = _names(listed, path, species)
    known_families = _families(families)
    try:
        labels = labels_from(names, None, known_families)
        accepted = accepted_names(names, synonyms or {})
    except ValueError as error:
        where = f"{species}, {error}" if species else f"{path}: {_LINE.sub('', str(error))}"
        raise DatasetError(where) from None
    first = first_places(accepted)
    merged = np.array([first[name] for name in accepted])
    places = {name: place for place, name in enumerate(names)}

    def indices(values: NDArray[Any]) -> NDArray[np.int64]:
        if values.dtype.kind in "iu":
            return np.asarray(merged[values], np.int64)
        flat = [places[value] for value in values.ravel().tolist()]
        return np.asarray(merged[flat], np.int64).reshape(values.shape)

    groups = {
        column: np.array(texts) for column, texts in listed.groups.items() if column != OBSERVATION
    }
    units = numbered(listed.groups.get(OBSERVATION, ()), len(listed.truth))
    predictions = _ranked(indices(listed.truth), indices(listed.labels), listed.probabilities)
    return Judged(printable(path.name), labels, predictions, groups, units)


def _ranked(
    truth: NDArray[np.int64], labels: NDArray[np.int64], probabilities: NDArray[np.float64]
) -> Predictions:
    """The labels of each photo from the most probable on, each once."""
    many = labels.shape[1]
    probabilities = probabilities.copy()
    for later in range(1, many):
        for earlier in range(later):
            same = labels[:, later] == labels[:, earlier]
            probabilities[same, earlier] += probabilities[same, later]
            probabilities[same, later] = -1
    order = np.argsort(-probabilities, axis=1, kind="stable")
    labels = np.take_along_axis(labels, order, axis=1)
    found = labels == truth[:, np.newaxis]
    place = np.where(found.any(axis=1), found.argmax(axis=1), many)
    confidence = np.minimum(probabilities.max(axis=1), 1.0)
    return Predictions(truth, labels[:, 0], place, confidence, None, listed=many)


def _names(listed: _Listed, path: Path, species: Path | None) -> list[str]:
    """The name of each label."""
    if listed.truth.dtype.kind in "iu":
        if species is None:
            raise DatasetError(
                f"{path} gives labels as numbers: name the list of species too (--species)."
            )
        names = [line.strip() for line in read_text(species).rstrip().split("\n")]
        for values in (listed.truth[:, np.newaxis], listed.labels):
            outside = np.flatnonzero(((values < 0) | (values >= len(names))).any(axis=1))
            if len(outside):
                raise DatasetError(
                    f"{path}, photo {outside[0] + 1}: a label that {species} does not have: its "
                    f"{len(names):,} lines count from 0 to {len(names) - 1:,}."
                )
        return names
    known = np.unique(np.concatenate([listed.truth, listed.labels.ravel()])).tolist()
    return list(map(str, known))


def _families(path: Path | None) -> Mapping[str, str]:
    if path is None or path.suffix.lower() != JSON:
        return load_families(path)
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    for family, names in read_json(path).items():
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise DatasetError(f"{path} must hold a list of names for each family; see {family!r}.")
        for name in names:
            without_author = " ".join(name.split()[:2])
            try:
                votes[parse_name(without_author).genus][family] += 1
            except ValueError as error:
                raise DatasetError(f"{path}, {family}: {error}") from None
    return {**load_families(), **{genus: top.most_common(1)[0][0] for genus, top in votes.items()}}


def _read(path: Path) -> _Listed:
    if path.suffix.lower() == JSON:
        values: Mapping[str, Any] = read_json(path)
        for key in (TRUTH, LABEL, PROBABILITY):
            if key not in values:
                raise DatasetError(f"{path} has no {key!r}; it has: {in_words(list(values))}.")
        return _checked(path, values[TRUTH], values[LABEL], values[PROBABILITY], groups={})
    table = _columns(path)
    if TRUTH not in table:
        raise DatasetError(f"{path} has no column {TRUTH!r}; it has: {in_words(list(table))}.")
    names = [
        [f"{start}_{n}" for start in (LABEL, PROBABILITY)]
        for n in takewhile(
            lambda n: f"{LABEL}_{n}" in table and f"{PROBABILITY}_{n}" in table, count(1)
        )
    ]
    if not names:
        raise DatasetError(
            f"{path} has no columns {LABEL}_1 and {PROBABILITY}_1; it has: {in_words(list(table))}."
        )
    labels, shares = (
        list(zip(*(table[pair[which]] for pair in names), strict=True)) for which in (0, 1)
    )
    used = {TRUTH, *(name for pair in names for name in pair)}
    rest = {
        column: ["" if text is None else str(text) for text in texts]
        for column, texts in table.items()
        if column not in used
    }
    groups = {
        column: texts
        for column, texts in rest.items()
        if column == OBSERVATION or _makes_groups(texts)
    }
    return _checked(path, table[TRUTH], labels, shares, groups=groups)


def _makes_groups(texts: Sequence[str]) -> bool:
    """Whether a column does more than name each photo, or nearly each."""
    return len(set(texts)) <= max(MOST_OF_FEW, len(texts) / 2)


def _columns(path: Path) -> dict[str, list[Any]]:
    if path.suffix.lower() == PARQUET:
        found: dict[str, list[Any]] = from_parquet(path, "read_table").to_pydict()
        return found
    columns: dict[str, list[Any]] = defaultdict(list)

    def add(row: dict[str, str]) -> None:
        for name, text in row.items():
            columns[name].append(text.strip())

    try:
        read_table(read_text(path), str(path), (TRUTH,), add)
    except ValueError as error:
        raise DatasetError(str(error)) from None
    if not columns:
        raise DatasetError(f"{path} holds no photo.")
    return dict(columns)


def _checked(
    path: Path, truth: Any, labels: Any, probabilities: Any, groups: Mapping[str, Sequence[str]]
) -> _Listed:
    """Arrays that fit each other.

    Raises:
        DatasetError: They do not, or hold what cannot be.
    """
    try:
        right, listed = np.array(truth), np.array(labels)
        shares = np.array(probabilities, np.float64)
    except (ValueError, TypeError):
        raise DatasetError(
            _no_number(path, probabilities)
            or f"{path} cannot be used: each photo needs as many labels and probabilities as the "
            "first one, and one right label."
        ) from None
    if not len(right):
        raise DatasetError(f"{path} holds no photo.")
    if right.ndim != 1 or listed.ndim != 2 or not listed.shape == shares.shape != (len(right), 0):
        raise DatasetError(
            f"{path} cannot be used: there must be one right label for each photo, and as many "
            "probabilities as labels."
        )
    if len(listed) != len(right):
        raise DatasetError(
            f"{path} has labels for {len(listed):,} photos, and {TRUTH} for {len(right):,}; there "
            "must be one for each."
        )
    wrong = ~((shares >= 0) & (shares <= 1)).all(axis=1) | (shares.sum(axis=1) > 1 + ROUNDING)
    if wrong.any():
        raise DatasetError(
            f"{path}, photo {wrong.argmax() + 1}: probabilities must be from 0 to 1, and at most 1 "
            "together."
        )
    right, listed = _as_labels(path, right), _as_labels(path, listed)
    if (right.dtype.kind == "U") != (listed.dtype.kind == "U"):
        raise DatasetError(f"{path}: {TRUTH} and {LABEL} must both be names, or both numbers.")
    return _Listed(right, listed, shares, groups)


def _no_number(path: Path, probabilities: Any) -> str | None:
    """The first probability that cannot be read, in words."""
    for place, row in enumerate(probabilities if isinstance(probabilities, list) else []):
        for value in row if isinstance(row, (list, tuple)) else []:
            if not _is_number(value):
                return f"{path}, photo {place + 1}: the probability {value!r:.50} is no number."
    return None


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (ValueError, TypeError):
        return False
    return True


def _as_labels(path: Path, values: NDArray[Any]) -> NDArray[Any]:
    """Numbers as numbers, also where a table has them as text."""
    if values.dtype.kind == "U" and all(text.isdecimal() for text in values.ravel().tolist()):
        try:
            return values.astype(np.int64)
        except OverflowError:
            raise DatasetError(f"{path}: a label is a number far too large.") from None
    if values.dtype.kind not in "iuU":
        raise DatasetError(f"{path}: labels must be names or whole numbers.")
    return values
