"""The folder that a training works in, which is one process's at a time."""

from __future__ import annotations

import contextlib
import fnmatch
from collections.abc import Iterator
from pathlib import Path

from plant_classification.errors import ArgumentError, TrainingError
from plant_classification.files import PARTIAL, locked, remove
from plant_classification.training import checkpoints

PROGRESS, EVENTS = "progress.json", "tensorboard"
PASSING = (
    f"{PROGRESS}*",
    EVENTS,
    "tmp*",
    "*.weights.h5",
    f"{checkpoints.PREFIX}*{PARTIAL}",
)
"""What a training writes into its folder beside its checkpoints."""


@contextlib.contextmanager
def claimed(work: Path) -> Iterator[None]:
    """Hold the folder of a training, made if it is not there, until the block ends.

    What an earlier training of that name has left there is removed, but for its checkpoints. A
    block that fails and leaves none leaves no folder.

    Raises:
        ArgumentError: Another process holds it, or something lies there that no training wrote.
        TrainingError: It cannot be made.
    """
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locked(work, wait=False))
        except BlockingIOError:
            raise ArgumentError(
                f"A training of the name {work.name!r} is running; give another name.",
                field="name",
            ) from None
        except OSError as error:
            raise TrainingError(
                f"{work} cannot be made: {error.strerror}; the setting trainings_dir says where "
                "trainings keep their work."
            ) from None
        foreign = sorted(set(work.iterdir()) - {*_passing(work), *checkpoints_in(work)})
        if foreign:
            raise ArgumentError(
                f"{foreign[0]} was written by no training; give another name, or another folder "
                "in the setting trainings_dir.",
                field="name",
            )
        clear(work)
        try:
            yield
        except BaseException:
            if not checkpoints_in(work):
                discard(work)
            raise


def clear(work: Path) -> None:
    """Remove what a training has written, but for its checkpoints."""
    for left in _passing(work):
        remove(left)


def discard(work: Path) -> None:
    """Remove all that a training has written, and the folder if nothing else is in it."""
    clear(work)
    for left in checkpoints_in(work):
        remove(left)
    with contextlib.suppress(OSError):
        work.rmdir()


def checkpoints_in(work: Path) -> list[Path]:
    """The checkpoints in the folder, those that cannot be read just now too."""
    return [path for path in work.glob(f"{checkpoints.PREFIX}*") if path not in _passing(work)]


def _passing(work: Path) -> list[Path]:
    return [
        path
        for path in work.iterdir()
        if any(fnmatch.fnmatch(path.name, pattern) for pattern in PASSING)
    ]
