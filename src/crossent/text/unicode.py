"""What Python's ``str`` and ``re`` know about each code point, as tables that compiled code reads.

The tables are asked of the running interpreter, so they follow its version of Unicode.
"""

import re
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from crossent.jit import part, step

# An entry: in the low 21 bits how far it is from the code point to its lower case (modulo 2^21), then flags.
LOWER = 0x1FFFFF
WORD = 1 << 21  # \w once lower-cased
SPACE = 1 << 22  # \s
CASED = 1 << 23  # has case, and is not case-ignorable
IGNORABLE = 1 << 24  # skipped when a capital sigma looks for the letters around it

CAPITAL_SIGMA, SMALL_SIGMA, FINAL_SIGMA = 0x3A3, 0x3C3, 0x3C2
DOTTED_I, COMBINING_DOT = 0x130, 0x307  # the one code point that str.lower turns into two: i, combining dot
_PAGE = 256
_CODE_POINTS = 0x110000
_LETTERS = np.r_[0:0x20000, 0xE0000:0xE1000]  # every code point with case, or ignored by case, is in these planes


class Unicode(NamedTuple):
    """The entry of code point c is ``entries[pages[c >> 8], c & 255]``."""

    pages: NDArray[np.uint16]
    entries: NDArray[np.uint32]
    lower: bool


@cache
def tables(lower: bool) -> Unicode:
    """Return the tables for text that is to be lower-cased, or taken as it is."""
    points = np.arange(_CODE_POINTS, dtype=np.uint32)
    text = _decode(points)
    word, space = _matches(r"\w+", text), _matches(r"\s+", text)
    lowered = _lowered(points) if lower else points
    entry = (lowered - points) & LOWER | WORD * word[lowered] | SPACE * space
    if lower:
        entry |= _case(points)
    numbers: dict[bytes, int] = {}
    rows = entry.astype(np.uint32).reshape(-1, _PAGE)
    pages = np.array([numbers.setdefault(row.tobytes(), len(numbers)) for row in rows], np.uint16)
    entries = np.frombuffer(bytearray().join(numbers), np.uint32).reshape(-1, _PAGE)
    return Unicode(pages, entries, lower)


def _lowered(points: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return each code point's lower case; the two whose lower case is not one code point are the kernels' business."""
    lowered = points.copy()
    alone = (points != DOTTED_I) & (points != CAPITAL_SIGMA)
    lowered[alone] = _encode(_decode(points[alone]).lower())
    lowered[CAPITAL_SIGMA] = SMALL_SIGMA
    return lowered


def _case(points: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return the flags CASED and IGNORABLE, told by what a capital sigma after each code point becomes."""
    flags = np.zeros_like(points)
    letters = np.where(_LETTERS == DOTTED_I, ord("I"), _LETTERS)
    columns = [np.full(len(letters), ord(c)) for c in " A Σ "]
    alone = np.stack([letters, columns[3], columns[4]], axis=1)
    after_letter = np.stack([columns[1], letters, columns[3], columns[4]], axis=1)
    cased = _sigmas(alone) == FINAL_SIGMA
    flags[_LETTERS] = np.where(cased, CASED, np.where(_sigmas(after_letter) == FINAL_SIGMA, IGNORABLE, 0))
    return flags


def _sigmas(rows: NDArray[Any]) -> NDArray[np.uint32]:
    return _encode(_decode(rows.ravel()).lower()).reshape(rows.shape)[:, -2]


def _matches(pattern: str, text: str) -> NDArray[np.bool_]:
    found = np.zeros(len(text), bool)
    for match in re.finditer(pattern, text):
        found[match.start() : match.end()] = True
    return found


def _decode(points: NDArray[Any]) -> str:
    return points.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")


def _encode(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4").astype(np.uint32)


@part
def entry_of(unicode, c):
    """Return the table's entry of code point c."""
    return unicode.entries[unicode.pages[c >> 8], c & 255]


@part
def lower(entry, c):
    """Return the lower case of code point c, whose entry is given."""
    return (c + np.int64(entry)) & LOWER


@step
def code_point(data, i, end):
    """Return the code point that starts at byte i, and its length in bytes. A stray byte counts as U+FFFD."""
    a = np.int64(data[i])
    if a < 0x80:
        return a, 1
    if 0xC2 <= a < 0xE0 and i + 1 < end:
        return (a & 0x1F) << 6 | (data[i + 1] & 0x3F), 2
    if 0xE0 <= a < 0xF0 and i + 2 < end:
        return (a & 0x0F) << 12 | np.int64(data[i + 1] & 0x3F) << 6 | (data[i + 2] & 0x3F), 3
    if 0xF0 <= a < 0xF5 and i + 3 < end:
        c = (a & 0x07) << 18 | np.int64(data[i + 1] & 0x3F) << 12 | np.int64(data[i + 2] & 0x3F) << 6
        return min(c | (data[i + 3] & 0x3F), 0x10FFFF), 4
    return 0xFFFD, 1


@step
def write(out, o, c):
    """Write code point c as UTF-8 at out[o:]; return the position after it."""
    if c < 0x80:
        out[o] = c
        return o + 1
    if c < 0x800:
        out[o] = 0xC0 | c >> 6
        out[o + 1] = 0x80 | (c & 0x3F)
        return o + 2
    if c < 0x10000:
        out[o] = 0xE0 | c >> 12
        out[o + 1] = 0x80 | (c >> 6 & 0x3F)
        out[o + 2] = 0x80 | (c & 0x3F)
        return o + 3
    out[o] = 0xF0 | c >> 18
    out[o + 1] = 0x80 | (c >> 12 & 0x3F)
    out[o + 2] = 0x80 | (c >> 6 & 0x3F)
    out[o + 3] = 0x80 | (c & 0x3F)
    return o + 4


@step
def lower_sigma(unicode, data, begin, i, end):
    """Return what the capital sigma at byte i of data[begin:end] becomes: final after a letter and before none."""
    j = i
    before = 0
    while j > begin:
        j -= 1
        while j > begin and data[j] & 0xC0 == 0x80:
            j -= 1
        before = entry_of(unicode, code_point(data, j, end)[0])
        if not before & IGNORABLE:
            break
    if not before & CASED:
        return SMALL_SIGMA
    j = i + 2
    while j < end:
        c, size = code_point(data, j, end)
        after = entry_of(unicode, c)
        if not after & IGNORABLE:
            return SMALL_SIGMA if after & CASED else FINAL_SIGMA
        j += size
    return FINAL_SIGMA
