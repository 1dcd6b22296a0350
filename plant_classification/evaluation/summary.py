"""All figures of judged photos with their intervals, as JSON takes them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plant_classification.errors import ArgumentError
from plant_classification.evaluation import weighted
from plant_classification.evaluation.bootstrap import intervals
from plant_classification.evaluation.comparison import Comparison, compare
from plant_classification.evaluation.judged import Judged, Safe, Sets, taken
from plant_classification.evaluation.metrics import figures_of, of_known_rank, weighted_figures
from plant_classification.evaluation.wilson import share_interval
from plant_classification.taxonomy.synonyms import accepted_names

SHARES = ("top_1", "top_5", "average_5", "genus_top_1", "family_top_1")
"""Figures that are a share of the photos."""

MOST_GROUPS = 50
"""Groups of a column that are told, those with most photos."""


def summary(judged: Judged) -> dict[str, Any]:
    """What is to be said.

    Returns:
        ``name``, ``labels`` (their number), ``notes``; the fields of ``Figures``; ``intervals``, of
        each figure ``[low, high]`` or None; ``plausible``: by coverage that of the sets and their
        mean size, or None; ``safe``: by confidence the share of photos that get a safe answer, and
        of these the share that is right, or None; and ``groups``: by column and group the same
        figures; ``compared`` is None.
    """
    return {
        "name": judged.name,
        "labels": len(judged.labels),
        **figures_and_intervals(judged),
        "plausible": {
            f"{coverage:g}": _of_sets(sets, judged) for coverage, sets in judged.sets.items()
        }
        or None,
        "safe": {
            f"{confidence:g}": _of_safe(safe, judged) for confidence, safe in judged.safe.items()
        }
        or None,
        "groups": {
            column: {
                str(group): figures_and_intervals(_part(judged, column, group))
                for group in _largest(values)
            }
            for column, values in judged.groups.items()
        },
        "notes": list(judged.notes),
        "compared": None,
    }


def figures_and_intervals(judged: Judged) -> dict[str, Any]:
    """The fields of ``Figures``, and ``intervals``."""
    figures = dataclasses.asdict(figures_of(judged.predictions, judged.labels))
    found = intervals(weighted_figures(judged.predictions, judged.labels), judged.units)
    some = of_known_rank(judged.predictions, judged.labels)
    ends = dict(found)
    for name in SHARES:
        if figures[name] is not None:
            draws = _draws(judged.units[some[name]] if name in some else judged.units)
            ends[name] = _with_wilsons(found[name], figures[name], draws)
    return {
        **figures,
        "intervals": {name: _listed(ends.get(name)) for name in figures if name != "photos"},
    }


def _with_wilsons(ends: tuple[float, float], share: float, draws: int) -> tuple[float, float]:
    """The interval of a share, as wide as Wilson's of so many draws at least.

    Drawing anew from what is all right, or nearly, would say that chance moves it by nothing.
    """
    low, high = share_interval(share * draws, draws)
    return min(ends[0], float(low)), max(ends[1], float(high))


def _listed(ends: tuple[float, float] | None) -> list[float] | None:
    return list(ends) if ends and math.isfinite(ends[0]) else None


def _of_sets(sets: Sets, judged: Judged) -> dict[str, Any]:
    figures = {"coverage": weighted.mean(sets.holds), "size": weighted.mean(sets.sizes)}
    found = intervals(figures, judged.units)
    coverage = float(sets.holds.mean())
    return {
        "coverage": coverage,
        "size": float(sets.sizes.mean()),
        "intervals": {
            "coverage": _listed(_with_wilsons(found["coverage"], coverage, _draws(judged.units))),
            "size": _listed(found["size"]),
        },
    }


def _of_safe(safe: Safe, judged: Judged) -> dict[str, Any]:
    found = {"given": weighted.mean(safe.given), "right": weighted.mean(safe.right, safe.given)}
    ends = intervals(found, judged.units)
    given, right = float(safe.given.mean()), None
    of_given = None
    if safe.given.any():
        right = float(safe.right[safe.given].mean())
        of_given = _with_wilsons(ends["right"], right, _draws(judged.units[safe.given]))
    return {
        "given": given,
        "right": right,
        "intervals": {
            "given": _listed(_with_wilsons(ends["given"], given, _draws(judged.units))),
            "right": _listed(of_given),
        },
    }


def _draws(units: NDArray[np.integer]) -> int:
    return len(np.unique(units))


def compared(judged: Judged, other: Judged, synonyms: Mapping[str, str]) -> Comparison:
    """Two models on the same photos.

    Args:
        judged: What one said.
        other: What the other said.
        synonyms: The accepted name of each synonym, where the models name a species differently.

    Raises:
        ArgumentError: They are not the same photos.
    """
    are_known = judged.paths and other.paths
    same = len(judged.predictions) == len(other.predictions) and (
        not are_known or list(judged.paths) == list(other.paths)
    )
    if not same or _true_names(judged, synonyms) != _true_names(other, synonyms):
        raise ArgumentError(
            f"{judged.name} and {other.name} cannot be compared: they were not judged on the same "
            "photos. A model that lacks some of the names judges fewer.",
            field="against",
        )
    return compare(judged.predictions.right, other.predictions.right, judged.units)


def _true_names(judged: Judged, synonyms: Mapping[str, str]) -> list[str]:
    names = accepted_names((label.name for label in judged.labels), synonyms)
    return [names[index] for index in judged.predictions.truth.tolist()]


def _part(judged: Judged, column: str, group: str) -> Judged:
    """The photos of a group."""
    rows = judged.groups[column] == group
    units = np.unique(judged.units[rows], return_inverse=True)[1]
    return dataclasses.replace(
        judged, predictions=taken(judged.predictions, rows), units=units.astype(np.int64)
    )


def _largest(values: np.ndarray) -> list[str]:
    names, counts = np.unique(values[values != ""], return_counts=True)
    largest = np.sort(np.argsort(-counts, kind="stable")[:MOST_GROUPS])
    return [str(name) for name in names[largest]]
