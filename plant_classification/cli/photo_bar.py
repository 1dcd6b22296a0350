"""How far work on photos is, in a terminal."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def photo_bar() -> Iterator[Callable[[int, int | None, str], None]]:
    """A bar to be told how many photos are done, how many there are, and what is to be said."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    console = Console(stderr=True)
    with Progress(
        *columns,
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task("", total=None)

        def tell(done: int, total: int | None, words: str) -> None:
            speed = bar.tasks[0].speed or 0
            description = f"{words}, {speed:,.0f} photos a second"
            bar.update(task, completed=done, total=total, description=description)

        yield tell
