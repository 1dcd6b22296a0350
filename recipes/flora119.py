"""Reading flora119, the photos of the starter model, from the shared data."""

from __future__ import annotations

import csv
import dataclasses
import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from plant_classification import photos
from plant_classification.settings import load_settings
from plant_classification.taxonomy import Label
from plant_classification.taxonomy.labels import label_of


@dataclasses.dataclass(frozen=True)
class Example:
    """A photo's file, the index of its label, and the source that it comes from."""

    path: Path
    label: int
    source: str


def folder() -> Path:
    """Where flora119 is: under PLANT_SHARED, or beside the checkout."""
    shared = os.environ.get("PLANT_SHARED", Path(__file__).resolve().parents[2] / "shared")
    path = Path(shared) / "data" / "flora119"
    if not path.is_dir():
        raise SystemExit(f"{path} is missing: set PLANT_SHARED to the folder of shared data.")
    return path


def read_split(name: str) -> list[Example]:
    """The photos of ``"train"`` or ``"val"``, in the order of the file."""
    root = folder()
    examples = []
    for line in (root / f"{name}.txt").read_text("utf-8").splitlines():
        path, label = line.split("\t")
        examples.append(Example(root / path, int(label), Path(path).parts[1]))
    return examples


def read_labels() -> list[Label]:
    """The labels, in the order of the network's outputs, with English common names."""
    with (folder() / "labels.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names = (folder() / "classes.txt").read_text("utf-8").splitlines()
    if [row["species"] for row in rows] != names:
        raise SystemExit("classes.txt and labels.csv of flora119 differ.")
    return [
        dataclasses.replace(
            label_of(row["species"], row["family"]),
            genus=row["genus"],
            common_names=(("en", (row["common"],)),) if row["common"] else (),
        )
        for row in rows
    ]


def hold_out(
    examples: Sequence[Example], parts: int, seed: int
) -> tuple[list[Example], list[Example]]:
    """Part the examples in two, one of ``parts`` equal parts held out, for each label and source.

    Returns:
        Those to train on and those held out.
    """
    groups = defaultdict(list)
    for example in examples:
        groups[example.source, example.label].append(example)
    random = np.random.default_rng(seed)
    kept: list[Example] = []
    held: list[Example] = []
    for group in groups.values():
        order = random.permutation(len(group))
        first = int(random.integers(parts))
        for place, index in enumerate(order):
            (held if (place + first) % parts == 0 else kept).append(group[index])
    return kept, held


def read_pixels(examples: Sequence[Example]) -> list[NDArray[np.uint8]]:
    """The photos, each ``uint8 (H, W, 3)``, read as the service reads them."""
    settings = load_settings()
    return [photos.read(example.path, settings).pixels for example in examples]
