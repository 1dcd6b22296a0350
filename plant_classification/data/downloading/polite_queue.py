"""Whom to ask next: addresses on many hosts, each asked seldom, and left alone when it says so."""

from __future__ import annotations

import collections
import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

Job = TypeVar("Job")

MOST_WAITING = 2000
"""Jobs that are held at once; the others stay where they come from."""


@dataclasses.dataclass(frozen=True)
class Manners:
    """How a host is treated.

    Attributes:
        connections: Requests to it at a time.
        pause_seconds: Between the beginnings of two of them.
        seconds: For one answer, redirects and its last byte included.
        tries: Of one address.
        first_wait, longest_wait: Seconds for which it is left alone after a failure; each further
            one in a row doubles them.
        most_asked: Seconds that it may ask for itself.
        most_failures: In a row, after which it is given up.
    """

    connections: int = 4
    pause_seconds: float = 0.1
    seconds: float = 60
    tries: int = 3
    first_wait: float = 1
    longest_wait: float = 60
    most_asked: float = 900
    most_failures: int = 10


POLITE = Manners()


@dataclasses.dataclass(frozen=True)
class Turn(Generic[Job]):
    """A job whose turn it is, and how many tries have failed."""

    job: Job
    host: str
    failures: int = 0


@dataclasses.dataclass
class _Host(Generic[Job]):
    waiting: collections.deque[Turn[Job]] = dataclasses.field(default_factory=collections.deque)
    running: int = 0
    free_at: float = 0
    failures: int = 0


class PoliteQueue(Generic[Job]):
    """Hands out jobs to threads. Each turn is ended by ``answered``, ``busy`` or ``failed``.

    Args:
        jobs: Read as they are needed, by one thread at a time.
        host_of: The host that a job asks.
        manners: How hosts are treated.

    Attributes:
        given_up: What is the matter with each host that is not asked any more.
    """

    def __init__(
        self, jobs: Iterator[Job], host_of: Callable[[Job], str], manners: Manners
    ) -> None:
        self._jobs = jobs
        self._host_of = host_of
        self._manners = manners
        self._hosts: dict[str, _Host[Job]] = {}
        self._is_stopped = False
        self._changed = threading.Condition()
        self.given_up: dict[str, str] = {}

    def take(self) -> Turn[Job] | None:
        """Wait for a turn; None once there are no more."""
        with self._changed:
            while not self._is_stopped:
                self._fill()
                hosts = self._hosts.values()
                free = [
                    host
                    for host in hosts
                    if host.waiting and host.running < self._manners.connections
                ]
                first = min(free, key=lambda host: host.free_at, default=None)
                if first is None and not any(host.running for host in hosts):
                    return None
                seconds = None if first is None else first.free_at - time.monotonic()
                if first is not None and seconds is not None and seconds <= 0:
                    first.running += 1
                    first.free_at = time.monotonic() + self._manners.pause_seconds
                    return first.waiting.popleft()
                self._changed.wait(seconds)
        return None

    def answered(self, turn: Turn[Job]) -> None:
        """End a turn: the host has done what it can."""
        with self._changed:
            self._end(turn).failures = 0

    def busy(self, turn: Turn[Job], asked_seconds: float | None) -> None:
        """End a turn: the host says "too many", and perhaps when to come again."""
        with self._changed:
            host = self._end(turn)
            if turn.host not in self.given_up:
                host.waiting.appendleft(turn)
            if (asked_seconds or 0) > self._manners.most_asked:
                self._give_up(turn.host, f"asks to wait for {asked_seconds:,.0f} seconds")
            self._leave_alone(turn.host, "says that it is too busy", asked_seconds)

    def failed(self, turn: Turn[Job]) -> bool:
        """End a turn: no answer. Returns whether the job comes again."""
        with self._changed:
            host = self._end(turn)
            again = dataclasses.replace(turn, failures=turn.failures + 1)
            comes_again = again.failures < self._manners.tries and turn.host not in self.given_up
            if comes_again:
                host.waiting.append(again)
            self._leave_alone(turn.host, "does not answer")
            return comes_again

    def stop(self) -> None:
        """Hand out nothing more."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()

    def _fill(self) -> None:
        count = sum(len(host.waiting) for host in self._hosts.values())
        while count < MOST_WAITING and (job := next(self._jobs, None)) is not None:
            name = self._host_of(job)
            if name not in self.given_up:
                self._hosts.setdefault(name, _Host()).waiting.append(Turn(job, name))
                count += 1

    def _end(self, turn: Turn[Job]) -> _Host[Job]:
        host = self._hosts[turn.host]
        host.running -= 1
        self._changed.notify_all()
        return host

    def _leave_alone(self, name: str, why: str, asked_seconds: float | None = None) -> None:
        host, manners = self._hosts[name], self._manners
        seconds = min(manners.first_wait * 2**host.failures, manners.longest_wait)
        host.failures += 1
        host.free_at = max(host.free_at, time.monotonic() + max(seconds, asked_seconds or 0))
        if host.failures >= manners.most_failures:
            self._give_up(name, f"{why}, {host.failures} times in a row")

    def _give_up(self, name: str, why: str) -> None:
        self.given_up.setdefault(name, why)
        self._hosts[name].waiting.clear()
