"""Work on one photo after another, done in threads that are a little ahead."""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Made = TypeVar("Made")


def in_order(
    make: Callable[[int], Made], count: int, threads: int | None, ahead: int
) -> Iterator[Made]:
    """What is made of each index, in order; when it is left early, what is not begun is dropped.

    Args:
        make: Makes it, in several threads.
        count: Indices from zero up.
        threads: How many; None for Python's own choice.
        ahead: How many may be made before they are asked for: so much is in memory.
    """
    pool = ThreadPoolExecutor(threads)
    waiting: collections.deque[Future[Made]] = collections.deque(
        pool.submit(make, index) for index in range(min(ahead, count))
    )
    try:
        for index in range(count):
            result = waiting.popleft().result()
            if index + ahead < count:
                waiting.append(pool.submit(make, index + ahead))
            yield result
    finally:
        pool.shutdown(cancel_futures=True)
