"""The lines ``<path> <label>`` of a split file, as columns: a few operations on arrays for all.

Each line is parsed from its end, where the label stands, eight bytes at a time in the lanes of a
word (Lamport 1975, "Multiple byte processing with full-word instructions"); the paths stay where
they are, among the bytes of the file.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
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

MOST_DIGITS = 7
"""Of a label: one less than a word has bytes, for the blank before it."""

NEWLINE, BLANK = ord("\n"), ord(" ")
PAD = 32
"""Newlines before and after the content: an end for every line, and room for words beyond it."""

BLOCK = 1 << 20
"""Bytes parsed at once, so that what is computed stays in the processor's cache."""

LONG_LINE = 4096
MOST_BLANKS = 1000
"""In a row: with more, a line cannot be used."""

TAIL_WORDS = 3
"""At the end of a path, which tell most paths apart."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
IN_EACH_LANE = 0x0101010101010101
FIRST_BYTES = np.array([(1 << 8 * count) - 1 for count in range(9)], np.uint64)
LAST_BYTES = ~FIRST_BYTES[::-1]
"""What keeps 0 to 8 bytes of a little-endian word."""


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
    content = _read(file)
    parse = functools.partial(_parse, file, content)
    with ThreadPoolExecutor() as threads:
        parts = list(threads.map(parse, *zip(*_blocks(content), strict=True)))
    starts, ends, labels, keys, is_usable = map(np.concatenate, zip(*parts, strict=True))
    lines = SplitLines(file, Texts(content, starts, ends), labels, keys)
    if not len(lines.labels):
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


def _read(file: Path) -> Bytes:
    """The content between two pads; a byte order mark becomes blanks."""
    with open_file(file) as (opened, size):
        content = np.empty(PAD + size + PAD, np.uint8)
        end = PAD + opened.readinto(content[PAD:-PAD].data)
    content[:PAD] = content[end:] = NEWLINE
    if content[PAD : PAD + len(BYTE_ORDER_MARK)].tobytes() == BYTE_ORDER_MARK:
        content[PAD : PAD + len(BYTE_ORDER_MARK)] = BLANK
    return content


def _blocks(content: Bytes) -> Iterator[tuple[int, int]]:
    """Parts of whole lines, each with its last newline; the last one is that of the pad."""
    start, end = PAD, len(content) - PAD + 1
    while start < end:
        stop = _line_end(content, min(start + BLOCK, end) - 1) + 1
        yield start, stop
        start = stop


def _line_end(content: Bytes, place: int) -> int:
    """Where the line ends that goes on there."""
    while not len(found := np.flatnonzero(content[place : place + LONG_LINE] == NEWLINE)):
        place += LONG_LINE
    return place + int(found[0])


def _line_number(content: Bytes, place: int) -> int:
    return int(np.count_nonzero(content[PAD:place] == NEWLINE)) + 1


def _check_text(file: Path, content: Bytes, start: int, stop: int) -> None:
    part = content[start:stop]
    if part.max() >= 128:
        try:
            part.tobytes().decode()
        except UnicodeDecodeError as error:
            raise not_utf8(file, _line_number(content, start + error.start)) from None
    if not part.min():
        line = _line_number(content, start + int(np.argmin(part)))
        raise fault(file, line, "there is a zero byte; is it UTF-8 text?")


def _parse(file: Path, content: Bytes, start: int, stop: int) -> tuple[NDArray[Any], ...]:
    """Starts and ends of the paths, labels, keys, and which lines can be used."""
    _check_text(file, content, start, stop)
    ends = np.flatnonzero(content[start:stop] == NEWLINE) + start
    starts = np.concatenate([[start], ends[:-1] + 1])
    ends = _past_blanks(content, ends, -1)
    if (starts >= ends).any():
        starts, ends = starts[starts < ends], ends[starts < ends]
    starts = _past_blanks(content, starts, 1)
    labels, digits = _number_before(content, ends)
    ends = ends - digits
    is_usable = (digits > 0) & _is_blank(content[ends - 1])
    ends = np.maximum(_past_blanks(content, ends, -1), starts)
    is_usable &= (ends > starts) & (content[starts] != ord("/"))
    is_dot = content[start:stop] == ord(".")
    if (is_dot[1:] & is_dot[:-1]).any():
        is_usable &= [not leaves_folder(path) for path in Texts(content, starts, ends)]
    return starts, ends, labels, _keys(content, starts, ends), is_usable


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


def _words(content: Bytes) -> NDArray[np.uint64]:
    """The little-endian word that begins at each place."""
    words: NDArray[np.uint64] = np.ndarray(len(content) - 7, "<u8", content, strides=1)
    return words


def _number_before(content: Bytes, ends: Positions) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """The numbers that end there, and how many digits each has, up to ``MOST_DIGITS``."""
    lanes = _words(content)[ends - 8] ^ ord("0") * IN_EACH_LANE
    is_other = ((lanes & 0x7F * IN_EACH_LANE) + 0x76 * IN_EACH_LANE | lanes) & 0x80 * IN_EACH_LANE
    digits = np.zeros(len(ends), np.uint8)
    for count in range(MOST_DIGITS):
        digits += is_other < 1 << 63 - 8 * count
    lanes &= LAST_BYTES[digits]
    lanes = (lanes * (1 + (10 << 8)) >> 8) & 0x00FF00FF00FF00FF
    lanes = (lanes * (1 + (100 << 16)) >> 16) & 0x0000FFFF0000FFFF
    lanes = lanes * (1 + (10_000 << 32)) >> 32
    return lanes.astype(np.int32), digits


def _keys(content: Bytes, starts: Positions, ends: Positions) -> NDArray[np.uint64]:
    """A hash of each text's length and last words."""
    lengths = ends - starts
    tail = [_words(content)[ends - 8 * count] for count in range(1, TAIL_WORDS + 1)]
    if lengths.min(initial=8 * TAIL_WORDS) < 8 * TAIL_WORDS:
        tail = [
            word & LAST_BYTES[np.clip(lengths - 8 * count, 0, 8)] for count, word in enumerate(tail)
        ]
    return functools.reduce(_mix, tail, lengths.astype(np.uint64))


def whole_keys(texts: Texts) -> NDArray[np.uint64]:
    """``uint64 (N,)``, the same for the same texts, and by chance in 1 of 2**64 pairs of others."""
    words, lengths = _words(texts.content), texts.ends - texts.starts
    keys = lengths.astype(np.uint64)
    for place in range(0, int(lengths.max(initial=0)), 8):
        word = words[np.minimum(texts.starts + place, len(words) - 1)]
        keys = _mix(keys, word & FIRST_BYTES[np.clip(lengths - place, 0, 8)])
    return keys


def _mix(keys: NDArray[np.uint64], words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """For one key no two words give the same.

    The factor is that of Steele et al. 2014, "Fast splittable pseudorandom number generators".
    """
    keys = (keys ^ words) * 0x9E3779B97F4A7C15
    keys ^= keys >> 32
    return keys


def _rule(content: Bytes, start: int) -> str:
    """What is wrong with a line."""
    text = content[start : _line_end(content, start)].tobytes().decode()
    path, blank, label = " ".join(text.split()).rpartition(" ")
    if leaves_folder(path):
        return f"the path {path!r:.100} must be relative, and stay inside the folder of photos."
    if blank and label.removeprefix("-").isdecimal():
        return f"the label is {label:.100}; labels go from 0 up."
    return f"it must be a path, a blank or tab, and a label's number, not {text.strip()!r:.100}."
