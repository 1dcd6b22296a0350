"""What a network in eight bits gains in time, and what it loses in accuracy.

Run it with ``python benchmarks/eight_bits.py`` on a machine that does nothing else. Needs the
extras ``train`` and ``quantize``, and the photos of the shared data: ``../shared``, or the folder
that PLANT_SHARED names. The starter is judged on val.txt of flora119; Xception has weights that
nobody trained, so its time alone is told.
"""

from __future__ import annotations

import dataclasses
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.batch import write_xception
from benchmarks.figures import Figure, show
from benchmarks.timing import in_turn
from plant_classification import Classifier
from plant_classification.data import Dataset
from plant_classification.evaluation import quantization
from plant_classification.evaluation.judging import judge_model
from plant_classification.inference.engine import engine_of
from plant_classification.models import ModelFolder
from plant_classification.models.folder import read_model_folder
from plant_classification.settings import Settings, load_settings
from recipes import flora119

ROUNDS, CALLS = 9, 20


def quicker(name: str, before: ModelFolder, after: ModelFolder) -> Figure:
    """The time of one photo after over before, both in the processor's best precision."""
    engines = [engine_of(model) for model in (before, after)]
    size = before.preprocessing.size
    pixels = np.random.default_rng(0).integers(0, 256, (size, size, 3), np.uint8)

    def call(place: int) -> None:
        for _ in range(CALLS):
            engines[place].brief(pixels)

    long, short = in_turn(ROUNDS, lambda: call(0), lambda: call(1))
    return Figure(
        f"{name}: int8 / {engines[0].precision}, time of the network",
        short / long,
        "",
        f"{1e3 * short / CALLS:.1f} / {1e3 * long / CALLS:.1f} ms",
    )


def by_source(before: ModelFolder, after: ModelFolder, settings: Settings) -> list[Figure]:
    """Accuracy on val.txt, by source."""
    dataset = flora119.read()
    records = dataset.splits["val"]
    sources = flora119.sources_of(records)
    rights = []
    for model in (before, after):
        judged = judge_model(model, dataset.labels, records, settings).predictions
        rights.append(judged.place == 0)
    groups = {source: sources == source for source in sorted(set(sources.tolist()))}
    groups["all"] = np.ones(len(sources), np.bool_)
    return [
        Figure(
            f"starter, {name}: int8 / before, accuracy",
            rights[1][rows].mean() / rights[0][rows].mean(),
            "",
            f"{rights[1][rows].mean():.1%} / {rights[0][rows].mean():.1%}, {rows.sum()} photos",
        )
        for name, rows in groups.items()
    ]


def quantized(model: ModelFolder, dataset: Dataset, settings: Settings) -> ModelFolder:
    """The model in eight bits, whatever that costs: here it is measured."""
    quantization.MOST_LOST = 1.0
    return quantization.quantize(model, dataset, None, settings).model


def main() -> None:
    """Measure and print."""
    dataset = flora119.read()
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(models_dir=Path(folder) / "models")
        starter = Classifier.load().folder
        small = quantized(starter, dataset, settings)
        figures = [quicker("starter", starter, small), *by_source(starter, small, settings)]
        xception = read_model_folder(write_xception(Path(folder)))
        names = dataclasses.replace(dataset, labels=xception.labels()[: len(dataset.labels)])
        figures.append(quicker("Xception", xception, quantized(xception, names, settings)))
    show(figures)


if __name__ == "__main__":
    main()
