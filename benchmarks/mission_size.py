"""What training takes at the mission's own size: 6,182 labels, 250,000 photos, Xception at 224 px.

Run it with ``python benchmarks/mission_size.py WORK``, with 10 GB of room in WORK, where it leaves
its data set and the model; half an hour on two cores. The names and the photos at hand are those of
the shared data: ``../shared``, or the folder that PLANT_SHARED names. Each photo is altered by a
seed until there are enough, so the model learns nothing: what is measured is time and memory.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from plant_classification.data.augmentation import Augmentation
from plant_classification.data.transforms import augmented
from plant_classification.processes import processors
from plant_classification.training.config import load_training_config
from recipes.shared_data import shared

NAMES = "heredia2017/classes.txt"
SIDE, QUALITY = 256, 88
ALTERED = Augmentation(h_flip=0.5, rot=0.5, rot_lim=30, crop=1.0, zoom=0.4, pixel_sat=0.8)
STEPS, BATCH, JUDGED = 50, 16, 5_000
WARM_UP = 5
"""Steps that are not timed: the first makes the graph."""

TRAIN = (
    *("train", "--init", "none", "--set", "modelname=xception", "--set", "image_size=224"),
    *("--set", f"batch_size={BATCH}"),
)

FEATURES = """
import json, sys, time
from pathlib import Path
from plant_classification.data.reading import read_dataset
from plant_classification.inference.engine import Engine
from plant_classification.models import read_model
from plant_classification.settings import load_settings
from plant_classification.training.config import load_training_config
from plant_classification.training.fast import views_for
from plant_classification.training.features import features_of
model, records = read_model(Path(sys.argv[1])), read_dataset(Path(sys.argv[2])).splits["val"]
config, _ = load_training_config()
engine = Engine(model.file("network.xml"), model.preprocessing, for_many=True)
start = time.perf_counter()
views = views_for(int(sys.argv[3]))
features_of(engine, model.preprocessing, records, views, config.train_mode, 0, load_settings(),
            lambda _done, _total: None)
print(json.dumps({"seconds": time.perf_counter() - start, "views": views}))
"""


@dataclasses.dataclass(frozen=True)
class Ran:
    """A command that has ended.

    Attributes:
        seconds: It took.
        memory: Bytes that it had at most.
        stages: Seconds of each stage of a training.
        output: What it printed.
    """

    seconds: float
    memory: int
    stages: dict[str, float]
    output: str


def main() -> None:
    """Make the data set if it is not there, and take each step."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--photos", type=int, default=250_000)
    arguments = parser.parse_args()
    work, photos = arguments.work.resolve(), arguments.photos
    whole, part = work / "whole", work / "part"
    if not whole.exists():
        draw(whole, photos)
    write_part(whole, part)
    for left in ("models", "trainings"):
        shutil.rmtree(work / left, ignore_errors=True)
    print(f"{photos:,} photos, {len(names()):,} labels, {processors()} processors")

    tell("dataset show", run(work, "dataset", "show", whole))
    rate = first_steps(work, whole)
    small = run(
        work, *TRAIN, "--set", "epochs=1", "--set", "use_validation=false", "--name", "small", part
    )
    tell(f"a training of {STEPS} steps, whole", small)
    for stage, seconds in small.stages.items():
        print(f"  {stage:<12} {seconds:6.0f} s")
    model = work / "models/small"
    report = (model / "report.html").stat().st_size / 1e6
    size = sum(file.stat().st_size for file in model.iterdir()) / 1e6
    print(f"report {report:.1f} MB, model folder {size:.0f} MB")
    photo = next((part / "photos/0").iterdir())
    named = run(work, "identify", "--model", "small", "--models-dir", work / "models", photo)
    tell("identify", named)
    features = json.loads(run_python(work, FEATURES, model, part, photos).output)
    views = JUDGED * features["views"] / features["seconds"]
    print(f"features of {JUDGED:,} photos: {features['seconds']:.0f} s, {views:.0f} views a second")

    config, _ = load_training_config()
    hours = config.epochs * photos / rate / 3600
    print(
        f"\n{config.epochs} epochs of {photos:,} photos at {rate:.1f} a second: {hours:,.0f} hours"
    )


def names() -> list[str]:
    """The labels that Heredia (2017) trained with."""
    return shared(NAMES).read_text("utf-8").splitlines()


def draw(folder: Path, count: int) -> None:
    """Write a data set of split files: a long tail, and at least one photo of each label."""
    photos = sorted(shared("flora119/photos").rglob("*.jpg"))
    each = -(-count // len(photos))
    folder.mkdir(parents=True)
    shutil.copy(shared(NAMES), folder / "classes.txt")
    with ProcessPoolExecutor() as processes:
        jobs = ((photo, folder / f"photos/{place}", each) for place, photo in enumerate(photos))
        list(processes.map(alter, *zip(*jobs, strict=True), chunksize=16))
    random = np.random.default_rng(0)
    share = 1 / np.arange(20, 20 + len(names()))
    labels = random.choice(len(names()), count, p=share / share.sum())
    labels[: len(names())] = np.arange(len(names()))
    places = random.permutation(each * len(photos))[:count]
    lines = [
        f"photos/{place // each}/{place % each}.jpg {label}\n"
        for place, label in zip(places.tolist(), labels.tolist(), strict=True)
    ]
    held = len(lines) // 10
    (folder / "val.txt").write_text("".join(lines[-held:]))
    (folder / "train.txt").write_text("".join(lines[:-held]))


def alter(photo: Path, folder: Path, count: int) -> None:
    """Write so many altered copies of a photo."""
    folder.mkdir(parents=True)
    with Image.open(photo) as image:
        pixels = np.asarray(image.convert("RGB"))
    for number in range(count):
        random = np.random.default_rng((int(folder.name), number))
        changed = Image.fromarray(augmented(pixels, SIDE, ALTERED, random))
        changed.save(folder / f"{number}.jpg", quality=QUALITY)


def write_part(whole: Path, part: Path) -> None:
    """Split files of the first photos: as many as the steps train on, and as many as are judged."""
    part.mkdir(exist_ok=True)
    shutil.copy(whole / "classes.txt", part)
    if not (part / "photos").exists():
        (part / "photos").symlink_to(whole / "photos")
    for name, count in (("train", STEPS * BATCH), ("val", JUDGED)):
        lines = (whole / f"{name}.txt").read_text().splitlines(keepends=True)
        (part / f"{name}.txt").write_text("".join(lines[:count]))


def first_steps(work: Path, whole: Path) -> float:
    """Begin the training of all photos, and stop it; gives photos a second."""
    times: dict[int, float] = {}

    def watch(progress: dict[str, Any], process: subprocess.Popen[str]) -> None:
        if progress["stage"] == "training" and progress["done"]:
            times.setdefault(progress["done"], time.perf_counter())
            if progress["done"] >= STEPS:
                process.send_signal(signal.SIGTERM)

    begun = run(work, *TRAIN, "--name", "large", whole, watch=watch)
    steps = sorted(step for step in times if step >= WARM_UP)
    rate = BATCH * (steps[-1] - steps[0]) / (times[steps[-1]] - times[steps[0]])
    tell(f"the first {steps[-1]} steps, and a checkpoint", begun)
    print(f"  {begun.stages['reading']:.0f} s of that reading; {rate:.2f} photos a second")
    return rate


def run(
    work: Path,
    *words: str | Path,
    watch: Callable[[dict[str, Any], subprocess.Popen[str]], None] = lambda _progress, _process: (
        None
    ),
) -> Ran:
    """Run a command of ``plant-classification``; ``watch`` is told how far a training is."""
    return _run(work, [sys.executable, "-m", "plant_classification.cli", *map(str, words)], watch)


def run_python(work: Path, code: str, *words: Path | int) -> Ran:
    """Run a program of Python's."""
    return _run(
        work, [sys.executable, "-c", code, *map(str, words)], lambda _progress, _process: None
    )


def _run(
    work: Path,
    command: list[str],
    watch: Callable[[dict[str, Any], subprocess.Popen[str]], None],
) -> Ran:
    environment = os.environ | {
        "PLANT_CLASSIFICATION_MODELS_DIR": str(work / "models"),
        "PLANT_CLASSIFICATION_TRAININGS_DIR": str(work / "trainings"),
    }
    stages: dict[str, float] = {}
    with (work / "output.txt").open("w+") as output:
        start = before = time.perf_counter()
        process = subprocess.Popen(command, env=environment, stdout=output, text=True)
        while True:
            pid, _, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            time.sleep(0.05)
            now = time.perf_counter()
            for file in (work / "trainings").glob("*/progress.json"):
                progress = json.loads(file.read_text())
                if progress["pid"] == process.pid:
                    stages[progress["stage"]] = stages.get(progress["stage"], 0.0) + now - before
                    watch(progress, process)
            before = now
        output.seek(0)
        return Ran(time.perf_counter() - start, usage.ru_maxrss * 1024, stages, output.read())


def tell(name: str, ran: Ran) -> None:
    """Print what a command took."""
    print(f"{name:<44} {ran.seconds:6.0f} s  {ran.memory / 2**30:5.2f} GiB", flush=True)


if __name__ == "__main__":
    main()
