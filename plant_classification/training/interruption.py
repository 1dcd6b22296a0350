"""Being told to stop: a signal is remembered until the work in hand is done."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextlib.contextmanager
def told_to_stop() -> Iterator[Callable[[], bool]]:
    """A block in which the first SIGTERM or SIGINT is remembered, and a second acts as ever.

    Yields:
        Says whether one came. In any thread but the main one, where Python takes no signals, none
        ever does.
    """
    told: list[int] = []
    previous: dict[int, Any] = {}

    def restore() -> None:
        while previous:
            signal.signal(*previous.popitem())

    def remember(number: int, _frame: object) -> None:
        told.append(number)
        restore()

    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            handler = signal.getsignal(number)
            if handler not in (None, signal.SIG_IGN):
                previous[number] = handler
                signal.signal(number, remember)
    try:
        yield lambda: bool(told)
    finally:
        restore()
