"""What a Ray cluster costs beside the work itself: a run on one of its workers, and one without it.

Run it with ``python benchmarks/cluster.py`` on Linux, on a machine that does nothing else; some
minutes. Needs the extra ``cluster`` and the photos of the shared data: ``../shared``, or the folder
that PLANT_SHARED names. All of it has one processor, so that what Ray does beside the work counts.
Times are from the first part on: what comes before it (Ray, the model) is paid once, and printed.
"""

from __future__ import annotations

import dataclasses
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import ray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.batch import write_photos
from benchmarks.figures import Figure, show
from plant_classification.bulk.observations import Grouping
from plant_classification.bulk.run import Job, run
from plant_classification.models import read_model_folder
from plant_classification.models.choosing import STARTER_FOLDER
from plant_classification.question import Question
from plant_classification.settings import load_settings

COUNT = 4_000
ROUNDS = 3
PROCESSORS = 2
"""Of the cluster: one for the worker, and one that stays free."""


def timed(job: Job) -> tuple[float, float]:
    """Seconds until the first part is done, and seconds for each photo after it."""
    came: list[tuple[float, int]] = []
    start = time.perf_counter()
    run(
        job,
        read_model_folder(STARTER_FOLDER),
        load_settings(threads=1),
        tell=lambda done: came.append((time.perf_counter(), done.rows)),
    )
    (first, rows_then), (last, rows) = came[0], came[-1]
    return first - start, (last - first) / (rows - rows_then)


def main() -> None:
    """Measure and print."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    ray.init(num_cpus=PROCESSORS, include_dashboard=False, log_to_driver=False)
    with tempfile.TemporaryDirectory() as folder:
        photos = Path(folder) / "photos"
        write_photos(photos, COUNT)
        job = Job((str(photos),), Grouping(), Question(), Path(folder))
        here: list[tuple[float, float]] = []
        there: list[tuple[float, float]] = []
        for number in range(ROUNDS):
            for cluster, found in ((None, here), ("auto", there)):
                out = Path(folder) / f"{cluster}{number}.csv"
                found.append(timed(dataclasses.replace(job, out=out, cluster=cluster)))
    (first_here, each_here), (first_there, each_there) = (
        [statistics.median(column) for column in zip(*found, strict=True)]
        for found in (here, there)
    )
    show(
        [
            Figure(
                "a photo on a worker of a cluster / without a cluster, time",
                each_there / each_here,
                "<= 1.1",
                f"{1e3 * each_there:.2f} / {1e3 * each_here:.2f} ms, starter, {COUNT:,} photos; "
                f"the first part after {first_there:.1f} / {first_here:.1f} s",
            )
        ]
    )


if __name__ == "__main__":
    main()
