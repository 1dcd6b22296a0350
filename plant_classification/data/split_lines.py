"""The lines ``<path> <label>`` of a split file, as columns: a few operations on arrays for all.

Each line is parsed from its end, where the label stands, in words of eight bytes; the paths stay
where they are, among the bytes of the file. So a line costs a tenth of a microsecond.
"""

from __future__ import annotations

import dataclasses
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plant_classification.data.files import fault, leaves_folder, not_utf8, open_file, others
from plant_classification.data.records import Texts
from plant_classification.errors import DatasetError

Bytes = NDArray[np.uint8]
"""A file's, or some of them."""

Positions = NDArray[np.int64]
"""Places in the bytes of a file."""

Words = NDArray[np.uint64]
"""Each of eight of its bytes, the first one the least."""

COLUMNS = (np.int64, np.int64, np.int32, np.uint64, np.bool_, np.bool_)
"""Of a line: where its path starts and ends, label, key, whether it can be used, and is blank."""

BYTES_AT_ONCE = 1 << 20
LINES_AT_ONCE = 1 << 15
"""So many that what is computed of them stays in the processor's cache."""

NEWLINE, BLANK = ord("\n"), ord(" ")
PAD = 32
"""Newlines before and after the content: an end for every line, and room for words beyond it."""

MOST_DIGITS = 7
"""Of a label: one less than a word has bytes, for the blank before it."""

MOST_BLANKS = 1000
"""In a row: with more, a line cannot be used."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
TWO_DOTS = ord(".") << 8 | ord(".")
PLACE_OF_ONE = 0x0001020304050607
"""What brings the place of the one byte that is 1 to the last byte, when a word is multiplied."""

SPAN = np.dtype("V24")
"""Three words: what a line ends with."""

LAST_BYTES = np.array([(1 << 64) - (1 << 64 - 8 * count) for count in range(9)], np.uint64)
"""What keeps the last 0 to 8 bytes of a word."""


@dataclasses.dataclass(frozen=True)
class SplitLines:
    """A split file, read and checked.

    Attributes:
        file: What was read.
        paths: In the order of the file.
        labels: ``int32 (N,)``, each from 0 up, and less than the number of classes.
        keys: ``uint64 (N,)``, the same for the same paths, and for few others.
    """

    file: Path
    paths: Texts
    labels: NDArray[np.int32]
    keys: Words

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
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        content = _read(file, threads)
        found = list(threads.map(lambda start: _scan(content, start), _steps(len(content))))
        ends = _line_ends(content, np.concatenate([newlines for newlines, _, _ in found]))
        if not all(is_ascii for _, is_ascii, _ in found):
            _check_text(file, content, ends)
        has_two_dots = any(has_dots for _, _, has_dots in found)
        columns: list[NDArray[Any]] = [np.empty(len(ends) - 1, dtype) for dtype in COLUMNS]

        def parse(start: int) -> None:
            some = ends[start : start + LINES_AT_ONCE + 1]
            values = _parse(content, some[:-1] + 1, some[1:], has_two_dots=has_two_dots)
            for column, value in zip(columns, values, strict=True):
                column[start : start + LINES_AT_ONCE] = value

        list(threads.map(parse, range(0, len(ends) - 1, LINES_AT_ONCE)))
    is_blank = columns.pop()
    if is_blank.any():
        columns = [column[~is_blank] for column in columns]
    return _checked(file, content, columns, classes)


def _checked(file: Path, content: Bytes, columns: list[NDArray[Any]], classes: int) -> SplitLines:
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
    """Where newlines are; whether all is ASCII; whether there are two dots in a row."""
    part = content[start : start + BYTES_AT_ONCE]
    is_ascii = bool(part.max() < 128 and part.min())
    is_newline = np.zeros(BYTES_AT_ONCE, np.bool_)
    np.equal(part, NEWLINE, out=is_newline[: len(part)])
    words = is_newline.view("<u8")
    places = np.flatnonzero(words != 0)
    found = words[places]
    if (found & (found - 1)).any():  # two in eight bytes
        newlines = np.flatnonzero(is_newline)
    else:
        newlines = 8 * places + (found * PLACE_OF_ONE >> 56).astype(np.int64)
    return newlines + start, is_ascii, _has_two_dots(content[start : start + BYTES_AT_ONCE + 2])


def _has_two_dots(part: Bytes) -> bool:
    pairs = (part[start : start + (len(part) - start) // 2 * 2].view("<u2") for start in (0, 1))
    return any(bool((some == TWO_DOTS).any()) for some in pairs)


def _line_ends(content: Bytes, newlines: Positions) -> Positions:
    """The newline before the first line, and those at the end of each line."""
    is_ended = content[-PAD - 1] == NEWLINE
    return newlines[PAD - 1 : len(newlines) - PAD + (not is_ended)]


def _line_number(content: Bytes, place: int) -> int:
    return int(np.count_nonzero(content[PAD:place] == NEWLINE)) + 1


def _check_text(file: Path, content: Bytes, ends: Positions) -> None:
    """See whether it is UTF-8 without zero bytes, some lines at a time."""
    for start in range(0, len(ends) - 1, LINES_AT_ONCE):
        some = ends[start : start + LINES_AT_ONCE + 1]
        part = content[some[0] : some[-1]]
        try:
            part.tobytes().decode()
        except UnicodeDecodeError as error:
            raise not_utf8(file, _line_number(content, int(some[0]) + error.start)) from None
        if not part.min():
            line = _line_number(content, int(some[0] + np.argmin(part)))
            raise fault(file, line, "there is a zero byte; is it UTF-8 text?")


def _parse(
    content: Bytes, starts: Positions, ends: Positions, *, has_two_dots: bool
) -> tuple[NDArray[Any], ...]:
    """The columns of some lines; of one that is blank or cannot be used, what comes of it."""
    words = _words_before(content, ends)
    if _end_blank(words).any():
        ends = _past_blanks(content, ends, -1)
        words = _words_before(content, ends)
    first = content[starts]
    if _is_blank(first).any():
        starts = _past_blanks(content, starts, 1)
        first = content[starts]
    is_blank = ends <= starts
    labels, digits = _numbers_at_the_end(words[-1])
    is_usable = (digits > 0) & _end_blank(words[-1:] << 8 * digits)
    ends = ends - digits.astype(np.int64) - 1
    words = words[1:] << 8 * (digits + 1) | words[:-1] >> 64 - 8 * (digits + 1)
    if _end_blank(words).any():
        ends = _past_blanks(content, ends, -1)
        words = _words_before(content, ends)[1:]
    is_usable &= (ends > starts) & (first != ord("/"))
    ends = np.maximum(ends, starts)
    if has_two_dots:
        paths = Texts(content, starts[is_usable], ends[is_usable])
        is_usable[is_usable] = [not leaves_folder(path) for path in paths]
    return starts, ends, labels, _keys(words, ends - starts), is_usable | is_blank, is_blank


def _past_blanks(content: Bytes, places: Positions, step: int) -> Positions:
    """Where the blanks end that follow (step 1) or go before (step -1)."""
    for _ in range(MOST_BLANKS):
        is_blank = _is_blank(content[places if step > 0 else places - 1])
        if not is_blank.any():
            break
        places = places + step * is_blank
    return places


def _is_blank(characters: Bytes) -> NDArray[np.bool_]:
    return np.less_equal(characters, BLANK) & np.not_equal(characters, NEWLINE)


def _words_before(content: Bytes, ends: Positions) -> Words:
    """``(3, N)``: the words before each place, the nearest one last."""
    spans = np.ndarray(len(content) - SPAN.itemsize + 1, SPAN, content, strides=1)
    words: Words = spans[ends - SPAN.itemsize].view("<u8").reshape(len(ends), -1).T.copy()
    return words


def _end_blank(words: Words) -> NDArray[np.bool_]:
    """Whether the last byte before each place is a blank."""
    return _is_blank((words[-1] >> 56).astype(np.uint8))


def _numbers_at_the_end(words: Words) -> tuple[NDArray[np.int32], Words]:
    """The numbers that words end with, and how many digits each has."""
    characters = words.view(np.uint8).reshape(-1, 8)
    numbers = np.zeros(len(words), np.int32)
    digits = np.zeros(len(words), np.uint8)
    is_digit = np.ones(len(words), np.bool_)
    for place in range(MOST_DIGITS):
        values = characters[:, 7 - place] - np.uint8(ord("0"))
        is_digit &= values < 10
        if not is_digit.any():
            break
        numbers += np.int32(10**place) * (values * is_digit)
        digits += is_digit
    return numbers, digits.astype(np.uint64)


def _keys(words: Words, lengths: Positions) -> Words:
    """A hash of each text's length and last two words."""
    near, far = words[1], words[0]
    if lengths.min(initial=16) < 16:
        near = near & LAST_BYTES[np.clip(lengths, 0, 8)]
        far = far & LAST_BYTES[np.clip(lengths - 8, 0, 8)]
    return _mix(_mix(lengths.astype(np.uint64), near), far)


def whole_keys(texts: Texts) -> Words:
    """``uint64 (N,)``, the same for the same texts, and by chance in 1 of 2**64 pairs of others."""
    lengths = texts.ends - texts.starts
    keys = lengths.astype(np.uint64)
    for place in range(0, int(lengths.max(initial=0)), 8):
        left = np.clip(lengths - place, 0, 8)
        word = _words_before(texts.content, texts.starts + place + left)[-1]
        keys = _mix(keys, word & LAST_BYTES[left])
    return keys


def _mix(keys: Words, words: Words) -> Words:
    """For one key no two words give the same.

    The factor is that of Steele et al. 2014, "Fast splittable pseudorandom number generators".
    """
    keys = (keys ^ words) * 0x9E3779B97F4A7C15
    keys ^= keys >> 32
    return keys


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
