"""Trainings, one after another, each in a process that can be killed at any moment.

DEEPaaS's own pool waits for ever when its process was killed, and holds up the whole server.
"""

from __future__ import annotations

import asyncio
import os
import pickle  # nosec B403
import sys
import threading
from collections.abc import Callable
from typing import Any

from plant_classification.errors import TrainingError, UnavailableError

MOST = 8
"""Trainings that run or wait; each may take hours."""

COMMAND = "from plant_classification.server.training_lane import main; main()"
DIED = "The process that waited for the training died, and the training with it; start it again."


class TrainingLane:
    """A lane with room for ``MOST`` trainings, of which one runs."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._count = 0

    def check(self) -> None:
        """See that there is room for one more.

        Raises:
            UnavailableError: There is none.
        """
        if self._count >= MOST:
            raise UnavailableError(f"{self._count} trainings run or wait already; ask again later.")

    async def apply(self, work: Callable[[], Any]) -> Any:
        """Do it, when its turn has come; where the caller is cancelled it is ended.

        Args:
            work: What can be pickled.

        Raises:
            TrainingError: Its process died.
            Exception: What it raised.
        """
        self._count += 1
        try:
            async with self._turn:
                return await _in_process(work)
        finally:
            self._count -= 1


async def _in_process(work: Callable[[], Any]) -> Any:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        f"import sys; sys.path[:] = {sys.path!r}; {COMMAND}",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,  # Ctrl-C in a terminal comes to the server, which ends it
    )
    if process.stdin is None or process.stdout is None:
        raise TypeError("the process must have pipes")
    try:
        process.stdin.write(pickle.dumps(work))
        said = await process.stdout.read()
    finally:
        if process.returncode is None:
            process.kill()
    if not said:
        raise TrainingError(DIED)
    is_good, result = pickle.loads(said)  # noqa: S301 - of the own process  # nosec B301
    if not is_good:
        raise result
    return result


def main() -> None:
    """Do what standard input says, and say what came of it."""
    answer = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print goes into the log
    work = pickle.load(sys.stdin.buffer)  # noqa: S301 - of the server  # nosec B301
    threading.Thread(target=_end_with_server, daemon=True).start()
    try:
        said = True, work()
    except Exception as error:  # noqa: BLE001 - raised in the server
        said = False, error
    with os.fdopen(answer, "wb") as file:
        pickle.dump(said, file)


def _end_with_server() -> None:
    sys.stdin.buffer.read(1)
    os._exit(1)
