"""From the UTF-8 bytes of a document to its symbols: words, or characters.

A document's symbols are written, lower-cased, one after another into ``out``; symbol i starts at ``starts[i]``. Words are
followed by one space, so that every n-gram, of words as of characters, is one slice of ``out``. ``room[i]`` counts the
symbols from i to the end of its stretch: n-grams do not reach across stretches (for ``char_wb``, padded words).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from crossent.jit import formula, kernel
from crossent.text.raw import PADDING, borrowed, load64, store64, trailing_zeros
from crossent.text.interning import Symbols, find
from crossent.text.unicode import (
    CAPITAL_SIGMA,
    COMBINING_DOT,
    DOTTED_I,
    NOT_ASCII,
    SPACE,
    WORD,
    Unicode,
    code_point,
    entry_of,
    lower,
    lower_sigma,
    write,
)

WORDS, CHARACTERS, CHARACTERS_IN_WORDS = 0, 1, 2
BLANK = 32
_ZERO = np.int64(0)  # typed: numba compiles what is called with a literal twice
_SMALL_I = np.int64(105)
_LOW_BITS, _HIGH_BITS = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)


class Analysis(NamedTuple):
    """What the kernels need to know of a vectorizer's parameters."""

    mode: int
    min_chars: int  # of a word
    min_n: int
    max_n: int
    unicode: Unicode
    stops: Symbols


class Scratch(NamedTuple):
    """Room for the symbols of one document."""

    folded: NDArray[np.uint8]
    out: NDArray[np.uint8]
    starts: NDArray[np.int64]
    room: NDArray[np.int64]


@formula
def scratch_for(offsets, mode):
    """Allocate for the longest document. A byte becomes at most three (a stray one, U+FFFD); char_wb pads its words."""
    longest = 0
    for d in range(len(offsets) - 1):
        longest = max(longest, offsets[d + 1] - offsets[d])
    symbols = longest + 2 if mode != CHARACTERS_IN_WORDS else 2 * longest + 4
    folded = np.empty(longest + 2 * PADDING if mode == WORDS else 0, np.uint8)
    out = np.empty(3 * symbols + 2 * PADDING, np.uint8)
    return Scratch(folded, out, np.empty(symbols, np.int64), np.empty(symbols, np.int64))


@kernel
def split(data, begin, end, analysis, scratch):
    """Write the symbols of data[begin:end] into the scratch; return how many there are."""
    data, analysis, scratch = borrowed(data), borrowed(analysis), borrowed(scratch)
    if analysis.mode == WORDS:
        if _fold(data, begin, end, analysis.unicode.lower, scratch.folded):
            n = _ascii_words(end - begin, analysis, scratch)
        else:
            n = _words(data, begin, end, analysis, scratch)
    elif analysis.mode == CHARACTERS:
        n = _characters(data, begin, end, analysis.unicode, scratch)
    else:
        return _characters_in_words(data, begin, end, analysis.unicode, scratch)
    for i in range(n):
        scratch.room[i] = n - i
    return n


@formula
def ngram(analysis, scratch, i, n):
    """Return where the n-gram of n symbols from symbol i starts and ends in ``out``."""
    gap = 1 if analysis.mode == WORDS else 0
    return scratch.starts[i], scratch.starts[i + n] - gap


@formula
def is_ngram(analysis, scratch, i, n):
    """Tell whether n symbols from symbol i are a feature. char_wb counts a word with fewer than min_n characters whole."""
    if n >= analysis.min_n:
        return scratch.room[i] >= n
    if analysis.mode != CHARACTERS_IN_WORDS or scratch.room[i] != n:
        return False
    return i == 0 or scratch.room[i - 1] == 1


@formula
def _fold(data, begin, end, to_lower, folded):
    """Copy data[begin:end], lower-cased, with zeros for what is no word character; tell whether it is all ASCII."""
    case = np.uint8(32 if to_lower else 0)
    every = np.uint8(0)
    for i in range(end - begin):
        byte = data[begin + i]
        every |= byte
        letter = np.uint8((byte | np.uint8(32)) - np.uint8(97)) < np.uint8(26)
        other = (np.uint8(byte - np.uint8(48)) < np.uint8(10)) | (byte == np.uint8(95))
        folded[i] = byte | case if letter else byte if other else np.uint8(0)
    for i in range(end - begin, end - begin + 2 * PADDING):
        folded[i] = 0
    return every < np.uint8(128)


@formula
def _ascii_words(size, analysis, scratch):
    """Find words eight bytes at a time: in ``folded``, they stand between zeros."""
    folded, out, starts = scratch.folded, scratch.out, scratch.starts
    n = start = i = _ZERO
    starts[0] = 0
    while i < size:
        word = load64(folded, i)
        if word == 0:
            i += 8
            continue
        i += trailing_zeros(word) >> 3
        end = start
        while True:
            word = load64(folded, i)
            store64(out, end, word)
            zeros = (word - _LOW_BITS) & ~word & _HIGH_BITS  # the lowest bit set marks the first zero byte
            if zeros != 0:
                break
            i += 8
            end += 8
        length = trailing_zeros(zeros) >> 3
        i += length + 1
        end += length
        if end - start >= analysis.min_chars and not _is_stop(analysis.stops, out, start, end):
            out[end] = BLANK
            n += 1
            start = end + 1
            starts[n] = start
    return n


@formula
def _words(data, begin, end, analysis, scratch):
    unicode, out, starts = analysis.unicode, scratch.out, scratch.starts
    n = start = o = chars = _ZERO
    starts[0] = 0
    i = begin
    while i <= end:
        byte = unicode.word[data[i]] if i < end else 0
        if byte > NOT_ASCII:
            out[o] = byte
            o += 1
            chars += 1
            i += 1
            continue
        if byte == NOT_ASCII:
            c, size = code_point(data, i, end)
            entry = entry_of(unicode, c)
            if entry & WORD:
                if c == DOTTED_I and unicode.lower:
                    o = write(out, o, _SMALL_I)  # then a combining dot, which is no word character
                    chars += 1
                else:
                    o = write(out, o, _lower(unicode, entry, c, data, begin, i, end))
                    chars += 1
                    i += size
                    continue
            i += size
        else:
            i += 1
        if chars >= analysis.min_chars and not _is_stop(analysis.stops, out, start, o):
            out[o] = BLANK
            o += 1
            n += 1
            starts[n] = o
            start = o
        o = start
        chars = 0
    return n


@formula
def _is_stop(stops, out, start, end):
    return stops.used[0] > 0 and find(stops, out, start, end) >= 0


@formula
def _lower(unicode, entry, c, data, begin, i, end):
    if c == CAPITAL_SIGMA and unicode.lower:
        return lower_sigma(unicode, data, begin, i, end)
    return lower(entry, c)


@formula
def _characters(data, begin, end, unicode, scratch):
    out, starts = scratch.out, scratch.starts
    n = spaces = _ZERO
    starts[0] = 0
    i = begin
    while i < end:
        c, size = code_point(data, i, end)
        entry = entry_of(unicode, c)
        spaces = spaces + 1 if entry & SPACE else 0
        if spaces > 1:  # a run of white space becomes one blank; a single one stays what it is
            out[starts[n - 1]] = BLANK
            starts[n] = starts[n - 1] + 1
        else:
            n = _append(out, starts, n, unicode, entry, c, data, begin, i, end)
        i += size
    return n


@formula
def _characters_in_words(data, begin, end, unicode, scratch):
    out, starts, room = scratch.out, scratch.starts, scratch.room
    n = first = _ZERO
    starts[0] = 0
    inside = False
    i = begin
    while i <= end:
        c, size = code_point(data, i, end) if i < end else (np.int64(BLANK), 1)
        entry = entry_of(unicode, c)
        if (entry & SPACE == 0) != inside:  # a word begins or ends: pad it
            inside = not inside
            out[starts[n]] = BLANK
            n += 1
            starts[n] = starts[n - 1] + 1
            if inside:
                first = n - 1
            else:
                for j in range(first, n):
                    room[j] = n - j
        if inside:
            n = _append(out, starts, n, unicode, entry, c, data, begin, i, end)
        i += size
    return n


@formula
def _append(out, starts, n, unicode, entry, c, data, begin, i, end):
    """Append the lower case of code point c, read at byte i, as a symbol; return how many symbols there are."""
    if c == DOTTED_I and unicode.lower:
        starts[n + 1] = write(out, starts[n], _SMALL_I)
        starts[n + 2] = write(out, starts[n + 1], np.int64(COMBINING_DOT))
        return n + 2
    starts[n + 1] = write(out, starts[n], _lower(unicode, entry, c, data, begin, i, end))
    return n + 1
