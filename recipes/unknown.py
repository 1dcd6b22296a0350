"""The starter's networks without some of its labels: for what is said of plants not learned."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from pathlib import Path

import numpy as np

from plant_classification.data import TRAIN
from plant_classification.taxonomy import ranks_of
from plant_classification.trust import fit_temperature
from plant_classification.trust.safe_answer import RankTops, tops_of_unknown
from recipes import flora119
from recipes.pair import FOR_CHOICE, SHARE, SIZE, Pair, saved, seen, serving_rule, trained

JUDGED = (
    # One of each genus that has two or more.
    "Anemone hupehensis",
    "Dianthus barbatus",
    "Iris domestica",
    "Oenothera speciosa",
    "Primula x polyantha",
    "Tulipa gesneriana",
    # Of families that keep another.
    "Celosia argentea",
    "Curcuma alismatifolia",
    "Datura sp.",
    "Digitalis purpurea",
    "Gerbera jamesonii",
    "Gladiolus sp.",
    "Helleborus sp.",
    "Paphiopedilum sp.",
    "Triticum aestivum",
)
"""Labels that benchmarks/trust.py judges by; nothing is fitted on them."""


def networks(work: Path) -> Pair:
    """Those to be judged, trained or read; a fifth of the photos is held back."""
    return trained(work / "unknown", FOR_CHOICE, None, JUDGED)


def imitated(work: Path, crop_fraction: float, without: Collection[str] = ()) -> RankTops:
    """What networks that were not shown every fifth label say of photos of these.

    Args:
        work: Where they are, or are trained.
        crop_fraction: Of the crop in serving.
        without: Names of labels whose photos are left out here.
    """
    dataset = flora119.read()
    left_out = {label.name for label in dataset.labels[2::5]}
    folder = work / "imitation"
    pair = trained(folder, FOR_CHOICE, None, left_out)
    rule = dataclasses.replace(serving_rule(pair), crop_fraction=crop_fraction)
    network = saved(pair, SHARE, SIZE, folder)
    temperature = fit_temperature(seen(network, rule, pair.held).logits, pair.held.labels)
    is_shown = np.array([label.name in left_out - set(without) for label in dataset.labels])
    records = dataset.splits[TRAIN]
    photos = records.take(np.flatnonzero(is_shown[records.labels]))
    labels = [dataset.labels[index] for index in photos.labels]
    return tops_of_unknown(
        seen(network, rule, photos).logits,
        temperature,
        [(label.species, label.genus, label.family) for label in labels],
        ranks_of(pair.probe.labels()),
    )
