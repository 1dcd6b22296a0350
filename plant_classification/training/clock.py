"""The time in a training: photos a second, and when to tell how far it is."""

from __future__ import annotations

import time

SECONDS_BETWEEN_LOOKS = 0.4


class Clock:
    """Counts the batches of an epoch from now on.

    Args:
        batch: Photos in a batch.
    """

    def __init__(self, batch: int) -> None:
        self.batch, self.steps = batch, 0
        self.start = self.first = self.looked = time.perf_counter()

    def count(self) -> None:
        """A batch is done."""
        self.steps += 1
        if self.steps == 1:
            self.first = time.perf_counter()

    def photos_per_second(self) -> float:
        """Without the first batch if there are others: for it the graph may have been made."""
        now = time.perf_counter()
        if self.steps > 1:
            return (self.steps - 1) * self.batch / (now - self.first)
        return self.steps * self.batch / (now - self.start)

    def is_time_to_look(self) -> bool:
        """True at most some times a second."""
        now = time.perf_counter()
        if now - self.looked < SECONDS_BETWEEN_LOOKS:
            return False
        self.looked = now
        return True
