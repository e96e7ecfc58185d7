"""From the UTF-8 bytes of a document to its symbols: words, or characters.

A document's symbols are written, lower-cased, one after another into ``out``; symbol i starts at ``starts[i]``. Words
are followed by one space, so that every n-gram, of words as of characters, is one slice of ``out``. ``room[i]`` counts
the symbols from i to the end of its stretch: n-grams do not reach across stretches (for ``char_wb``, padded words).
"""

import threading
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from crossent.jit import kernel, part, step
from crossent.text.documents import Block
from crossent.text.interning import FIND, Symbols, intern, low_bytes
from crossent.text.raw import PADDING, borrowed, load64, ones, store64, trailing_zeros
from crossent.text.unicode import (
    CAPITAL_SIGMA,
    COMBINING_DOT,
    DOTTED_I,
    SPACE,
    WORD,
    Unicode,
    code_point,
    entry_of,
    lower,
    lower_sigma,
    tables,
    write,
)

WORDS, CHARACTERS, CHARACTERS_IN_WORDS = 0, 1, 2
BLANK = 32
BATCH = 512  # look-ups whose table slots are fetched together: their cache misses overlap
_SHORT = 1 << 12  # bytes
_kept = threading.local()
_ZERO = np.int64(0)  # typed: numba compiles what is called with a literal twice
_SMALL_I = np.int64(105)
_EACH, _HIGH_BITS = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
_127, _128 = np.uint64(127), np.uint64(128)
_GATHER = np.uint64(0x0102040810204080)  # times eight bytes of 0 or 1: their bits, in the high byte


class Analysis(NamedTuple):
    """What the kernels need to know of a vectorizer's parameters."""

    mode: int
    min_chars: int  # of a word
    min_n: int
    max_n: int
    lower: bool
    unicode: Unicode | None  # for characters; None: symbols are words, and what is for characters is not compiled
    stops: Symbols | None  # for words; None: symbols are characters


class Scratch(NamedTuple):
    """Room for the symbols of one document, and for what is known of them."""

    folded: NDArray[np.uint8]  # the document's bytes, lower-cased
    is_word: NDArray[np.uint8]  # a bit for each
    out: NDArray[np.uint8]
    starts: NDArray[np.int64]
    room: NDArray[np.int64]
    numbers: NDArray[np.int64]
    codes: NDArray[np.int64]  # of the n-gram that starts at each symbol
    homes: NDArray[np.int64]  # of some of them
    fetched: NDArray[np.int64]  # what lies there
    edges: NDArray[np.int64]  # where words begin and end in ``folded``, in turn


def scratch_for(offsets: NDArray[np.int64], mode: int) -> Scratch:
    """Allocate for the longest document; for a few short ones, this thread's last scratch serves again."""
    longest = int(offsets[-1]) - int(offsets[0])
    if longest > _SHORT:
        return _scratch(int(np.diff(offsets).max()), mode)
    scratch: Scratch | None = getattr(_kept, "scratch", None)
    if scratch is None:
        scratch = _kept.scratch = _scratch(_SHORT, CHARACTERS_IN_WORDS)
    return scratch


def _scratch(longest: int, mode: int) -> Scratch:
    """Allocate for documents of so many bytes. A byte becomes at most three (a stray one, U+FFFD); char_wb pads."""
    symbols = longest + 2 if mode != CHARACTERS_IN_WORDS else 2 * longest + 4
    folded = np.empty(longest + 2 * PADDING, np.uint8)
    is_word = np.empty(longest // 8 + 4 * PADDING, np.uint8)
    out = np.empty(3 * symbols + 2 * PADDING, np.uint8)
    starts, room, numbers, codes = (np.empty(symbols, np.int64) for _ in range(4))
    homes, fetched = (np.empty(BATCH, np.int64) for _ in range(2))
    return Scratch(folded, is_word, out, starts, room, numbers, codes, homes, fetched, np.empty(longest + 16, np.int64))


@part
def with_room(stream, used, more):
    """Return the stream, or a longer copy if it has no room for more."""
    if used + more <= len(stream):
        return stream
    longer = np.empty(2 * (used + more), np.uint32)
    for i in range(used):
        longer[i] = stream[i]
    return longer


def plain(block: Block, analysis: Analysis) -> Block:
    """Return documents as :func:`split` takes them: as they are, unless their words are not all ASCII."""
    data, offsets = block
    begin, end = int(offsets[0]), int(offsets[-1])
    if analysis.stops is None or data[begin:end].max(initial=0) < 128:
        return block
    out, ends = np.empty(2 * (end - begin), np.uint8), np.zeros_like(offsets)  # two bytes become three at most
    _write_plain(data, offsets, tables(analysis.lower), out, ends)
    out.flags.writeable = False  # as other documents: for another type of array, kernels would be compiled once more
    return Block(out, ends)


@kernel
def _write_plain(data, offsets, unicode, out, ends):
    """Write documents in which all that is not ASCII is of a word, and in lower case if asked; the rest are blanks."""
    data, out, o = borrowed(data), borrowed(out), _ZERO
    for d in range(len(ends) - 1):
        begin, end = offsets[d], offsets[d + 1]
        i = begin
        while i < end:
            while i + 8 <= end and load64(data, i) & _HIGH_BITS == 0:
                store64(out, o, load64(data, i))
                o += 8
                i += 8
            if i == end:
                break
            if data[i] < 128:
                out[o] = data[i]
                o += 1
                i += 1
                continue
            c, size = code_point(data, i, end)
            entry = entry_of(unicode, c)
            if c == DOTTED_I and unicode.lower:  # then a combining dot, which is no word character
                o = write(out, write(out, o, _SMALL_I), np.int64(BLANK))
            elif entry & WORD:
                o = write(out, o, _lower(unicode, entry, c, data, begin, i, end))
            else:
                o = write(out, o, np.int64(BLANK))
            i += size
        ends[d + 1] = o


@kernel
def split(data, begin, end, analysis, unicode, stops, scratch):
    """Write the symbols of data[begin:end] into the scratch; return how many there are."""
    data, analysis, scratch = borrowed(data), borrowed(analysis), borrowed(scratch)
    n = _ZERO
    if stops is not None:  # what is None is known when this is compiled
        n = _words(data, begin, end, analysis, scratch)
    if unicode is not None:
        if analysis.mode != CHARACTERS:
            return _characters_in_words(data, begin, end, analysis.unicode, scratch)
        n = _characters(data, begin, end, analysis.unicode, scratch)
    for i in range(n):
        scratch.room[i] = n - i
    return n


@part
def ngram(starts, mode, i, n):
    """Return where the n-gram of n symbols from symbol i starts and ends in ``out``."""
    return starts[i], starts[i + n] - (1 if mode == WORDS else 0)


@step
def is_ngram(room, mode, min_n, i, n):
    """Tell whether n symbols from i are a feature; char_wb counts a word of fewer than min_n characters whole."""
    if n >= min_n:
        return room[i] >= n
    if mode != CHARACTERS_IN_WORDS or room[i] != n:
        return False
    return i == 0 or room[i - 1] == 1


@step
def _within(bytes7, low, high):
    """Set the high bit of each of eight bytes, all below 128, that is from low to high."""
    above = bytes7 + _EACH * (_128 - low)
    beyond = bytes7 + _EACH * (_127 - high)
    return above & ~beyond & _HIGH_BITS


@step
def _fold_eight(word, to_lower, folded, is_word, k):
    """Lower-case the ASCII among eight bytes; note, one bit each, which may be of words: all that are not ASCII may.

    Return the high bits of those that are not ASCII.
    """
    wide = word & _HIGH_BITS
    bytes7 = word ^ wide
    letters = _within(bytes7 | _EACH * np.uint64(32), np.uint64(97), np.uint64(122)) & ~wide
    if to_lower:
        bytes7 |= letters >> np.uint64(2)  # bit 5
    words = (
        letters | wide | _within(bytes7, np.uint64(48), np.uint64(57)) | _within(bytes7, np.uint64(95), np.uint64(95))
    )
    store64(folded, 8 * k, bytes7 | wide)
    is_word[k] = ((words >> np.uint64(7)) * _GATHER) >> np.uint64(56)
    return wide


@part
def _fold(data, begin, size, to_lower, folded, is_word):
    """Apply _fold_eight to data[begin : begin + size]; return what is zero when all is ASCII."""
    whole = size // 8
    wide = np.uint64(0)
    for k in range(whole):
        wide |= _fold_eight(load64(data, begin + 8 * k), to_lower, folded, is_word, k)
    rest = np.uint64(0)
    for i in range(8 * whole, size):
        rest |= np.uint64(data[begin + i]) << np.uint64(8 * (i & 7))
    wide |= _fold_eight(rest, to_lower, folded, is_word, whole)
    for k in range(whole + 1, whole + 10):
        is_word[k] = 0
    return wide


@step
def _find_edges(is_word, size, edges):
    """Write where runs of ones begin and end; return how many edges there are. Room for eight more is used."""
    n = _ZERO
    before = np.uint64(0)
    for base in range(0, size + 1, 64):
        mask = load64(is_word, base >> 3)
        here = mask ^ (mask << np.uint64(1) | before)
        before = mask >> np.uint64(63)
        end = n + ones(here)
        for k in range(n, end, 8):  # eight at a time: how many there are cannot be predicted
            for j in range(8):
                edges[k + j] = base + trailing_zeros(here)
                here &= here - np.uint64(1)
        n = end
    return n


@part
def _words(data, begin, end, analysis, scratch):
    """Copy the words between the edges in the bits of ``is_word``. The document is plain, but for ASCII capitals."""
    folded, out, starts, edges = scratch.folded, scratch.out, scratch.starts, scratch.edges
    wide = _fold(data, begin, end - begin, analysis.lower, folded, scratch.is_word)
    n = start = _ZERO
    starts[0] = 0
    for k in range(0, _find_edges(scratch.is_word, end - begin, edges), 2):
        first = edges[k]
        size = edges[k + 1] - first
        store64(out, start, load64(folded, first))
        store64(out, start + 8, load64(folded, first + 8))
        if size > 16:
            for i in range(16, size, 8):
                store64(out, start + i, load64(folded, first + i))
        chars = size if wide == 0 else _characters_of(folded, first, size)
        kept = _ends(out, starts, n, start, size, chars, analysis)
        n += kept
        start = start + size + 1 if kept else start  # not read from starts[n]: that takes longer than the rest
    return n


@step
def _characters_of(text, first, size):
    """Return how many bytes of UTF-8 begin a character: all but those that are 10 in their highest bits."""
    n = size
    for i in range(0, size, 8):
        word = low_bytes(load64(text, first + i), size - i)
        n -= ones(word & ~(word << np.uint64(1)) & _HIGH_BITS)
    return n


@step
def _ends(out, starts, n, start, size, chars, analysis):
    """End word n, of so many bytes and characters; return 1 if it is one, neither too short nor a stop word, else 0."""
    end = start + size
    out[end] = BLANK
    starts[n + 1] = end + 1
    is_stop = analysis.stops.used[0] > 0 and intern(analysis.stops, out, start, end, FIND) >= 0
    return np.int64(chars >= analysis.min_chars) & np.int64(not is_stop)


@step
def _lower(unicode, entry, c, data, begin, i, end):
    if c == CAPITAL_SIGMA and unicode.lower:
        return lower_sigma(unicode, data, begin, i, end)
    return lower(entry, c)


@part
def _characters(data, begin, end, unicode, scratch):
    out, starts = scratch.out, scratch.starts
    n = spaces = _ZERO
    starts[0] = 0
    i = begin
    while i < end:
        c, size = code_point(data, i, end)
        entry = entry_of(unicode, c)
        spaces = spaces + 1 if entry & SPACE else _ZERO
        if spaces > 1:  # a run of white space becomes one blank; a single one stays what it is
            out[starts[n - 1]] = BLANK
            starts[n] = starts[n - 1] + 1
        else:
            n = _append(out, starts, n, unicode, entry, c, data, begin, i, end)
        i += size
    return n


@part
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


@step
def _append(out, starts, n, unicode, entry, c, data, begin, i, end):
    """Append the lower case of code point c, read at byte i, as a symbol; return how many symbols there are."""
    if c == DOTTED_I and unicode.lower:
        starts[n + 1] = write(out, starts[n], _SMALL_I)
        starts[n + 2] = write(out, starts[n + 1], np.int64(COMBINING_DOT))
        return n + 2
    starts[n + 1] = write(out, starts[n], _lower(unicode, entry, c, data, begin, i, end))
    return n + 1
