"""Trainings, one after another, each in a process that can be killed at any moment.

DEEPaaS's own pool waits for ever when its process was killed, and holds up the whole server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from plant_classification.errors import TooManyTrainingsError, TrainingError, UnavailableError
from plant_classification.processes import Process, answer_messages

MOST = 8
"""Trainings that run or wait; each may take hours."""

YEAR = 365 * 24 * 3600.0
DIED = "The process that waited for the training died, and the training with it; start it again."


class TrainingLane:
    """A lane with room for ``MOST`` trainings, of which one runs."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()

    def begin(self, work: Callable[[], Any]) -> asyncio.Task[Any]:
        """Do it, when its turn has come; where the task is cancelled it is ended.

        Args:
            work: What can be pickled.

        Returns:
            What it will return, or raise; ``TrainingError`` where its process died.

        Raises:
            TooManyTrainingsError: There is no room for it.
        """
        if len(self._tasks) >= MOST:
            raise TooManyTrainingsError(
                f"{len(self._tasks)} trainings run or wait already; ask again later."
            )
        task = asyncio.ensure_future(self._done(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _done(self, work: Callable[[], Any]) -> Any:
        async with self._turn:
            process = Process(__name__, None)
            try:
                is_good, result = await asyncio.to_thread(process.ask, work, YEAR)
            except UnavailableError:
                raise TrainingError(DIED) from None
            finally:
                process.close()
        if not is_good:
            raise result
        return result


def main(descriptor: int) -> None:
    """Answer messages: each is what shall be done, and is answered by what came of it."""
    answer_messages(descriptor, lambda _: _outcome)


def _outcome(work: Callable[[], Any]) -> tuple[bool, Any]:
    try:
        return True, work()
    except Exception as error:  # noqa: BLE001 - raised in the server
        return False, error
