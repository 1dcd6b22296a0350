"""Work on one photo after another, done in threads that are a little ahead."""

from __future__ import annotations

import collections
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")


def in_order(
    make: Callable[[Given], Made], given: Iterable[Given], threads: int | None, ahead: int
) -> Generator[Made, None, None]:
    """What is made of each thing, in order; when it is left early, what is not begun is dropped.

    Args:
        make: Makes it, in several threads.
        given: The things, taken when there is room for them.
        threads: How many; None for Python's own choice.
        ahead: How many may be made before they are asked for: so much is in memory.
    """
    things = iter(given)
    pool = ThreadPoolExecutor(threads)
    try:
        waiting: collections.deque[Future[Made]] = collections.deque(
            pool.submit(make, thing) for thing in islice(things, ahead)
        )
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(pool.submit(make, thing) for thing in islice(things, 1))
            yield result
    finally:
        pool.shutdown(cancel_futures=True)
