"""Inference in a child process with a deadline, so that what kills it costs one request alone.

A crash, a decoder without end or too much memory ends the child and answers that request with an
error; the next one finds a new child. The child ends when its parent is gone, however that ended:
its standard input is a pipe that the parent holds, and a thread waits for its end.
"""

from __future__ import annotations

import contextlib
import dataclasses
import multiprocessing
import os
import socket
import struct
import subprocess
import sys
import threading
from typing import Any

from plant_classification.errors import DeadlineError, PlantClassificationError, UnavailableError
from plant_classification.inference.answer import Answer
from plant_classification.inference.engine import processors
from plant_classification.inference.explanation import Explanation
from plant_classification.inference.request import ExplanationRequest, Request
from plant_classification.settings import Settings


class Supervisor:
    """Owner of one inference process; requests take turns.

    Args:
        settings: The settings; ``deadline_seconds`` bounds each call. Kept as ``settings``, with
            the threads of this worker.
        workers: How many such owners share the machine: each gets its part of the processors.
    """

    def __init__(self, settings: Settings, workers: int = 1) -> None:
        threads = settings.threads or max(1, processors() // workers)
        self.settings = dataclasses.replace(settings, threads=threads)
        self._turn = threading.Lock()
        self._start()

    def warm(self, model: str | None = None) -> None:
        """Load a model, by default the one that answers when none is named."""
        self._call(model)

    def identify(self, request: Request) -> Answer:
        """Identify one observation.

        Raises:
            UnavailableError: The child died.
            DeadlineError: The deadline passed; the child was ended.
            PlantClassificationError: Whatever ``Classifier.identify`` raises.
        """
        answer: Answer = self._call(request)
        return answer

    def explain(self, request: ExplanationRequest) -> Explanation:
        """Identify one observation, and explain it; the errors are those of :meth:`identify`."""
        explanation: Explanation = self._call(request)
        return explanation

    def close(self) -> None:
        """End the child."""
        with self._turn:
            self._end()

    def _call(self, message: Request | str | None) -> Any:
        if not self._turn.acquire(timeout=self.settings.deadline_seconds):
            raise UnavailableError("Too many requests are waiting; send the photo again later.")
        try:
            result = self._exchange(message)
        finally:
            self._turn.release()
        if isinstance(result, PlantClassificationError):
            raise result
        return result

    def _exchange(self, message: Request | str | None) -> Any:
        """Send to the child and wait for what it sends back; a child that failed is replaced."""
        # Between requests the end is all that there is to read.
        if self._connection.closed or self._connection.poll() or self._child.poll() is not None:
            self._restart()
        try:
            self._connection.send(message)
            return self._connection.recv()
        except BlockingIOError:
            self._restart()
            raise DeadlineError(
                f"No answer within {self.settings.deadline_seconds:g} seconds; the work was ended."
            ) from None
        except (EOFError, OSError):
            self._restart()
            raise UnavailableError(
                "The inference process died (out of memory, or killed); send the photo again."
            ) from None
        except BaseException:
            self._restart()  # or the next caller would get the answer to this message
            raise

    def _start(self) -> None:
        self._connection, theirs = multiprocessing.Pipe()
        _set_timeout(self._connection.fileno(), self.settings.deadline_seconds)
        command = (
            f"import sys; sys.path[:] = {sys.path!r}; "
            "from plant_classification.inference import child; "
            f"child.main({theirs.fileno()})"
        )
        with theirs:
            try:
                self._child = subprocess.Popen(
                    [sys.executable, "-c", command],
                    stdin=subprocess.PIPE,
                    pass_fds=[theirs.fileno()],
                )
            except OSError:
                self._connection.close()
                raise
        self._connection.send(self.settings)

    def _restart(self) -> None:
        self._end()
        try:
            self._start()
        except OSError as error:
            raise UnavailableError(
                f"The inference process cannot be started ({error.strerror}); try again later."
            ) from None

    def _end(self) -> None:
        self._child.kill()
        self._child.wait()
        self._connection.close()
        with contextlib.suppress(OSError):
            if self._child.stdin:
                self._child.stdin.close()


def _set_timeout(descriptor: int, seconds: float) -> None:
    """Let a read or write of a socket fail with ``BlockingIOError`` after that time."""
    whole, rest = divmod(seconds, 1)
    timeval = struct.pack("@ll", int(whole), max(1, int(rest * 1e6)))
    with socket.socket(fileno=os.dup(descriptor)) as ours:
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            ours.setsockopt(socket.SOL_SOCKET, option, timeval)
