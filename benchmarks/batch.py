"""How many photos a second a run over many photos takes, and whether its memory stays.

Run it with ``python benchmarks/batch.py`` on a machine that does nothing else; ten minutes. Needs
the extra ``train``, for the network Xception, and the photos of the shared data: ``../shared``, or
the folder that PLANT_SHARED names. Decoding and the network share the processors, so no run can
take less time than both take one after the other: that is the ceiling. A run starts a process for
each processor; so the seconds of a very small run are taken from those of each, and printed.
"""

from __future__ import annotations

import collections
import dataclasses
import multiprocessing
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.figures import Figure, show
from benchmarks.memory import peak_memory
from plant_classification import Classifier, photos
from plant_classification.bulk.observations import Grouping
from plant_classification.bulk.run import Job, run
from plant_classification.bulk.work import AT_ONCE
from plant_classification.inference.engine import Engine
from plant_classification.models import read_model_folder, write_model_folder
from plant_classification.models.choosing import STARTER_FOLDER
from plant_classification.models.folder import NETWORK, NETWORK_WEIGHTS
from plant_classification.photos.ahead import in_order
from plant_classification.photos.preprocessing import Preprocessing
from plant_classification.processes import processors
from plant_classification.question import Question
from plant_classification.settings import load_settings
from plant_classification.taxonomy import label_of
from recipes.shared_data import shared

WIDTH, HEIGHT, QUALITY = 500, 600, 90
LABELS, SIZE = 6182, 224
TIMES = 10
ROUNDS = 3
AHEAD = 24


@dataclasses.dataclass(frozen=True)
class Measured:
    """What a process has measured.

    Attributes:
        rate: Photos a second of a run, from the folder to the table, after its start.
        ceiling: The same of the bare network and the bare decoding, one after the other.
        peak: Bytes that it and its processes had at most.
        remark: Rates of the network and of decoding, and what the start takes.
    """

    rate: float
    ceiling: float
    peak: int
    remark: str


def write_photos(folder: Path, count: int) -> None:
    """Photos of plants, all of one size; more than there are stand there again."""
    folder.mkdir()
    found = sorted(shared("flora119/photos").rglob("*.jpg"))
    order = np.random.default_rng(0).permutation(len(found))[:500]
    for place, index in enumerate(order):
        with Image.open(found[index]) as image:
            changed = image.convert("RGB").resize((WIDTH, HEIGHT))
        changed.save(folder / f"{place:06}.jpg", quality=QUALITY)
    for place in range(len(order), count):
        content = (folder / f"{place % len(order):06}.jpg").read_bytes()
        (folder / f"{place:06}.jpg").write_bytes(content)


def write_xception(folder: Path) -> Path:
    """A model folder of the old service's size, with weights that nobody trained."""
    from plant_classification.networks import build
    from plant_classification.networks.export import convert
    from plant_classification.openvino import save_network

    path = folder / "xception.xml"
    save_network(convert(build("xception", LABELS, SIZE)), path, half=True)
    return write_model_folder(
        folder / "models" / "xception",
        architecture="xception",
        preprocessing=Preprocessing(SIZE),
        labels=[label_of(f"Genus{place // 4} species{place}") for place in range(LABELS)],
        training={},
        metrics={},
        files={NETWORK: path, NETWORK_WEIGHTS: path.with_suffix(".bin")},
    ).path


def bare(classifier: Classifier, paths: list[Path]) -> Callable[[], tuple[float, float]]:
    """What measures the network alone and decoding alone, in photos a second."""
    rule, settings = classifier.folder.preprocessing, load_settings()
    engine = Engine(classifier.folder.file(NETWORK), rule, classifier.precision, for_many=True)

    def decoded(path: Path) -> Any:
        return rule.apply(photos.read(path, settings, shorter_side=rule.shorter_side()).pixels)[0]

    def rate(make: Callable[[Any], Any], things: list[Any]) -> float:
        start = time.perf_counter()
        collections.deque(in_order(make, things, processors() + 1, AHEAD), 0)
        return len(things) / (time.perf_counter() - start)

    pixels = [decoded(path) for path in paths[:64]]
    shown = (pixels * len(paths))[: min(len(paths), 500)]
    return lambda: (rate(engine.brief, shown), rate(decoded, paths[:500]))


def measure(folder: Path, photos_folder: Path, work: Path, rounds: int) -> Measured:
    """Run over a folder, and take network and decoding alone; in a process of its own."""
    settings = load_settings()
    model = read_model_folder(folder)
    paths = sorted(photos_folder.iterdir())

    def seconds_of(number: int, places: list[Path]) -> float:
        out = work / f"{model.name}-{photos_folder.name}-{number}-{len(places)}.csv"
        job = Job((*map(str, places),), Grouping(), Question(), out)
        start = time.perf_counter()
        done = run(job, model, settings)
        if not done.rows or done.errors:
            raise RuntimeError(f"{done} of {places[0]}")
        return time.perf_counter() - start

    few = paths[: AT_ONCE * processors()]
    begun = [seconds_of(number, few) for number in range(ROUNDS)]

    def run_once(number: int) -> float:
        seconds = seconds_of(number, [photos_folder])
        return (len(paths) - len(few)) / (seconds - statistics.median(begun))

    rates = [run_once(number) for number in range(rounds)]
    worker = 1024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    peak = peak_memory() + processors() * worker
    measure_alone = bare(Classifier.load(folder, settings=settings, for_many=True), paths)
    alone = []
    for number in range(rounds, rounds + ROUNDS):
        alone.append(measure_alone())
        if rounds > 1:
            rates.append(run_once(number))
    network, decoding = (statistics.median(column) for column in zip(*alone, strict=True))
    return Measured(
        statistics.median(rates),
        1 / (1 / network + 1 / decoding),
        peak,
        f"network {network:.0f}, decoding {decoding:.0f}; the start takes "
        f"{statistics.median(begun):.1f} s",
    )


def figures_of(name: str, model: Path, work: Path, count: int) -> list[Figure]:
    """Of some photos, and of ten times as many."""
    found = []
    for photos_there, rounds in ((count, ROUNDS), (TIMES * count, 1)):
        folder = work / f"photos{photos_there}"
        if not folder.exists():
            write_photos(folder, photos_there)
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
            found.append(process.submit(measure, model, folder, work, rounds).result())
    few, many = found
    return [
        Figure(
            f"{name}: a run / network and decoding one after the other, photos a second",
            few.rate / few.ceiling,
            ">= 0.9",
            f"{few.rate:.0f} / {few.ceiling:.0f}; {few.remark}",
        ),
        Figure(
            f"{name}: the same of {TIMES} times as many photos",
            many.rate / many.ceiling,
            ">= 0.9",
            f"{many.rate:.0f} / {many.ceiling:.0f}; {TIMES * count:,} photos",
        ),
        Figure(
            f"{name}: photos a second, {TIMES} times as many photos / {count:,}",
            many.rate / few.rate,
            ">= 0.95",
            f"{many.rate:.0f} / {few.rate:.0f}",
        ),
        Figure(
            f"{name}: peak memory, {TIMES} times as many photos / {count:,}",
            many.peak / few.peak,
            "<= 1.05",
            f"{many.peak / 2**20:.0f} / {few.peak / 2**20:.0f} MiB",
        ),
    ]


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        show(
            [
                *figures_of("starter", STARTER_FOLDER, work, 1000),
                *figures_of("Xception, 224 px, 6,182 labels", write_xception(work), work, 300),
            ]
        )


if __name__ == "__main__":
    main()
