"""Processes of the package's own: Python once more, and one that answers message after message.

A crash, a decoder without end or too much memory ends such a process and answers that message with
an error; the next one finds a new process. It ends when its owner is gone, however that ended: its
standard input is a pipe that the owner holds, and a thread waits for its end.
"""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from plant_classification.errors import DeadlineError, PlantClassificationError, UnavailableError

PR_SET_PDEATHSIG = 1
"""Of Linux, prctl(2)."""

TOO_MANY = "Too many requests are waiting; try again later."
DIED = "The process at work died (out of memory, or killed); try again."


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def python(code: str) -> list[str]:
    """The command that runs code in a Python like this one, which finds the same modules."""
    return [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}; {code}"]


def end_with(parent: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Let this process get a signal when its parent ends; it exits where that has ended.

    Args:
        parent: The parent's number.
        number: The signal.
    """
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        os._exit(1)


class Process:
    """Owner of a process that answers messages; several threads may ask, and take turns.

    Args:
        module: Its function ``main`` is what the process runs: it calls :func:`answer_messages`
            with the descriptor that it is given.
        told: What the process is told first, whenever it is started.

    Raises:
        UnavailableError: It cannot be started.
    """

    def __init__(self, module: str, told: Any) -> None:
        self._module, self._told = module, told
        self._turn = threading.Lock()
        self._is_closed = False
        self._start()

    def ask(self, message: Any, seconds: float) -> Any:
        """What the process answers to a message.

        Args:
            message: What can be pickled.
            seconds: To wait for a turn, and then for the answer.

        Raises:
            UnavailableError: It died, or others were asking for too long.
            DeadlineError: It took too long, and was ended.
            PlantClassificationError: Where its answer is one.
        """
        if not self._turn.acquire(timeout=seconds):
            raise UnavailableError(TOO_MANY)
        try:
            result = self._exchange(message, seconds)
        finally:
            self._turn.release()
        if isinstance(result, PlantClassificationError):
            raise result
        return result

    def close(self) -> None:
        """End the process at once; whoever asks it gets ``UnavailableError``."""
        self._is_closed = True
        self._child.kill()
        with self._turn:
            self._end()

    def _exchange(self, message: Any, seconds: float) -> Any:
        """Send to the child and wait for what it sends back; a child that failed is replaced."""
        # Between messages the end is all that there is to read.
        if self._connection.closed or self._connection.poll() or self._child.poll() is not None:
            self._restart()
        _set_timeout(self._connection.fileno(), seconds)
        try:
            self._connection.send(message)
            return self._connection.recv()
        except BlockingIOError:
            self._restart()
            raise DeadlineError(
                f"No answer within {seconds:g} seconds; the work was ended. "
                "Ask for less at once, or try again later."
            ) from None
        except (EOFError, OSError):
            self._restart()
            raise UnavailableError(DIED) from None
        except BaseException:
            self._restart()  # or the next caller would get the answer to this message
            raise

    def _start(self) -> None:
        self._connection, theirs = multiprocessing.Pipe()
        with theirs:
            try:
                self._child = subprocess.Popen(
                    python(f"from {self._module} import main; main({theirs.fileno()})"),
                    stdin=subprocess.PIPE,
                    pass_fds=[theirs.fileno()],
                )
            except OSError as error:
                self._connection.close()
                raise UnavailableError(
                    f"A process cannot be started ({error.strerror}); try again later."
                ) from None
        self._connection.send(self._told)
        if self._is_closed:  # meanwhile
            self._child.kill()

    def _restart(self) -> None:
        self._end()
        if self._is_closed:
            raise UnavailableError(DIED)
        self._start()

    def _end(self) -> None:
        self._child.kill()
        self._child.wait()
        self._connection.close()
        with contextlib.suppress(OSError):
            if self._child.stdin:
                self._child.stdin.close()


def answer_messages(descriptor: int, begin: Callable[[Any], Callable[[Any], Any]]) -> None:
    """Answer what comes through a connection until its other end is closed.

    Args:
        descriptor: Of the connection.
        begin: Is given the first message, and gives what answers all others; its answer to one can
            be an error of the package, which the owner raises.
    """
    # Ctrl-C in a terminal reaches the child too; it ends with its parent.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    connection = Connection(descriptor)
    answer = begin(connection.recv())
    while True:
        try:
            message = connection.recv()
        except EOFError:
            return
        connection.send(answer(message))


def _end_with_parent() -> None:
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


def _set_timeout(descriptor: int, seconds: float) -> None:
    """Let a read or write of a socket fail with ``BlockingIOError`` after that time."""
    whole, rest = divmod(seconds, 1)
    timeval = struct.pack("@ll", int(whole), max(1, int(rest * 1e6)))
    with socket.socket(fileno=os.dup(descriptor)) as ours:
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            ours.setsockopt(socket.SOL_SOCKET, option, timeval)
