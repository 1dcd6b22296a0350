"""How well an index finds the photos that look most like another, and how long that takes.

Run it with ``python benchmarks/similar.py``. Needs the extra ``index``, and the photos of the
shared data: ``../shared``, or the folder that PLANT_SHARED names. The training photos of flora119
are indexed with the starter, those of val.txt are asked.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.figures import Figure, show
from plant_classification import Classifier
from plant_classification.data import TRAIN, VALIDATION, Records
from plant_classification.inference.batch import look
from plant_classification.inference.engine import engine_of
from plant_classification.settings import load_settings
from plant_classification.similarity import PhotoIndex, new_index
from recipes import flora119

RECALLED, SHOWN = 10, 5


def main() -> None:
    """Measure and print."""
    model, settings = Classifier.load().folder, load_settings()
    dataset = flora119.read()
    engine = engine_of(model, for_many=True)

    def features(records: Records) -> NDArray[np.float32]:
        rows = look(engine, model.preprocessing, records, settings).features
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))

    train, val = (dataset.splits[name] for name in (TRAIN, VALIDATION))
    known, asked = features(train), features(val)
    photos = [(str(place), str(label)) for place, label in enumerate(train.labels)]
    with tempfile.TemporaryDirectory() as folder:
        with new_index(Path(folder) / "index", photos, Path(), model, engine.feature_count) as add:
            for place, row in enumerate(known):
                add(place, row)
        index = PhotoIndex.open(Path(folder) / "index", model)
        found, seconds = [], []
        for row in asked:
            start = time.perf_counter()
            found.append(index.nearest(row, RECALLED))
            seconds.append(time.perf_counter() - start)
        start = time.perf_counter()
        engine.brief(np.zeros((model.preprocessing.size,) * 2 + (3,), np.uint8))
        network = time.perf_counter() - start
    exact = np.argsort(-asked @ known.T, axis=1)[:, :RECALLED]
    recall = [
        len({int(one.photo) for one in near} & set(best.tolist())) / RECALLED
        for near, best in zip(found, exact, strict=True)
    ]
    same = [
        np.mean([int(one.label) == label for one in near[:SHOWN]])
        for near, label in zip(found, val.labels, strict=True)
    ]
    query = statistics.median(seconds)
    show(
        [
            Figure(
                f"recall at {RECALLED} against exact search",
                float(np.mean(recall)),
                ">= 0.98",
                f"{len(train):,} photos known, {len(val):,} asked",
            ),
            Figure(
                "a query / the network on one photo, time",
                query / network,
                "",
                f"{1e3 * query:.2f} / {1e3 * network:.2f} ms",
            ),
            Figure(
                f"of the first {SHOWN} neighbours, of the same label",
                float(np.mean(same)),
                "",
                "photos of val.txt",
            ),
        ]
    )


if __name__ == "__main__":
    main()
