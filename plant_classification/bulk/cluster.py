"""The same run on a Ray cluster: every worker has the model in memory, and writes whole parts.

Workers see photos, models and journal under the same paths as the machine that asks. One that dies
is replaced, and its part done again. Ray is the extra ``cluster``.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import logging
import os
import queue
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from plant_classification import errors
from plant_classification.bulk.journal import Journal, count_errors
from plant_classification.bulk.observations import Observation
from plant_classification.bulk.parts import Part
from plant_classification.bulk.rows import Row
from plant_classification.bulk.work import AT_ONCE, WORKER, found_by
from plant_classification.bulk.worker import Errand, Found
from plant_classification.errors import ArgumentError, PlantClassificationError, UnavailableError
from plant_classification.models import STARTER
from plant_classification.models.choosing import STARTER_FOLDER
from plant_classification.processes import Process

AUTO = "auto"
COUNTS = ("rows", "errors", "fault", "words")
"""Of a part: its rows, how many have an error; or the class and the words of what ended it."""

SPARE = 1
"""Processors that no worker takes: without one, Ray 2.60 waits for ever when a node has died."""

CONNECT_SECONDS = 10.0
TAKING = "parts of the cluster"
"""Name of the thread that waits for them; it may outlive a run that is given up."""

PATIENCE = 900.0
"""Seconds without a part, beside those that a photo may take, after which the run is given up."""


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a worker finds and leaves things.

    Attributes:
        journal: Where parts are written.
        folder: That which relative paths start from.
    """

    journal: Journal
    folder: Path


class PartWorker:
    """Answers parts with a processor of its own, in a process that a photo may end."""

    def __init__(self, errand: Errand, place: Place) -> None:
        if errand.model.name == STARTER:  # which is that of its own package
            model = dataclasses.replace(errand.model, path=STARTER_FOLDER)
            errand = dataclasses.replace(errand, model=model)
        os.chdir(place.folder)
        self._errand, self._journal = errand, place.journal

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Do parts; of each the numbers of rows and errors, or the error that ends the run.

        An error is told and not raised, since Ray would hide what it says in pages of its own.
        """
        counts = [self._done(_from_text(str(text))) for text in batch["part"]]
        return {name: np.array([count[name] for count in counts]) for name in COUNTS}

    def _done(self, part: Part) -> dict[str, Any]:
        try:
            rows = self._do(part)
        except PlantClassificationError as error:
            return dict(zip(COUNTS, (0, 0, type(error).__name__, error.message), strict=True))
        except OSError as error:
            words = f"{self._journal.folder} cannot be written: {error.strerror}."
            return dict(zip(COUNTS, (0, 0, ArgumentError.__name__, words), strict=True))
        return dict(zip(COUNTS, (len(rows), count_errors(rows), "", ""), strict=True))

    @functools.cached_property
    def _process(self) -> Process:
        return Process(WORKER, self._errand)

    def _do(self, part: Part) -> list[Row]:
        seconds = self._errand.settings.deadline_seconds
        found: list[Found] = []
        at_once = AT_ONCE
        while len(found) < len(part.observations):
            some = part.observations[len(found) : len(found) + at_once]
            start = time.monotonic()
            found += found_by(self._process, some, seconds)
            if time.monotonic() - start > seconds * len(some):
                at_once = 1  # a photo hung; where others do, each would hold up a block
        rows, lasting = zip(*found, strict=True)
        self._journal.write(part, rows, is_final=all(lasting))
        return list(rows)


def check_cluster(address: str) -> None:
    """Join a cluster, before anything is done for it.

    Raises:
        ArgumentError: Ray is missing, or there is no cluster.
    """
    if not find_spec("ray"):
        raise ArgumentError(
            "A cluster needs ray: pip install 'plant-classification[cluster]'.", field="cluster"
        )
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray = import_module("ray")
    if ray.is_initialized():
        return
    try:
        if address != AUTO:  # Ray itself would try for six minutes
            host, _, port = address.removeprefix("ray://").rpartition(":")
            socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
    except (OSError, ValueError):
        words = f"There is no Ray cluster at {address!r}: give HOST:PORT, or {AUTO}."
        raise ArgumentError(words, field="cluster") from None
    try:
        ray.init(address=address, log_to_driver=False, logging_level="error")
    except (OSError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
        why = str(error).splitlines()[0].rstrip(".")
        raise ArgumentError(
            f"The Ray cluster at {address!r} cannot be joined: {why}. "
            "If it has a token, set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN.",
            field="cluster",
        ) from None


def answered_on_cluster(
    parts: Iterable[Part], errand: Errand, journal: Journal
) -> Iterator[tuple[int, int]]:
    """Let the workers of the cluster that was joined do parts.

    Args:
        parts: What is to be done; all of them are sent.
        errand: What the workers are told.
        journal: Where they write parts.

    Yields:
        For each part, in any order, the number of its rows, and of errors among them.

    Raises:
        UnavailableError: No part was done for too long.
        PlantClassificationError: What a worker raised.
    """
    items = [{"part": _as_text(part)} for part in parts]
    if not items:
        return
    place = Place(dataclasses.replace(journal, folder=journal.folder.resolve()), Path.cwd())
    ray, data = import_module("ray"), import_module("ray.data")
    data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    workers = max(1, int(ray.cluster_resources().get("CPU", 1)) - SPARE)
    done = data.from_items(items, override_num_blocks=len(items)).map_batches(
        PartWorker,
        batch_size=1,
        compute=data.ActorPoolStrategy(min_size=1, max_size=min(workers, len(items))),
        num_cpus=1,
        fn_constructor_args=(errand, place),
    )
    hung = AT_ONCE * errand.settings.deadline_seconds  # of a block with a photo that hangs
    for row in _patiently(done.iter_rows(), PATIENCE + hung):
        if row["fault"]:
            raise getattr(errors, row["fault"])(row["words"])
        yield int(row["rows"]), int(row["errors"])


def _patiently(rows: Iterator[dict[str, Any]], seconds: float) -> Iterator[dict[str, Any]]:
    """The rows, unless none comes for too long."""
    came: queue.SimpleQueue[Any] = queue.SimpleQueue()
    end, is_left = object(), threading.Event()

    def take() -> None:
        try:
            for row in rows:
                came.put(row)
                if is_left.is_set():
                    return
            came.put(end)
        except Exception as error:  # noqa: BLE001 - raised below, in the thread that asked
            came.put(error)

    taking = threading.Thread(target=take, name=TAKING, daemon=True)
    taking.start()
    try:
        while (row := came.get(timeout=seconds)) is not end:
            if isinstance(row, Exception):
                raise row
            yield row
    except queue.Empty:
        raise UnavailableError(
            f"The cluster has finished nothing for {seconds:.0f} seconds: see that it has a free "
            "processor, then give the same command, which goes on."
        ) from None
    finally:
        is_left.set()
        taking.join(CONNECT_SECONDS)


def _as_text(part: Part) -> str:
    return json.dumps(dataclasses.asdict(part))


def _from_text(text: str) -> Part:
    values = json.loads(text)
    return Part(
        values["digest"],
        tuple(
            Observation(
                one["name"],
                tuple(one["photos"]),
                one["organs"] and tuple(one["organs"]),
                one["fault"],
            )
            for one in values["observations"]
        ),
        tuple(values["places"]),
        values["count"],
    )
