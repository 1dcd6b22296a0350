"""A split file of the old service, a line ``<path> <label>`` for each photo, read and checked."""

from __future__ import annotations

import dataclasses
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plant_classification.data.files import fault, leaves_folder, open_file, others
from plant_classification.data.line_parsing import (
    BLANK,
    COLUMNS,
    NEWLINE,
    PAD,
    Bytes,
    Positions,
    has_two_dots,
    newlines_in,
    parse,
)
from plant_classification.data.records import Texts
from plant_classification.errors import DatasetError
from plant_classification.files import NOT_UTF8
from plant_classification.processes import processors

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
BYTES_AT_ONCE = 1 << 20
LINES_AT_ONCE = 1 << 15
"""So many that what is computed of them stays in the processor's cache."""


@dataclasses.dataclass(frozen=True)
class SplitLines:
    """What a split file holds.

    Attributes:
        file: What was read.
        paths: In the order of the file.
        labels: ``int32 (N,)``, each from 0 up, and less than the number of classes.
        keys: ``uint64 (N,)``, the same for the same paths, and for few others.
    """

    file: Path
    paths: Texts
    labels: NDArray[np.int32]
    keys: NDArray[np.uint64]

    def line(self, index: int) -> int:
        """The number of a photo's line, from 1."""
        return _line_number(self.paths.content, int(self.paths.starts[index]))


def read_split_lines(file: Path, classes: int) -> SplitLines:
    """Read a split file.

    Args:
        file: In UTF-8, a line ``<path><blanks or tabs><label>`` for each photo; blank lines are
            passed over.
        classes: How many labels there are.

    Raises:
        DatasetError: The file cannot be read, or a line cannot be used: its number, and how many
            lines have such a fault.
    """
    with ThreadPoolExecutor(processors()) as threads:
        content = _read(file, threads)
        found = list(threads.map(lambda start: _scan(content, start), _steps(len(content))))
        ends = _line_ends(content, np.concatenate([newlines for newlines, _, _ in found]))
        if not all(is_plain for _, is_plain, _ in found):
            _check_text(file, content, ends)
        check_dots = any(has_dots for _, _, has_dots in found)
        columns: list[NDArray[Any]] = [np.empty(len(ends) - 1, dtype) for dtype in COLUMNS]

        def parse_some(start: int) -> None:
            some = ends[start : start + LINES_AT_ONCE + 1]
            values = parse(content, some[:-1] + 1, some[1:], check_dots=check_dots)
            for column, value in zip(columns, values, strict=True):
                column[start : start + LINES_AT_ONCE] = value

        list(threads.map(parse_some, range(0, len(ends) - 1, LINES_AT_ONCE)))
    is_blank = columns.pop()
    if is_blank.any():
        columns = [column[~is_blank] for column in columns]
    return _checked(file, content, columns, classes)


def _read(file: Path, threads: ThreadPoolExecutor) -> Bytes:
    """The content between two pads; a byte order mark becomes blanks."""
    with open_file(file) as (opened, size):
        content = np.empty(PAD + size + PAD, np.uint8)

        def read(start: int) -> int:
            part = content[PAD + start : PAD + min(start + BYTES_AT_ONCE, size)]
            return os.preadv(opened.fileno(), [part.data], start)

        if sum(threads.map(read, _steps(size))) != size:
            raise DatasetError(f"{file} changed while it was read; read it again.")
    content[:PAD] = content[-PAD:] = NEWLINE
    if content[PAD : PAD + len(BYTE_ORDER_MARK)].tobytes() == BYTE_ORDER_MARK:
        content[PAD : PAD + len(BYTE_ORDER_MARK)] = BLANK
    return content


def _steps(size: int) -> range:
    return range(0, size, BYTES_AT_ONCE)


def _scan(content: Bytes, start: int) -> tuple[Positions, bool, bool]:
    """Where newlines are; whether all is ASCII without zero bytes; whether dots stand in a row."""
    part = content[start : start + BYTES_AT_ONCE]
    is_plain = bool(part.max() < 128 and part.min())
    two_dots = has_two_dots(content[start : start + BYTES_AT_ONCE + 1])
    return newlines_in(part) + start, is_plain, two_dots


def _line_ends(content: Bytes, newlines: Positions) -> Positions:
    """The newline before the first line, and those at the end of each line."""
    is_ended = content[-PAD - 1] == NEWLINE
    return newlines[PAD - 1 : len(newlines) - PAD + (not is_ended)]


def _check_text(file: Path, content: Bytes, ends: Positions) -> None:
    """See whether it is UTF-8 without zero bytes, some lines at a time."""
    for start in range(0, len(ends) - 1, LINES_AT_ONCE):
        some = ends[start : start + LINES_AT_ONCE + 1]
        part = content[some[0] : some[-1]]
        try:
            part.tobytes().decode()
        except UnicodeDecodeError as error:
            line = _line_number(content, int(some[0]) + error.start)
            raise fault(file, line, NOT_UTF8) from None
        if not part.min():
            line = _line_number(content, int(some[0] + np.argmin(part)))
            raise fault(file, line, "there is a zero byte; is it UTF-8 text?")


def _checked(file: Path, content: Bytes, columns: list[NDArray[Any]], classes: int) -> SplitLines:
    """The lines, if each can be used and has a label that there is."""
    starts, ends, labels, keys, is_usable = columns
    lines = SplitLines(file, Texts(content, starts, ends), labels, keys)
    if not len(labels):
        raise DatasetError(f"{file} names no photo: it must have a line for each.")
    if not is_usable.all():
        index, count = int(np.argmin(is_usable)), int(np.sum(~is_usable))
        raise fault(file, lines.line(index), _rule(content, int(starts[index])) + others(count))
    if labels.max() >= classes:
        index, count = int(np.argmax(labels >= classes)), int(np.sum(labels >= classes))
        seem = " They seem to count from 1." if (labels.min(), labels.max()) == (1, classes) else ""
        raise fault(
            file,
            lines.line(index),
            f"the label is {labels[index]}, and there are {classes} classes: labels go from 0 to "
            f"{classes - 1}.{seem}{others(count)}",
        )
    return lines


def _line_number(content: Bytes, place: int) -> int:
    return int(np.count_nonzero(content[PAD:place] == NEWLINE)) + 1


def _rule(content: Bytes, start: int) -> str:
    """What is wrong with a line."""
    line = content[start : start + int(np.argmax(content[start:] == NEWLINE))]
    text = line.tobytes().decode()
    path, blank, label = " ".join(text.split()).rpartition(" ")
    if leaves_folder(path):
        return f"the path {path!r:.100} must be relative, and stay inside the folder of photos."
    if blank and label.removeprefix("-").isdecimal():
        return f"the label is {label:.100}; labels go from 0 up."
    return f"it must be a path, a blank or tab, and a label's number, not {text.strip()!r:.100}."
