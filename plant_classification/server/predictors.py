"""Photos are identified by several inference processes, one photo each.

So many requests may wait for one of them; a request that is given up leaves its place.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from plant_classification.errors import (
    DeadlineError,
    PlantClassificationError,
    UnavailableError,
)
from plant_classification.inference import Supervisor
from plant_classification.processes import TOO_MANY
from plant_classification.settings import Settings

LOG = logging.getLogger(__name__)
Result = TypeVar("Result")


class Predictors:
    """Several inference processes, for the requests of one event loop.

    A thread for each process takes the next request as soon as it has its answer, without waiting
    for the loop: the process is never idle for that.

    Args:
        settings: Those of each; ``deadline_seconds`` bounds waiting, and then working.
        processes: How many.
        most_waiting: How many requests may wait for one; further ones are refused.
    """

    def __init__(self, settings: Settings, processes: int, most_waiting: int) -> None:
        self._seconds = settings.deadline_seconds
        self._most = processes + most_waiting
        self._count = 0
        self._threads = ThreadPoolExecutor(processes)
        self._all = [Supervisor(settings, workers=processes) for _ in range(processes)]
        self._idle: queue.SimpleQueue[Supervisor] = queue.SimpleQueue()
        self._loaded: set[Supervisor] = set()
        self._trying: Future[None] | None = None
        self._fault: str | None = None
        self._is_closed = False

    @property
    def is_ready(self) -> bool:
        """Whether a process has loaded the model that answers when none is named."""
        return bool(self._loaded)

    def warm(self) -> None:
        """Let every process load the model; requests wait for the first that has."""
        for supervisor in self._all:
            self._threads.submit(self._offer, supervisor)

    def try_again(self) -> None:
        """Where no process has the model, let an idle one load it: its fault may be mended."""
        if not self._is_closed and (self._trying is None or self._trying.done()):
            self._trying = self._threads.submit(self._retry)

    async def run(self, work: Callable[[Supervisor], Result]) -> Result:
        """Let the next free process do something.

        When the caller is cancelled, it leaves the queue; work that was begun is ended by itself.

        Raises:
            UnavailableError: Too many wait, or it died.
            DeadlineError: It took too long.
        """
        if self._count >= self._most:
            raise UnavailableError(TOO_MANY)
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Result] = loop.create_future()

        def told(result: Result | None, error: BaseException | None) -> None:
            loop.call_soon_threadsafe(_tell, done, result, error)

        self._count += 1
        task = self._threads.submit(self._do, work, told)
        waited = loop.call_later(self._seconds, task.cancel)
        task.add_done_callback(partial(self._left, loop, told))
        try:
            return await done
        finally:
            waited.cancel()
            task.cancel()

    def _do(self, work: Callable[[Supervisor], Result], told: Callable[..., Any]) -> None:
        supervisor = self._idle.get()
        try:
            told(work(supervisor), None)
        except (UnavailableError, DeadlineError) as error:
            told(None, error)
            self._loaded.discard(supervisor)
            self._load(supervisor)  # it may be a new process
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            told(None, error)
        finally:
            self._idle.put(supervisor)

    def _left(
        self, loop: asyncio.AbstractEventLoop, told: Callable[..., Any], task: Future[None]
    ) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(self._count_down)
            if task.cancelled():
                told(None, UnavailableError(TOO_MANY))

    def _count_down(self) -> None:
        self._count -= 1

    def _offer(self, supervisor: Supervisor) -> None:
        try:
            self._load(supervisor)
        finally:
            self._idle.put(supervisor)

    def _retry(self) -> None:
        if not self._loaded:
            with contextlib.suppress(queue.Empty):
                self._offer(self._idle.get_nowait())

    def _load(self, supervisor: Supervisor) -> None:
        """Load the model; what is wrong is told once to the log, and to each who asks for it."""
        try:
            supervisor.warm()
            self._loaded.add(supervisor)
            self._fault = None
        except PlantClassificationError as error:
            if not self._is_closed and error.message != self._fault:
                LOG.error("the model that answers when none is named cannot be used yet: %s", error)
            self._fault = error.message

    async def close(self) -> None:
        """End the processes, and what they do."""
        self._is_closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        for supervisor in self._all:
            supervisor.close()
        await asyncio.to_thread(self._threads.shutdown)


def _tell(done: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    """Give the outcome to who waits for it, if somebody still does."""
    if done.done():
        return
    if error is None:
        done.set_result(result)
    else:
        done.set_exception(error)
