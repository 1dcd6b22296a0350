"""The row of an observation: what its answer comes to."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, TypeAlias

from plant_classification.bulk.observations import Observation
from plant_classification.files import printable
from plant_classification.inference.answer import Answer
from plant_classification.taxonomy import Label

Row: TypeAlias = "dict[str, Any]"
"""By column, as JSON takes it; what is unknown is None or empty."""

Texts, Numbers = list[str], list[float]
LISTS: Mapping[type, type] = {Texts: str, Numbers: float}

COLUMNS: Mapping[str, type] = {
    "observation": str,
    "photos": Texts,
    "sha256": Texts,
    "name": str,
    "rank": str,
    "probability": float,
    "confidence": float,
    "promised": bool,
    "genus": str,
    "family": str,
    "labels": Texts,
    "probabilities": Numbers,
    "plausible": Texts,
    "coverage": float,
    "is_plant": float,
    "rejected": bool,
    "warnings": Texts,
    "model": str,
    "version": str,
    "date": str,
    "error": str,
}
"""``name`` to ``family`` are those of the safe answer; ``promised`` is whether the share
``confidence`` of such answers is right, ``date`` the day of the answer, ``YYYY-MM-DD``."""

Lineage: TypeAlias = "Mapping[tuple[str, str], tuple[str | None, str | None]]"
"""Of a rank and a taxon, its genus and its family."""


def lineage_of(labels: Sequence[Label]) -> Lineage:
    """Where each taxon of some labels stands."""
    found: dict[tuple[str, str], tuple[str | None, str | None]] = {}
    for label in labels:
        if label.species:
            found["species", label.species] = label.genus, label.family
        found["genus", label.genus] = label.genus, label.family
        if label.family:
            found["family", label.family] = None, label.family
    return found


def row_of(observation: Observation, answer: Answer, lineage: Lineage) -> Row:
    """The row of an answer."""
    safe, plausible = answer.safe_answer, answer.plausible
    genus, family = lineage.get((safe.rank or "", safe.name or ""), (None, None))
    return {
        **_of_photos(observation),
        "sha256": [photo.sha256 for photo in answer.photos],
        **dataclasses.asdict(safe),
        "genus": genus,
        "family": family,
        "labels": [candidate.label.name for candidate in answer.candidates],
        "probabilities": [candidate.probability for candidate in answer.candidates],
        "plausible": [label.name for label in plausible.labels] if plausible else [],
        "coverage": plausible and plausible.coverage,
        "is_plant": answer.is_plant and answer.is_plant.probability,
        "rejected": answer.rejected,
        "warnings": [printable(warning) for warning in answer.warnings],
        "model": answer.model.name,
        "version": answer.model.version,
        "date": _today(),
        "error": None,
    }


def row_of_error(observation: Observation, words: str) -> Row:
    """The row of photos that could not be answered."""
    empty: Row = {column: [] if kind in LISTS else None for column, kind in COLUMNS.items()}
    return {**empty, **_of_photos(observation), "date": _today(), "error": printable(words)}


def _of_photos(observation: Observation) -> Row:
    return {
        "observation": printable(observation.name),
        "photos": [printable(photo) for photo in observation.photos],
    }


def _today() -> str:
    return datetime.now(timezone.utc).date().isoformat()
