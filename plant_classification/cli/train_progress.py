"""A training as it runs, on standard error: a bar in a terminal, else lines now and then."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from plant_classification.training.progress import EpochFigures, Observer, Progress

if TYPE_CHECKING:
    from rich.console import Console

SECONDS_BETWEEN_LINES = 30


@contextlib.contextmanager
def showing() -> Iterator[Observer]:
    """What a training is to tell its progress to; each finished epoch stays as a line."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    shown = 0
    with _bar(console) if console.is_terminal else _lines(console) as draw:

        def observe(progress: Progress) -> None:
            nonlocal shown
            for figures in progress.finished[shown:]:
                console.print(epoch_in_words(figures, progress.epochs), soft_wrap=True)
            shown = len(progress.finished)
            draw(progress)

        yield observe


@contextlib.contextmanager
def _bar(console: Console) -> Iterator[Observer]:
    from rich.console import Group
    from rich.live import Live
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    with Live(console=console, transient=True) as live:

        def draw(progress: Progress) -> None:
            bar = ProgressBar(progress.total or None, progress.done, width=24)
            line = Table.grid(padding=(0, 1))
            line.add_row(Text(_stage(progress)), bar, Text(_counted(progress)))
            live.update(Group(line, Text(_figures(progress))))

        yield draw


@contextlib.contextmanager
def _lines(console: Console) -> Iterator[Observer]:
    stages: set[str] = set()
    printed = 0.0

    def draw(progress: Progress) -> None:
        nonlocal printed
        if progress.stage in stages and time.monotonic() - printed < SECONDS_BETWEEN_LINES:
            return
        stages.add(progress.stage)
        printed = time.monotonic()
        words = [_stage(progress), _counted(progress), _figures(progress)]
        console.print(", ".join(filter(None, words)), soft_wrap=True)

    yield draw


def epoch_in_words(figures: EpochFigures, epochs: int) -> str:
    """One line on an epoch that is done."""
    line = f"epoch {figures.epoch} of {epochs}: {_figures(figures)}"
    validation = Progress(
        "", loss=figures.val_loss, top_1=figures.val_top_1, top_5=figures.val_top_5
    )
    return line if figures.val_loss is None else f"{line}; validation: {_figures(validation)}"


def _stage(progress: Progress) -> str:
    return (
        f"{progress.stage}, epoch {progress.epoch} of {progress.epochs}"
        if progress.epoch
        else progress.stage
    )


def _counted(progress: Progress) -> str:
    return f"{progress.done:,} of {progress.total:,}" if progress.total else ""


def _figures(figures: Progress | EpochFigures) -> str:
    left = figures.seconds_left if isinstance(figures, Progress) else None
    words = {
        "loss {:.3f}": figures.loss,
        "top-1 {:.1%}": figures.top_1,
        "top-5 {:.1%}": figures.top_5,
        "{:,.0f} photos/s": figures.photos_per_second,
        "{} left": None if left is None else timedelta(seconds=round(left)),
    }
    return ", ".join(form.format(value) for form, value in words.items() if value is not None)
