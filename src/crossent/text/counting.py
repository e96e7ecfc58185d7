"""From documents to the codes of their n-grams, by tables that grow (fitting) or stay as they are (transforming)."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from crossent.jit import formula, kernel
from crossent.text.raw import borrowed
from crossent.text.interning import (
    DEEP,
    MISSING,
    find,
    intern,
    ngrams_with_room,
    pair,
    pair_home,
    symbols_with_room,
)
from crossent.text.tokens import is_ngram, ngram, scratch_for, split

_BATCH = 512  # look-ups whose table slots are fetched together: their cache misses overlap


class _Codes(NamedTuple):
    """What is known of the symbols of one document."""

    numbers: NDArray[np.int64]  # of each symbol
    codes: NDArray[np.int64]  # of the n-gram that starts at each symbol
    homes: NDArray[np.int64]
    fetched: NDArray[np.uint64]


@kernel
def code_documents(data, offsets, analysis, symbols, ngrams, learn):
    """Return the code of every n-gram, document after document, where each document ends, and the two tables.

    With ``learn`` the tables grow; without, n-grams they do not hold are left out.
    """
    scratch = scratch_for(offsets, analysis.mode)
    room = len(scratch.starts)
    work = _Codes(np.empty(room, np.int64), np.empty(room, np.int64), np.empty(_BATCH, np.int64), np.empty(_BATCH, np.uint64))
    stream = np.empty(1024 + (offsets[-1] - offsets[0]) // 4, np.uint32)
    ends = np.empty(len(offsets) - 1, np.int64)
    used = np.int64(0)
    for d in range(len(ends)):
        n = split(data, offsets[d], offsets[d + 1], analysis, scratch)
        for length in range(1, min(n, analysis.max_n) + 1):
            if used + n > len(stream):
                stream = np.concatenate((stream[:used], np.empty(used + n, np.uint32)))
            for first in range(0, n, _BATCH):
                last = min(n, first + _BATCH)
                if length == 1:
                    if learn:
                        symbols = symbols_with_room(symbols, last - first, scratch.starts[last] - scratch.starts[first])
                    _number(symbols, work, first, last, analysis, scratch, learn)
                else:
                    if learn:
                        ngrams = ngrams_with_room(ngrams, last - first)
                    _extend(ngrams, work, first, last, length, analysis, scratch, learn)
                used = _append(stream, used, work, first, last, length, analysis, scratch, ngrams, learn)
        ends[d] = used
    return stream[:used].copy(), ends, symbols, ngrams


@formula
def _number(symbols, work, first, last, analysis, scratch, learn):
    """Write the number, which is the code, of each symbol."""
    symbols, work, scratch = borrowed(symbols), borrowed(work), borrowed(scratch)
    for i in range(first, last):
        start, end = ngram(analysis, scratch, i, np.int64(1))
        number = intern(symbols, scratch.out, start, end) if learn else find(symbols, scratch.out, start, end)
        work.numbers[i] = number
        work.codes[i] = number


@formula
def _extend(ngrams, work, first, last, length, analysis, scratch, learn):
    """Make each code of an n-gram of length - 1 symbols the code of the n-gram with one symbol more."""
    ngrams, work, room = borrowed(ngrams), borrowed(work), borrowed(scratch.room)
    numbers, codes = work.numbers, work.codes
    for i in range(first, last):
        if room[i] >= length:
            home = pair_home(ngrams, codes[i], numbers[i + length - 1])
            work.homes[i - first] = home
            work.fetched[i - first] = ngrams.slots[2 * home]
    depth = length if length >= analysis.min_n else -length
    for i in range(first, last):
        if codes[i] != MISSING and room[i] >= length:
            number = numbers[i + length - 1]
            if number == MISSING:
                codes[i] = MISSING
            else:
                codes[i] = pair(ngrams, work.homes[i - first], codes[i], number, depth, learn)


@formula
def _append(stream, used, work, first, last, length, analysis, scratch, ngrams, learn):
    """Append the codes of the n-grams that are features; return how many are used."""
    stream, codes, depth = borrowed(stream), borrowed(work.codes), borrowed(ngrams.depth)
    analysis, scratch = borrowed(analysis), borrowed(scratch)
    for i in range(first, last):
        if codes[i] != MISSING and is_ngram(analysis, scratch, i, length):
            stream[used] = codes[i]
            used += 1
            if learn and length < analysis.min_n:
                depth[codes[i] - DEEP] = length
    return used
