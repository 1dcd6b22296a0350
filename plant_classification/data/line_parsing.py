"""Lines ``<path> <label>`` parsed all at once, by a few operations on the bytes of a file.

Each line is parsed from its end, where the label stands, in words of eight bytes; the paths stay
where they are. So a line costs a tenth of a microsecond.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from plant_classification.data.files import leaves_folder
from plant_classification.data.records import Texts

Bytes = NDArray[np.uint8]
"""A file's, or some of them."""

Positions = NDArray[np.int64]
"""Places in the bytes of a file."""

Words = NDArray[np.uint64]
"""Each of eight of its bytes, the first one the least."""

COLUMNS = (np.int64, np.int64, np.int32, np.uint64, np.bool_, np.bool_)
"""Of a line: where its path starts and ends, label, key, whether it can be used, and is blank."""

NEWLINE, BLANK = ord("\n"), ord(" ")
PAD = 32
"""Newlines that must stand before and after the content: an end for every line, and room for words
that reach beyond it."""

MOST_DIGITS = 7
"""Of a label: one less than a word has bytes, for the blank before it."""

MOST_BLANKS = 1000
"""In a row: with more, a line cannot be used."""

TWO_DOTS = ord(".") << 8 | ord(".")
PLACE_OF_ONE = 0x0001020304050607
"""What brings the place of the one byte that is 1 to the last byte, when a word is multiplied."""

SPAN = np.dtype("V24")
"""Three words: what a line ends with."""

LAST_BYTES = np.array([(1 << 64) - (1 << 64 - 8 * count) for count in range(9)], np.uint64)
"""What keeps the last 0 to 8 bytes of a word."""


def newlines_in(part: Bytes) -> Positions:
    """Where the newlines are."""
    is_newline = np.zeros(-(-len(part) // 8) * 8, np.bool_)
    np.equal(part, NEWLINE, out=is_newline[: len(part)])
    words = is_newline.view("<u8")
    places = np.flatnonzero(words != 0)
    found = words[places]
    if (found & (found - 1)).any():  # two within eight bytes
        return np.flatnonzero(is_newline)
    return 8 * places + (found * PLACE_OF_ONE >> 56).astype(np.int64)


def has_two_dots(part: Bytes) -> bool:
    """Whether two dots stand in a row."""
    pairs = (part[start : start + (len(part) - start) // 2 * 2].view("<u2") for start in (0, 1))
    return any(bool((some == TWO_DOTS).any()) for some in pairs)


def parse(
    content: Bytes, starts: Positions, ends: Positions, *, check_dots: bool
) -> tuple[NDArray[Any], ...]:
    """The columns of some lines; of one that is blank or cannot be used, what comes of it.

    Args:
        content: The bytes of the file, between pads.
        starts: ``int64 (N,)``, where the lines start.
        ends: ``int64 (N,)``, the newlines at their ends.
        check_dots: Whether a path may have two dots in a row.

    Returns:
        Arrays ``(N,)`` of the kinds that ``COLUMNS`` names.
    """
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
    if check_dots:
        paths = Texts(content, starts[is_usable], ends[is_usable])
        is_usable[is_usable] = [not leaves_folder(path) for path in paths]
    return starts, ends, labels, _keys(words, ends - starts), is_usable | is_blank, is_blank


def whole_keys(texts: Texts) -> Words:
    """``uint64 (N,)``, the same for the same texts, and by chance in 1 of 2**64 pairs of others."""
    lengths = texts.ends - texts.starts
    keys = lengths.astype(np.uint64)
    for place in range(0, int(lengths.max(initial=0)), 8):
        left = np.clip(lengths - place, 0, 8)
        word = _words_before(texts.content, texts.starts + place + left)[-1]
        keys = _mix(keys, word & LAST_BYTES[left])
    return keys


def _words_before(content: Bytes, ends: Positions) -> Words:
    """``(3, N)``: the words before each place, the nearest one last."""
    spans = np.ndarray(len(content) - SPAN.itemsize + 1, SPAN, content, strides=1)
    words: Words = spans[ends - SPAN.itemsize].view("<u8").reshape(len(ends), -1).T.copy()
    return words


def _end_blank(words: Words) -> NDArray[np.bool_]:
    """Whether the last byte before each place is a blank."""
    return _is_blank((words[-1] >> 56).astype(np.uint8))


def _is_blank(characters: Bytes) -> NDArray[np.bool_]:
    return np.less_equal(characters, BLANK) & np.not_equal(characters, NEWLINE)


def _past_blanks(content: Bytes, places: Positions, step: int) -> Positions:
    """Where the blanks end that follow (step 1) or go before (step -1)."""
    for _ in range(MOST_BLANKS):
        is_blank = _is_blank(content[places if step > 0 else places - 1])
        if not is_blank.any():
            break
        places = places + step * is_blank
    return places


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


def _mix(keys: Words, words: Words) -> Words:
    """For one key no two words give the same.

    The factor is that of Steele et al. 2014, "Fast splittable pseudorandom number generators".
    """
    keys = (keys ^ words) * 0x9E3779B97F4A7C15
    keys ^= keys >> 32
    return keys
