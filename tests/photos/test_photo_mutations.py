"""Two thousand damaged photos: each is read or refused, and nothing is left in memory."""

from __future__ import annotations

import faulthandler
import gc
import multiprocessing
import warnings
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from mutations import mutated_photos

from plant_classification import photos
from plant_classification.errors import PhotoError
from plant_classification.settings import Settings

COUNT = 2000
MOST_GROWTH = 80_000_000
"""Bytes that the second thousand may add to the first."""

LONGEST_SECONDS = 120
"""After so long in one photo the process is ended, with a traceback that shows where it hung."""


def resident_bytes() -> int:
    gc.collect()
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024


def read_all(flower: Path, settings: Settings) -> tuple[Counter[int], list[int], list[str]]:
    """Statuses, resident memory after each half, and sentences that do not name their photo."""
    outcomes: Counter[int] = Counter()
    resident: list[int] = []
    unnamed: list[str] = []
    warnings.simplefilter("ignore")
    for number, (done, content) in enumerate(mutated_photos(COUNT, 7, flower)):
        faulthandler.dump_traceback_later(LONGEST_SECONDS, exit=True)
        try:
            photo = photos.read(content, settings, name=done, shorter_side=64)
        except PhotoError as error:
            outcomes[error.status] += 1
            unnamed += [error.message] if done not in error.message else []
        else:
            outcomes[200] += 1
            assert photo.pixels.dtype == np.uint8
            assert photo.pixels.shape[2] == 3
            assert min(photo.pixels.shape[:2]) >= 16
        if (number + 1) % (COUNT // 2) == 0:
            resident.append(resident_bytes())
    faulthandler.cancel_dump_traceback_later()
    return outcomes, resident, unnamed


def test_a_damaged_photo_is_read_or_refused_and_memory_stays_flat(
    flower: Path, settings: Settings
) -> None:
    # A process of its own: in one that ran other tests, memory tells of these too.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        outcomes, resident, unnamed = process.submit(read_all, flower, settings).result()
    assert resident[1] - resident[0] < MOST_GROWTH
    assert unnamed == []
    assert outcomes.keys() == {200, 415, 422}
    assert min(outcomes.values()) > COUNT // 50
