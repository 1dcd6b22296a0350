"""Photos are identified by several inference processes, one photo each.

So many requests may wait for one of them; a request that is given up leaves its place.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from plant_classification.errors import (
    DeadlineError,
    PlantClassificationError,
    UnavailableError,
)
from plant_classification.inference import Supervisor
from plant_classification.settings import Settings

LOG = logging.getLogger(__name__)
Result = TypeVar("Result")


class Predictors:
    """Several inference processes, for the requests of one event loop.

    Args:
        settings: Those of each; ``deadline_seconds`` bounds waiting, and then working.
        processes: How many.
        most_waiting: How many requests may wait for one; further ones are refused.
    """

    def __init__(self, settings: Settings, processes: int, most_waiting: int) -> None:
        self._seconds = settings.deadline_seconds
        self._most_waiting = most_waiting
        self._threads = ThreadPoolExecutor(processes)
        self._all = [Supervisor(settings, workers=processes) for _ in range(processes)]
        self._free: asyncio.LifoQueue[Supervisor] = asyncio.LifoQueue()
        self._warming: set[asyncio.Future[None]] = set()  # else nobody would hold them
        self._loaded: set[Supervisor] = set()
        self.waiting = 0
        self.working = 0

    @property
    def is_ready(self) -> bool:
        """Whether a process has loaded the model that answers when none is named."""
        return bool(self._loaded)

    async def warm(self) -> None:
        """Load the model in every process; each takes requests from then on."""
        await asyncio.gather(*(self._freed(supervisor) for supervisor in self._all))

    async def run(self, work: Callable[[Supervisor], Result]) -> Result:
        """Let the next free process do something.

        When the caller is cancelled, it leaves the queue; work that was begun is ended by itself.

        Raises:
            UnavailableError: Too many wait, or it died.
            DeadlineError: It took too long.
        """
        supervisor = await self._next()
        self.working += 1
        done = asyncio.get_running_loop().run_in_executor(self._threads, work, supervisor)
        done.add_done_callback(partial(self._give_back, supervisor))
        return await asyncio.shield(done)

    async def _next(self) -> Supervisor:
        if self._free.empty() and self.waiting >= self._most_waiting:
            raise UnavailableError(
                f"{self.waiting} requests are waiting already; send the photo again later."
            )
        self.waiting += 1
        try:
            return await asyncio.wait_for(self._free.get(), self._seconds)
        except asyncio.TimeoutError:
            raise UnavailableError(
                "Too many requests are waiting; send the photo again later."
            ) from None
        finally:
            self.waiting -= 1

    def _give_back(self, supervisor: Supervisor, done: asyncio.Future[Any]) -> None:
        self.working -= 1
        if isinstance(done.exception(), (UnavailableError, DeadlineError)):
            self._loaded.discard(supervisor)
            warming = asyncio.ensure_future(self._freed(supervisor))  # it is a new process
            self._warming.add(warming)
            warming.add_done_callback(self._warming.discard)
        else:
            self._free.put_nowait(supervisor)

    async def _freed(self, supervisor: Supervisor) -> None:
        """Load the model, then offer the process; one that cannot tells so to who asks for it."""
        try:
            await asyncio.get_running_loop().run_in_executor(self._threads, supervisor.warm)
            self._loaded.add(supervisor)
        except PlantClassificationError as error:
            LOG.error("the model that answers when none is named cannot be used yet: %s", error)
        self._free.put_nowait(supervisor)

    async def close(self) -> None:
        """End the processes; what runs is finished first."""
        await asyncio.get_running_loop().run_in_executor(None, self._threads.shutdown)
        for supervisor in self._all:
            supervisor.close()
