"""How fast fast mode is: ratios, each of two things measured in one run.

Run it with ``python benchmarks/fast.py`` on a machine that does nothing else. Needs the extra
``train``, and the photos of the shared data: ``../shared``, or the folder that PLANT_SHARED names.
"""

from __future__ import annotations

import collections
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.figures import Figure, show
from plant_classification.data import TRAIN
from plant_classification.data.reading import read_dataset
from plant_classification.inference.engine import Engine
from plant_classification.models import read_model
from plant_classification.photos.ahead import in_order
from plant_classification.processes import processors
from plant_classification.training.linear_head import EPOCHS
from recipes.shared_data import shared

SPECIES, PHOTOS = 10, 30
BOUND = "<= 2"


def write_small(folder: Path) -> Path:
    """A folder for each of ten species with thirty photos."""
    dataset = read_dataset(shared("flora119"))
    of_label = defaultdict(list)
    for record in dataset.splits[TRAIN]:
        of_label[record.label].append(record.path)
    many = [label for label, paths in of_label.items() if len(paths) >= PHOTOS][:SPECIES]
    for label in many:
        place = folder / dataset.labels[label].name
        place.mkdir(parents=True)
        for path in of_label[label][:PHOTOS]:
            (place / path.name).symlink_to(path)
    return folder


def train(work: Path, data: Path, name: str, *options: str) -> float:
    """Seconds of ``plant-classification train``, from its start to its end."""
    environment = os.environ | {"PLANT_CLASSIFICATION_TRAININGS_DIR": str(work / "trainings")}
    command = [sys.executable, "-m", "plant_classification.cli", "train", str(data)]
    command += ["--models-dir", str(work / "models"), "--name", name, *options]
    start = time.perf_counter()
    subprocess.run(command, env=environment, check=True, capture_output=True)
    return time.perf_counter() - start


def bare(model: Path, features: int) -> float:
    """Seconds of the engine for so many features, the network loaded and the pixels there."""
    folder = read_model(model)
    engine = Engine(folder.path / "network.xml", folder.preprocessing, for_many=True)
    size = folder.preprocessing.size
    pixels = np.random.default_rng(0).integers(0, 256, (size, size, 3), np.uint8)

    def run(photos: int) -> float:
        start = time.perf_counter()
        collections.deque(in_order(lambda _: engine.brief(pixels), range(photos), threads, 64), 0)
        return time.perf_counter() - start

    threads = processors() + 1
    run(8)
    return run(features)


def against_the_engine(work: Path, data: Path, name: str, *options: str) -> tuple[Figure, float]:
    """A whole training in fast mode over the bare engine, and the seconds of the training."""
    whole = train(work, data, name, "--mode", "fast", *options)
    training = read_model(work / "models" / name).training
    features = training["photos"] * training["views"]
    engine = bare(work / "models" / name, features)
    what = f"{name}: fast mode / bare engine, {features:,} features"
    return Figure(what, whole / engine, BOUND, f"{whole:.1f} / {engine:.1f} s"), whole


def against_tensorflow(work: Path, data: Path, fast: float) -> Figure:
    """Training the head alone in TensorFlow, which sees each photo as often as fast mode's fit."""
    views = read_model(work / "models/ten species").training["views"]
    epochs = EPOCHS * views
    options = ("init=starter", "backbone_lr=0", "frozen_batchnorm=true", "use_validation=false")
    words = [word for option in (*options, f"epochs={epochs}") for word in ("--set", option)]
    slow = train(work, data, "head", *words)
    name = f"head alone in TensorFlow, {epochs} epochs / fast mode"
    return Figure(name, slow / fast, ">= 10", f"{slow:.0f} / {fast:.1f} s")


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        small = write_small(work / "small")
        train(work, small, "first", "--mode", "fast", "--init", "imagenet")  # converts it, once
        flora, _ = against_the_engine(work, shared("flora119"), "flora119", "--init", "imagenet")
        few, fast = against_the_engine(work, small, "ten species", "--init", "starter")
        show([flora, few, against_tensorflow(work, small, fast)])


if __name__ == "__main__":
    main()
