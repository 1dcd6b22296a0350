"""The folder that a training works in, which is one process's at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from plant_classification.errors import ArgumentError, TrainingError
from plant_classification.models.files import locked, remove
from plant_classification.training import checkpoints


@contextlib.contextmanager
def claimed(work: Path) -> Iterator[None]:
    """Hold the folder of a training, made if it is not there, until the block ends.

    What an earlier training of that name has left there is removed, but for its checkpoints. A
    block that fails and leaves none leaves no folder.

    Raises:
        ArgumentError: Another process holds it.
        TrainingError: It cannot be made.
    """
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locked(work, wait=False))
        except BlockingIOError:
            raise ArgumentError(
                f"A training of the name {work.name!r} is running; choose another name.",
                field="name",
            ) from None
        except OSError as error:
            raise TrainingError(
                f"{work} cannot be made: {error.strerror}; the setting trainings_dir says where "
                "trainings keep their work."
            ) from None
        kept = checkpoints.find(work)
        for left in work.iterdir():
            if left not in kept:
                remove(left)
        try:
            yield
        except BaseException:
            if not checkpoints.find(work):
                remove(work)
            raise
