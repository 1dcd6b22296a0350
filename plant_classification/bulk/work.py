"""Parts answered on this machine, by a process for each processor.

A photo that ends its process, or holds it up for too long, is a row with an error: it is found by
asking again for each of those that were asked for together.
"""

from __future__ import annotations

import collections
import contextlib
import itertools
import queue
from collections.abc import Iterable, Iterator, Sequence

from plant_classification.bulk.observations import Observation
from plant_classification.bulk.parts import Part
from plant_classification.bulk.rows import Row, row_of_error
from plant_classification.bulk.worker import Errand, Found
from plant_classification.errors import DeadlineError, UnavailableError
from plant_classification.photos.ahead import in_order
from plant_classification.processes import Process, processors

WORKER = "plant_classification.bulk.worker"
AT_ONCE = 16
"""Observations that a process is asked for together, since handing them over takes its time."""

AHEAD = 4
"""How often that may be answered before earlier ones are, for each process."""


def answered(parts: Iterable[Part], errand: Errand) -> Iterator[tuple[Part, list[Row], bool]]:
    """The rows of parts, one part after another; the next ones are begun meanwhile.

    With each comes whether its errors, if there are some, are those of the photos themselves.

    Args:
        parts: What is to be done, taken when there is room for it.
        errand: What is asked of each observation; ``threads`` of its settings is how many
            processes there are, by default one for each processor.

    Raises:
        ArgumentError: A question that cannot be answered for any photo.
        ModelFolderError: The model is damaged.
        UnavailableError: Processes die whatever they are asked for.
    """
    begun: collections.deque[Part] = collections.deque()

    def observations() -> Iterator[Observation]:
        for part in parts:
            begun.append(part)
            yield from part.observations

    count = errand.settings.threads or processors()
    idle: queue.SimpleQueue[Process | None] = queue.SimpleQueue()
    for _ in range(count):
        idle.put(None)  # it is started when it is needed
    with contextlib.ExitStack() as stack:

        def found(some: Sequence[Observation]) -> list[Found]:
            process = idle.get()
            try:
                if process is None:
                    process = Process(WORKER, errand)
                    stack.callback(process.close)
                return found_by(process, some, errand.settings.deadline_seconds)
            finally:
                idle.put(process)

        each = in_order(found, _blocks(observations()), count, AHEAD * count)
        stack.enter_context(contextlib.closing(each))
        rows: list[Row] = []
        is_final = True
        for row, is_lasting in itertools.chain.from_iterable(each):
            rows.append(row)
            is_final &= is_lasting
            if len(rows) == len(begun[0].observations):
                yield begun.popleft(), rows, is_final
                rows, is_final = [], True


def _blocks(observations: Iterator[Observation]) -> Iterator[list[Observation]]:
    while some := list(itertools.islice(observations, AT_ONCE)):
        yield some


def found_by(process: Process, some: Sequence[Observation], seconds: float) -> list[Found]:
    """Ask for a block; where that fails, for each observation, to know which one it was.

    Args:
        process: A process of ``WORKER``.
        some: At most ``AT_ONCE`` observations.
        seconds: That one of them may take.

    Raises:
        ArgumentError, ModelFolderError: What no observation could be answered for.
        UnavailableError: It fails for each of them.
    """
    try:
        found: list[Found] = process.ask(some, seconds * len(some))
    except (UnavailableError, DeadlineError):
        alone = [_alone(process, one, seconds) for one in some]
        found = [
            (row_of_error(one, fault), False) if isinstance(fault, str) else fault
            for one, fault in zip(some, alone, strict=True)
        ]
        if len(some) == AT_ONCE and all(isinstance(fault, str) for fault in alone):
            raise UnavailableError(
                f"The inference process failed {len(some)} times, the last time with "
                f"{some[-1].name}: see that there is memory enough. What is done is kept."
            ) from None
    return found


def _alone(process: Process, one: Observation, seconds: float) -> Found | str:
    """The row of an observation, or what became of the process."""
    try:
        (found,) = process.ask([one], seconds)
    except DeadlineError as error:
        return error.message
    except UnavailableError:
        return "The process that read it died: out of memory, or the photo is damaged."
    else:
        return found  # type: ignore[no-any-return]
