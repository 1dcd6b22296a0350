"""Curves for TensorBoard, and its server where one is asked for."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from plant_classification.files import remove
from plant_classification.processes import python
from plant_classification.training.config import TrainingConfig
from plant_classification.training.progress import EpochFigures, Observer, Progress
from plant_classification.training.work_folder import EVENTS

MISSING = "tensorboard is not installed: pip install 'plant-classification[train]'."
SERVE = (
    "from plant_classification.processes import end_with; end_with(int(sys.argv.pop(1))); "
    "from tensorboard import main; main.run_main()"
)


@contextlib.contextmanager
def shown_in_tensorboard(
    folder: Path, config: TrainingConfig, warn: Callable[[str], None]
) -> Iterator[Observer]:
    """Write the figures of each epoch into ``folder/tensorboard``, and show them if asked for."""
    if not config.use_tensorboard:
        yield lambda _progress: None
        return
    with contextlib.ExitStack() as stack:
        if config.tensorboard_port is not None:
            stack.enter_context(_server(folder / EVENTS, config.tensorboard_port, warn))
        curves = stack.enter_context(contextlib.closing(Curves(folder / EVENTS, warn)))
        yield curves.observe


class Curves:
    """The figures of each epoch as event files, made when there are some.

    Args:
        folder: Where to write.
        warn: Told once where that cannot be done.
    """

    def __init__(self, folder: Path, warn: Callable[[str], None]) -> None:
        self._folder = folder
        self._warn = warn
        self._writer: Any = None  # a tensorboard.summary.Writer
        self._written = 0
        self._is_broken = False

    def observe(self, progress: Progress) -> None:
        """Write the epochs that are new."""
        new = progress.finished[self._written :]
        self._written = len(progress.finished)
        if not new or self._is_broken:
            return
        try:
            self._write(new)
        except ImportError:
            self._fail(MISSING)
        except Exception as error:  # noqa: BLE001 - the training is worth more than its curves
            self._fail(f"{self._folder} cannot be written: {error}.")

    def close(self) -> None:
        """Bring what is not written yet to disk."""
        writer, self._writer = self._writer, None
        if writer:
            with contextlib.suppress(OSError):
                writer.close()

    def _write(self, epochs: tuple[EpochFigures, ...]) -> None:
        if self._writer is None:
            from tensorboard.summary import Writer  # type: ignore[import-untyped]

            remove(self._folder)  # of a training that was broken off: its epochs are told again
            self._writer = Writer(str(self._folder))
        for figures in epochs:
            for name, value in dataclasses.asdict(figures).items():
                if name != "epoch" and value is not None:
                    self._writer.add_scalar(name, value, figures.epoch)
        self._writer.flush()

    def _fail(self, sentence: str) -> None:
        self._is_broken = True
        self._warn(f"No curves for TensorBoard: {sentence}")


@contextlib.contextmanager
def _server(folder: Path, port: int, warn: Callable[[str], None]) -> Iterator[None]:
    """TensorBoard for this machine alone, ended with the block, or with this process."""
    if reason := _why_not(port):
        warn(f"TensorBoard is not started: {reason}")
        yield
        return
    words = ["--logdir", str(folder), "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen(
        [*python(SERVE), str(os.getpid()), *words, "--load_fast", "false"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        server.kill()
        server.wait()


def _why_not(port: int) -> str | None:
    if importlib.util.find_spec("tensorboard") is None:
        return MISSING
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        return f"port {port} cannot be used: {error.strerror}."
    return None
